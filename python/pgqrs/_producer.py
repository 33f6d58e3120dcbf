"""Producer: puts messages into one queue, under a worker of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, overload

from . import _codec, _dedup, _keyed, _transaction, _types
from ._dedup import Claims, ProducedId
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

    @overload
    async def enqueue(
        self,
        payload: Any,
        *,
        dedup_key: None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int: ...

    @overload
    async def enqueue(
        self,
        payload: Any,
        *,
        dedup_key: str,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> ProducedId: ...

    async def enqueue(
        self,
        payload: Any,
        *,
        dedup_key: str | None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int:
        """Stores one message and returns its id; committed when it returns. With
        dedup_key it is not stored when another message has that key; with tx, it is
        in the caller's transaction: as pgqrs.produce() does."""
        return await self._enqueue(payload, 0, dedup_key, dedup_seconds, tx)

    @overload
    async def enqueue_delayed(
        self,
        payload: Any,
        delay_seconds: float,
        *,
        dedup_key: None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int: ...

    @overload
    async def enqueue_delayed(
        self,
        payload: Any,
        delay_seconds: float,
        *,
        dedup_key: str,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> ProducedId: ...

    async def enqueue_delayed(
        self,
        payload: Any,
        delay_seconds: float,
        *,
        dedup_key: str | None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int:
        """Stores one message that becomes ready that many seconds from now (0 to
        ten years), and returns its id. With dedup_key, as enqueue(). With tx, in the
        caller's transaction; the seconds count from now, not from the commit."""
        return await self._enqueue(payload, delay_seconds, dedup_key, dedup_seconds, tx)

    async def _enqueue(
        self,
        payload: Any,
        delay_seconds: float,
        dedup_key: str | None,
        dedup_seconds: float | None,
        tx: object,
    ) -> int:
        delay_us = _types.delay_us(delay_seconds)
        text = _codec.encode(payload)
        if dedup_key is not None or dedup_seconds is not None:
            claims = _dedup.claim(dedup_key, dedup_seconds)
            return (await self._keyed(tx, [text], claims, delay_us, batch=False))[0]
        link = await self._registered()
        if tx is not None:
            ids = await self._in_transaction(tx, [text], delay_us, batch=False)
            return ids[0]
        number: int = await link.produce(
            link.native.produce, self._name, text, delay_us, self._worker_id
        )
        return number

    @overload
    async def enqueue_batch(
        self,
        payloads: Iterable[Any],
        *,
        dedup_keys: None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> list[int]: ...

    @overload
    async def enqueue_batch(
        self,
        payloads: Iterable[Any],
        *,
        dedup_keys: Iterable[str | None],
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> list[ProducedId]: ...

    async def enqueue_batch(
        self,
        payloads: Iterable[Any],
        *,
        dedup_keys: Iterable[str | None] | None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> list[int] | list[ProducedId]:
        """Stores all of them or none, in one transaction, and returns their ids
        in order. An error names the index of the bad payload. With dedup_keys, one for
        each or None where it has none, those whose key is taken are left out; with tx,
        in the caller's transaction: as pgqrs.produce_batch() does."""
        link = await self._registered()
        if dedup_keys is not None or dedup_seconds is not None:
            texts = await _codec.encode_all(payloads)
            claims = _dedup.claims(dedup_keys, dedup_seconds, len(texts))
            return await self._keyed(tx, texts, claims, 0, batch=True)
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

    async def _keyed(
        self, tx: object, texts: list[bytes], claims: Claims, delay_us: int, *, batch: bool
    ) -> list[ProducedId]:
        link = await self._registered()
        return await _keyed.produce(
            link, tx, self._name, texts, claims, delay_us, self._worker_id, batch=batch
        )

    async def _in_transaction(
        self, tx: object, texts: list[bytes], delay_us: int, *, batch: bool
    ) -> list[int]:
        link = await self._registered()
        return await _transaction.produce(
            link, tx, self._name, texts, delay_us, self._worker_id, batch=batch
        )
