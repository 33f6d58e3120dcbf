"""A NativeStore without a C library: the test says when operations complete."""

from __future__ import annotations

import itertools
import os
from array import array
from typing import Any

from pgqrs._native import Completion, Failure, status

NEVER = 2**62  # of CLOCK_MONOTONIC


class FakeBatch:
    """A NativeBatch over lists."""

    def __init__(self, *ids: int, deliver_by_ns: int = NEVER) -> None:
        self.words = array("q", [0, 1_000_000, deliver_by_ns])
        self.control = memoryview(self.words)
        self.ids = ids
        self.count = len(ids)
        self.queue_id, self.lease, self.dequeued_at_us, self.consumer_worker_id = 7, 99, 5, 3
        self.freed = False

    @property
    def delivered(self) -> int:
        return self.words[0]

    def headers(self):
        for number in self.ids:
            assert not self.freed
            yield (number, 10, 0, 1, 0, 1)

    @property
    def memory(self) -> bytes:
        assert not self.freed
        return b"0"

    def free(self) -> None:
        self.freed = True


class FakeStore:
    """Keeps submitted operations by number until the test completes them."""

    def __init__(self, places: int = 1000) -> None:
        self.places = places
        self.pending: dict[int, tuple[str, tuple[Any, ...]]] = {}
        self.order: list[Any] = []
        self.cancelled: list[int] = []
        self.discarded: list[Any] = []
        self.streams: dict[int, int] = {}
        self.credits = 0
        self.closed_streams: list[int] = []
        self.freed = False
        self._ready: list[Completion] = []
        self._results: dict[int, Any] = {}
        self._addresses = itertools.count(1)
        self._read, self._write = os.pipe()

    def completion_fd(self) -> int:
        return self._read

    def complete(self, op: int, result: Any = None, *, more: bool = False) -> None:
        """Makes one completion ready, and wakes the loop."""
        if not more:
            self.pending.pop(op, None)
        address = next(self._addresses)
        self._results[address] = result
        code = result.status if isinstance(result, Failure) else 0
        flags = status.MORE if more else 0
        self._ready.append((op, code, status.RESULT_JSON, flags, 0, address))
        if len(self._ready) == 1:
            os.write(self._write, b"x")

    def drain(self) -> list[Completion]:
        if self._ready:
            os.read(self._read, 1)
        ready, self._ready = self._ready, []
        return ready

    def wait(self, timeout_us: int) -> bool:
        return bool(self._ready)

    def result(self, code: int, kind: int, value: int, data: int) -> Any:
        return self._results.pop(data)

    def discard(self, kind: int, data: int) -> None:
        result = self._results.pop(data)
        self.discarded.append(result)
        if isinstance(result, FakeBatch):
            result.free()

    def last_error(self) -> str:
        return "why not"

    def cancel(self, target: int) -> None:
        self.cancelled.append(target)

    def free(self) -> None:
        if not self.freed:
            self.freed = True
            os.close(self._read)
            os.close(self._write)

    def submit(self, op: int, *arguments: Any) -> int:
        if len(self.pending) >= self.places:
            return status.FULL
        self.pending[op] = ("submit", arguments)
        self.order.append(arguments)
        return 0

    def close(self, op: int) -> int:
        self.complete(op)
        return 0

    def consume_iter(self, op: int, queue: bytes, options: Any) -> int:
        self.streams[100 + op] = op
        return 100 + op

    def credit(self, stream: int) -> int:
        self.credits += 1
        return 0

    def stream_close(self, stream: int) -> None:
        self.closed_streams.append(stream)
