"""A pgqrs_store: arguments to C, completions to Python objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from struct import Struct, unpack
from typing import Any

from . import _library, _status
from ._batch import Batch
from ._cffi import ffi
from ._protocol import Completion, Deliveries, Failure, NativeStore, StreamOptions

COMPLETION = Struct("@QiHHqP")  # pgqrs_completion
DRAIN_SIZE = 1024


class Library:
    """Implements NativeLibrary."""

    def connect(self, config: bytes, op: int) -> tuple[int, NativeStore | None]:
        handle = ffi.new("pgqrs_store *")
        status: int = _library.lib.pgqrs_connect(config, len(config), op, handle)
        return status, Store(handle[0]) if status == _status.OK else None

    def last_error(self) -> str:
        return _last_error()


class Store:
    """Implements NativeStore."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._completions = ffi.new("pgqrs_completion[]", DRAIN_SIZE)
        self._view = memoryview(ffi.buffer(self._completions))

    # ---- completions ----

    def completion_fd(self) -> int:
        fd: int = _library.lib.pgqrs_completion_fd(self._handle)
        return fd

    def drain(self) -> list[Completion]:
        count = _library.lib.pgqrs_drain(self._handle, self._completions, DRAIN_SIZE)
        if count <= 0:
            return []
        completions: list[Any] = list(COMPLETION.iter_unpack(self._view[: count * COMPLETION.size]))
        return completions

    def wait(self, timeout_us: int) -> bool:
        answer: int = _library.lib.pgqrs_wait(self._handle, timeout_us)
        return answer == 1

    def result(self, status: int, kind: int, value: int, data: int) -> Any:
        if kind == _status.RESULT_VALUE:
            return value
        if kind == _status.RESULT_BATCH:
            return Batch(data)
        try:
            return _read(status, kind, value, data)
        finally:
            self.discard(kind, data)

    def discard(self, kind: int, data: int) -> None:
        if not data:
            return
        if kind == _status.RESULT_BATCH:
            _library.lib.pgqrs_batch_free(ffi.cast("pgqrs_batch *", data))
        else:
            _library.lib.pgqrs_free(ffi.cast("void *", data))

    def last_error(self) -> str:
        return _last_error()

    # ---- the store ----

    def cancel(self, target: int) -> None:
        _library.lib.pgqrs_cancel(self._handle, target)

    def close(self, op: int) -> int:
        status: int = _library.lib.pgqrs_close(self._handle, op)
        return status

    def free(self) -> None:
        handle, self._handle = self._handle, 0  # 0 is never a handle
        if handle:
            _library.lib.pgqrs_store_free(handle)

    def log(self, op: int, level: int) -> int:
        status: int = _library.lib.pgqrs_log(self._handle, op, level)
        return status

    # ---- producing, workers ----

    def produce(self, op: int, queue: bytes, payload: bytes, delay_us: int, worker: int) -> int:
        status: int = _library.lib.pgqrs_produce(
            self._handle, op, queue, len(queue), payload, len(payload), delay_us, worker
        )
        return status

    def produce_batch(
        self, op: int, queue: bytes, payloads: Sequence[bytes], delay_us: int, worker: int
    ) -> int:
        status: int = _library.lib.pgqrs_produce_batch(
            self._handle, op, queue, len(queue), *_texts(payloads), delay_us, worker
        )
        return status

    def produce_array(self, op: int, queue: bytes, array: bytes, delay_us: int, worker: int) -> int:
        status: int = _library.lib.pgqrs_produce_array(
            self._handle, op, queue, len(queue), array, len(array), delay_us, worker
        )
        return status

    def produce_keyed(
        self,
        op: int,
        queue: bytes,
        payloads: Sequence[bytes],
        keys: Sequence[bytes],
        batch: bool,
        delay_us: int,
        dedup_us: int,
        worker: int,
    ) -> int:
        text, lengths, count = _texts(payloads)
        key_text, key_lengths, _ = _texts(keys)
        status: int = _library.lib.pgqrs_produce_keyed(
            self._handle,
            op,
            queue,
            len(queue),
            text,
            lengths,
            key_text,
            key_lengths,
            count,
            batch,
            delay_us,
            dedup_us,
            worker,
        )
        return status

    def admit(
        self,
        op: int,
        queue: bytes,
        payloads: Sequence[bytes],
        batch: bool,
        delay_us: int,
        worker: int,
    ) -> int:
        status: int = _library.lib.pgqrs_admit(
            self._handle, op, queue, len(queue), *_texts(payloads), batch, delay_us, worker
        )
        return status

    def detach(self, op: int, queue_id: int, worker: int, deliveries: Deliveries) -> int:
        status: int = _library.lib.pgqrs_detach(
            self._handle, op, queue_id, worker, *_arrays(deliveries)
        )
        return status

    def register(self, op: int, role: int, queue: bytes, hostname: bytes, port: int) -> int:
        status: int = _library.lib.pgqrs_register(
            self._handle, op, role, queue, len(queue), hostname, len(hostname), port
        )
        return status

    # ---- requests ----

    def request(self, op: int, name: bytes, arguments: bytes) -> int:
        status: int = _library.lib.pgqrs_request(
            self._handle, op, name, len(name), arguments, len(arguments)
        )
        return status

    # ---- consuming ----

    def dequeue(self, op: int, worker: int, limit: int, vt_us: int) -> int:
        status: int = _library.lib.pgqrs_dequeue(self._handle, op, worker, limit, vt_us)
        return status

    def consume_iter(self, op: int, queue: bytes, options: StreamOptions) -> int:
        stream = ffi.new("pgqrs_stream *")
        c_options = ffi.new(
            "pgqrs_consume_options *",
            {
                "batch_size": options.batch_size,
                "keep_delivered": options.keep_delivered,
                "vt_us": options.vt_us,
                "until_empty": options.until_empty,
                "worker": options.worker_id,
            },
        )
        status: int = _library.lib.pgqrs_consume_iter(
            self._handle, op, queue, len(queue), c_options, stream
        )
        handle: int = stream[0]
        return handle if status == _status.OK else status

    def credit(self, stream: int) -> int:
        status: int = _library.lib.pgqrs_credit(stream)
        return status

    def stream_close(self, stream: int) -> None:
        _library.lib.pgqrs_stream_close(stream)

    # ---- settling ----

    def archive(self, op: int, queue_id: int, worker: int, deliveries: Deliveries) -> int:
        status: int = _library.lib.pgqrs_archive(
            self._handle, op, queue_id, worker, *_arrays(deliveries)
        )
        return status

    def delete(self, op: int, queue_id: int, worker: int, deliveries: Deliveries) -> int:
        status: int = _library.lib.pgqrs_delete(
            self._handle, op, queue_id, worker, *_arrays(deliveries)
        )
        return status

    def release(
        self, op: int, queue_id: int, worker: int, deliveries: Deliveries, delay_us: int
    ) -> int:
        status: int = _library.lib.pgqrs_release(
            self._handle, op, queue_id, worker, *_arrays(deliveries), delay_us
        )
        return status

    def extend_vt(
        self, op: int, queue_id: int, worker: int, deliveries: Deliveries, by_us: int
    ) -> int:
        status: int = _library.lib.pgqrs_extend_vt(
            self._handle, op, queue_id, worker, *_arrays(deliveries), by_us
        )
        return status


def _texts(payloads: Sequence[bytes]) -> tuple[Any, Any, int]:
    """The payloads one behind the other, their lengths, and the count, for C."""
    lengths = ffi.new("uint64_t[]", [len(payload) for payload in payloads])
    return b"".join(payloads), lengths, len(payloads)


def _arrays(deliveries: Deliveries) -> tuple[Any, Any, int]:
    """leases, ids and count, as C takes them; the arrays are not copied."""
    leases, ids = deliveries.leases, deliveries.ids
    return (
        ffi.NULL if leases is None else ffi.from_buffer("int64_t[]", leases),
        ffi.from_buffer("int64_t[]", ids),
        len(ids),
    )


def _read(status: int, kind: int, value: int, data: int) -> Any:
    if kind == _status.RESULT_NONE:
        return None if status == _status.OK else Failure(status, 0, -1, "", "")
    if kind == _status.RESULT_ERROR:
        return _failure(data)
    if kind == _status.RESULT_ANSWERS:
        return list(unpack(f"{value}?", ffi.buffer(ffi.cast("char *", data), value)))
    if kind in (_status.RESULT_IDS, _status.RESULT_MOMENTS):
        return ffi.unpack(ffi.cast("int64_t *", data), value)
    if kind == _status.RESULT_JSON:
        return json.loads(ffi.buffer(ffi.cast("char *", data), value)[:])
    raise AssertionError(f"the library completed with a result of unknown kind {kind}")


def _failure(data: int) -> Failure:
    error = ffi.cast("pgqrs_error *", data)
    message: bytes = ffi.buffer(error.message, error.length)[:]
    sqlstate: bytes = ffi.string(error.sqlstate, 8)
    return Failure(
        error.status,
        error.flags,
        error.index,
        sqlstate.decode(),
        message.decode("utf-8", "replace"),
        error.retry_after_us,
    )


def _last_error() -> str:
    text: bytes = ffi.string(_library.lib.pgqrs_last_error())
    return text.decode("utf-8", "replace")
