"""Consumer: takes messages from one queue, under a worker of its own, and
settles them by id."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Generic

from . import _transaction, _types
from ._message import Lease, Message
from ._native import Deliveries, NativeBatch, NativeStore, status
from ._payload_type import Payload
from ._stream import DELIVER_BY_NS, DELIVERED, VT_US
from ._worker import Worker

if TYPE_CHECKING:
    from ._admin import Admin
    from ._store import Store


class Consumer(Worker, Generic[Payload]):
    """Takes messages from one queue and settles them by id. Made by
    pgqrs.consumer() or Store.consumer().

    By id means the newest delivery of that id to this consumer; or else to a
    consume() or consume_iter() of this process on the same queue.
    """

    _role = status.CONSUMER

    def __init__(
        self,
        source: Admin | Store,
        queue: str,
        hostname: str | None = None,
        port: int = 0,
        *,
        payload_type: type[Payload] | None = None,
    ) -> None:
        from ._decoder import reader

        super().__init__(source, queue, hostname, port)
        self._read_payload = reader(payload_type)
        self._typed = payload_type is not None

    @classmethod
    def new_consumer(
        cls, source: Admin | Store, queue: str, hostname: str | None = None, port: int = 0
    ) -> Consumer:
        """Another name of pgqrs.consumer()."""
        return cls(source, queue, hostname, port)

    async def dequeue(self, batch_size: int | None = None) -> list[Message[Payload]]:
        """Leases up to batch_size ready messages (None: Config.default_max_batch_size;
        0: none) for the store's default time, in delivery order. Does not wait: an empty
        list means that none was ready."""
        if batch_size == 0 and type(batch_size) is int:  # a program that is full asks so
            return []
        return await self._dequeue(_types.batch_size(batch_size), 0)

    async def dequeue_batch(self, batch_size: int | None = None) -> list[Message[Payload]]:
        """Another name of dequeue()."""
        return await self.dequeue(batch_size)

    async def dequeue_many_with_delay(self, limit: int, vt: float) -> list[Message[Payload]]:
        """Like dequeue(), for vt seconds."""
        return await self._dequeue(
            _types.integer(limit, "limit", 1, _types.MAX_BATCH_SIZE), _types.vt_us(vt)
        )

    async def consume_batch(self, batch_size: int, handler: _types.BatchHandler) -> None:
        """pgqrs.consume_batch(), of what is leased to this consumer: until it is cancelled,
        the store is closed, or this consumer is interrupted or shut down, which is
        StateTransitionError."""
        from ._dequeue import DequeueBuilder

        store = await self._source._connected()
        await DequeueBuilder().worker(self).batch(batch_size).handle_batch(handler).poll(store)

    async def _dequeue(self, limit: int, vt_us: int) -> list[Message[Payload]]:
        link = await self._registered()
        while True:
            batch: NativeBatch | None = await link.call(
                link.native.dequeue, self._worker_id, limit, vt_us
            )
            if batch is None:
                return []
            try:
                # It may have lain in a blocked event loop until its lease was as
                # good as over; then it is given back, and asked for again.
                if monotonic_ns() < batch.control[DELIVER_BY_NS]:
                    return self._open(batch)
            finally:
                batch.free()

    def _open(self, batch: NativeBatch) -> list[Message[Payload]]:
        assert self._link is not None
        batch.control[DELIVERED] = batch.count
        lease = Lease(
            self._link, batch.queue_id, batch.lease, batch.dequeued_at_us, batch.consumer_worker_id
        )
        vt_us, memory = batch.control[VT_US], batch.memory
        return [Message(self, lease, header, memory, vt_us) for header in batch.headers()]

    async def extend_vt(self, message_id: int, seconds: float) -> bool:
        """Makes the lease end that many seconds later, and never earlier. False:
        the message is not ours any more."""
        by_us = _types.extension_us(seconds)
        return bool((await self._by_id(_extend_vt, [message_id], by_us))[0])

    async def archive(self, message_id: int, *, tx: object = None) -> bool:
        """Moves it to the archive. False: it is not ours any more. With tx, in the
        caller's transaction, as Message.archive() does."""
        return (await self.archive_batch([message_id], tx=tx))[0]

    async def delete(self, message_id: int, *, tx: object = None) -> bool:
        """Removes it without a trace. False: it is not ours any more. With tx, in
        the caller's transaction, as Message.archive() does."""
        return (await self.delete_batch([message_id], tx=tx))[0]

    async def archive_batch(self, message_ids: Iterable[int], *, tx: object = None) -> list[bool]:
        """Like archive(), for many: one answer per id, in order."""
        if tx is not None:
            return await self._settle_in(tx, "archive", message_ids)
        answers: list[bool] = await self._by_id(_archive, message_ids)
        return answers

    async def archive_many(self, message_ids: Iterable[int], *, tx: object = None) -> list[bool]:
        """Another name of archive_batch()."""
        return await self.archive_batch(message_ids, tx=tx)

    async def delete_batch(self, message_ids: Iterable[int], *, tx: object = None) -> list[bool]:
        """Like delete(), for many: one answer per id, in order."""
        if tx is not None:
            return await self._settle_in(tx, "delete", message_ids)
        answers: list[bool] = await self._by_id(_delete, message_ids)
        return answers

    async def delete_many(self, message_ids: Iterable[int], *, tx: object = None) -> list[bool]:
        """Another name of delete_batch()."""
        return await self.delete_batch(message_ids, tx=tx)

    async def release_messages(self, message_ids: Iterable[int]) -> int:
        """Gives messages back, ready at once for anyone; how many were still ours."""
        answers: list[bool] = await self._by_id(_release, message_ids, 0)
        return sum(answers)

    async def release_with_visibility(self, message_id: int, visible_at: datetime | str) -> bool:
        """Gives a message back, ready at that moment (a datetime with a time zone, or what
        fromisoformat() reads as one) by the clock of this machine, and at once where that
        has passed. False: it is not ours any more."""
        delay_us = _types.delay_until_us(visible_at, "visible_at")
        return bool((await self._by_id(_release, [message_id], delay_us))[0])

    async def _settle_in(self, tx: object, verb: str, message_ids: Iterable[int]) -> list[bool]:
        ids = _types.message_ids(message_ids)
        link = await self._registered()
        return await _transaction.settle(link, tx, verb, 0, self._worker_id, Deliveries(None, ids))

    async def _by_id(
        self,
        operation: Callable[[NativeStore], Callable[..., int]],
        message_ids: Iterable[int],
        *options: int,
    ) -> Any:
        ids: array[int] = _types.message_ids(message_ids)
        link = await self._registered()
        if not ids:
            return []
        return await link.call(
            operation(link.native), 0, self._worker_id, Deliveries(None, ids), *options
        )


def _archive(native: NativeStore) -> Callable[..., int]:
    return native.archive


def _delete(native: NativeStore) -> Callable[..., int]:
    return native.delete


def _release(native: NativeStore) -> Callable[..., int]:
    return native.release


def _extend_vt(native: NativeStore) -> Callable[..., int]:
    return native.extend_vt
