"""Delivered messages in the memory of C (pgqrs_batch), read without a call into
C per message: one struct format walks all headers, and the control words are a
memoryview."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any

from . import _library
from ._cffi import ffi
from ._protocol import Header

FIXED = Struct("@QqqQqqqqQ")  # pgqrs_batch up to its messages
MESSAGE = Struct("@qqqqQQ")  # pgqrs_message
CONTROL_SIZE = 24


class Batch:
    """Implements NativeBatch."""

    __slots__ = (
        "_pointer",
        "consumer_worker_id",
        "control",
        "count",
        "dequeued_at_us",
        "lease",
        "memory",
        "queue_id",
    )

    def __init__(self, address: int) -> None:
        self._pointer: Any = ffi.cast("pgqrs_batch *", address)
        fields = FIXED.unpack(ffi.buffer(self._pointer, FIXED.size))
        size, self.queue_id, self.lease, self.dequeued_at_us = fields[3:7]
        self.consumer_worker_id, self.count = fields[7:9]
        self.memory: Any = ffi.buffer(self._pointer, size)
        self.control = memoryview(self.memory)[:CONTROL_SIZE].cast("q")

    def headers(self) -> Iterator[Header]:
        end = FIXED.size + MESSAGE.size * self.count
        headers: Any = MESSAGE.iter_unpack(memoryview(self.memory)[FIXED.size : end])
        return headers  # type: ignore[no-any-return]

    def free(self) -> None:
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            # A reader of the memory that outlives it is an error, not a crash.
            self.control.release()
            self.memory = None
            _library.lib.pgqrs_batch_free(pointer)

    def __del__(self) -> None:
        if getattr(self, "_pointer", None) is not None:
            self.free()
