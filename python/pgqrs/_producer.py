"""Producer: puts messages into one queue, under a worker of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import _codec, _transaction, _types
from ._native import status
from ._worker import Worker

if TYPE_CHECKING:
    from ._admin import Admin
    from ._store import Store


class Producer(Worker):
    """Puts messages into one queue; they bear its worker's id. Made by
    pgqrs.producer() or Store.producer()."""

    _role = status.PRODUCER

    @classmethod
    def new_producer(
        cls, source: Admin | Store, queue: str, hostname: str | None = None, port: int = 0
    ) -> Producer:
        """Another name of pgqrs.producer()."""
        return cls(source, queue, hostname, port)

    async def enqueue(self, payload: Any, *, tx: object = None) -> int:
        """Stores one message and returns its id; committed when it returns. With
        tx, in the caller's transaction, as pgqrs.produce() does."""
        return await self.enqueue_delayed(payload, 0, tx=tx)

    async def enqueue_delayed(
        self, payload: Any, delay_seconds: float, *, tx: object = None
    ) -> int:
        """Stores one message that becomes ready that many seconds from now (0 to
        ten years), and returns its id. With tx, in the caller's transaction; the
        seconds count from now, not from the commit."""
        delay_us = _types.delay_us(delay_seconds)
        text = _codec.encode(payload)
        link = await self._registered()
        if tx is not None:
            ids = await self._in_transaction(tx, [text], delay_us, batch=False)
            return ids[0]
        number: int = await link.produce(
            link.native.produce, self._name, text, delay_us, self._worker_id
        )
        return number

    async def enqueue_batch(self, payloads: Iterable[Any], *, tx: object = None) -> list[int]:
        """Stores all of them or none, in one transaction, and returns their ids
        in order. An error names the index of the bad payload. With tx, in the
        caller's transaction."""
        link = await self._registered()
        if tx is not None:
            texts = await _codec.encode_all(payloads)
            return await self._in_transaction(tx, texts, 0, batch=True)
        array = await _codec.encode_array(payloads)
        if array == b"[]":
            return []
        ids: list[int] = await link.produce(
            link.native.produce_array, self._name, array, 0, self._worker_id
        )
        return ids

    async def _in_transaction(
        self, tx: object, texts: list[bytes], delay_us: int, *, batch: bool
    ) -> list[int]:
        link = await self._registered()
        return await _transaction.produce(
            link, tx, self._name, texts, delay_us, self._worker_id, batch=batch
        )
