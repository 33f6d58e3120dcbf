"""What the C library looks like to the rest of the package: types, no cffi.

Every method of NativeStore that takes `op` submits an operation and returns a
status of `_status`: OK when it was accepted, and then its completion comes with
drain(). The rules of `pgqrs.h` hold; this layer only gives them Python types.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

Completion = tuple[int, int, int, int, int, int]
"""op, status, kind, flags, value, data: the fields of pgqrs_completion; `data`
is an address, to be given to exactly one of NativeStore.result and discard."""

Header = tuple[int, int, int, int, int, int]
"""id, enqueued_at_us, producer_worker_id, read_ct, payload_offset,
payload_length: the fields of pgqrs_message."""


class LibraryError(Exception):
    """The C library is missing, or is not the one that this package needs."""


class Failure:
    """The content of a pgqrs_error."""

    __slots__ = ("flags", "index", "message", "retry_after_us", "sqlstate", "status")

    def __init__(
        self,
        status: int,
        flags: int,
        index: int,
        sqlstate: str,
        message: str,
        retry_after_us: int = 0,
    ) -> None:
        self.status = status
        self.flags = flags
        self.index = index
        self.sqlstate = sqlstate
        self.message = message
        self.retry_after_us = retry_after_us


class NativeBatch(Protocol):
    """Delivered messages in memory of C, until free()."""

    control: memoryview
    """Shared with the library, as 64-bit integers: delivered (ours to write),
    vt_us, deliver_by_ns. Not to be touched after free()."""
    memory: Any
    """What the offsets of payloads count in; slices of it are bytes, copies. None after
    free()."""
    count: int
    queue_id: int
    lease: int
    dequeued_at_us: int
    consumer_worker_id: int

    def headers(self) -> Iterator[Header]:
        """The messages, in delivery order; not to be used after free()."""
        ...

    def free(self) -> None:
        """Gives the memory back, and what was not delivered to the queue. A
        second call does nothing; a batch that is dropped does it by itself."""


class NativeStore(Protocol):
    """One pgqrs_store."""

    def completion_fd(self) -> int:
        """The descriptor that is readable while completions wait."""
        ...

    def drain(self) -> list[Completion]:
        """What has completed, at most DRAIN_SIZE at a time."""
        ...

    def wait(self, timeout_us: int) -> bool:
        """Blocks until drain() would return something; False after the time."""
        ...

    def result(self, status: int, kind: int, value: int, data: int) -> Any:
        """What a completion brought, and frees it: a Failure, None, int, list of
        ids, list of bool, list of moments, NativeBatch, or what JSON says."""
        ...

    def discard(self, kind: int, data: int) -> None:
        """Frees what a completion brought that nobody waits for any more."""

    def last_error(self) -> str:
        """Why this thread's last submit was refused."""
        ...

    def cancel(self, target: int) -> None: ...

    def close(self, op: int) -> int: ...

    def free(self) -> None:
        """Frees the handle; a second call does nothing."""

    def log(self, op: int, level: int) -> int:
        """Asks for log records: completions with MORE, each a dict."""
        ...

    def produce(self, op: int, queue: bytes, payload: bytes, delay_us: int, worker: int) -> int: ...

    def produce_batch(
        self, op: int, queue: bytes, payloads: Sequence[bytes], delay_us: int, worker: int
    ) -> int: ...

    def produce_array(
        self, op: int, queue: bytes, array: bytes, delay_us: int, worker: int
    ) -> int: ...

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
        """Ids that come back negative are those of messages that have the key."""
        ...

    def admit(
        self,
        op: int,
        queue: bytes,
        payloads: Sequence[bytes],
        batch: bool,
        delay_us: int,
        worker: int,
    ) -> int: ...

    def detach(self, op: int, queue_id: int, worker: int, deliveries: Deliveries) -> int: ...

    def register(self, op: int, role: int, queue: bytes, hostname: bytes, port: int) -> int: ...

    def request(self, op: int, name: bytes, arguments: bytes) -> int:
        """Asks for what is on no hot path; docs/abi.md lists the requests."""
        ...

    def dequeue(self, op: int, worker: int, limit: int, vt_us: int) -> int: ...

    def consume_iter(self, op: int, queue: bytes, options: StreamOptions) -> int:
        """Opens a stream: its handle, or a status, which is negative."""
        ...

    def credit(self, stream: int) -> int: ...

    def stream_close(self, stream: int) -> None: ...

    def archive(self, op: int, queue_id: int, worker: int, deliveries: Deliveries) -> int: ...

    def delete(self, op: int, queue_id: int, worker: int, deliveries: Deliveries) -> int: ...

    def release(
        self, op: int, queue_id: int, worker: int, deliveries: Deliveries, delay_us: int
    ) -> int: ...

    def extend_vt(
        self, op: int, queue_id: int, worker: int, deliveries: Deliveries, by_us: int
    ) -> int: ...


class NativeLibrary(Protocol):
    """The C library, loaded and checked."""

    def connect(self, config: bytes, op: int) -> tuple[int, NativeStore | None]:
        """A status; and where that is OK, a store that is being connected."""
        ...

    def last_error(self) -> str: ...


class StreamOptions:
    """pgqrs_consume_options: zeros mean the store's defaults."""

    __slots__ = ("batch_size", "keep_delivered", "until_empty", "vt_us", "worker_id")

    def __init__(
        self,
        *,
        batch_size: int = 0,
        keep_delivered: bool = False,
        vt_us: int = 0,
        until_empty: bool = False,
        worker_id: int = 0,
    ) -> None:
        self.batch_size: int = batch_size
        self.keep_delivered: bool = keep_delivered
        self.vt_us: int = vt_us
        self.until_empty: bool = until_empty
        self.worker_id: int = worker_id


class Deliveries:
    """Which messages to settle: ids, and the leases of these very deliveries, or
    None for the newest delivery of each id to the worker."""

    __slots__ = ("ids", "leases")

    def __init__(self, leases: array[int] | None, ids: array[int]) -> None:
        self.leases: array[int] | None = leases
        self.ids: array[int] = ids
