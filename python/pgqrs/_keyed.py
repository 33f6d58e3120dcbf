"""Storing messages with dedup keys: what produce() and Producer have in common."""

from __future__ import annotations

from collections.abc import Sequence

from . import _dedup, _transaction
from ._dedup import Claims, ProducedId
from ._link import Link


async def produce(
    link: Link,
    tx: object,
    queue: bytes,
    texts: Sequence[bytes],
    claims: Claims,
    delay_us: int,
    worker: int = 0,
    *,
    batch: bool,
) -> list[ProducedId]:
    """Stores payloads whose keys are free, in the transaction tx where that is not None."""
    if tx is not None:
        ids = await _transaction.produce(
            link, tx, queue, texts, delay_us, worker, batch=batch, claims=claims
        )
    elif texts:
        keys, dedup_us = claims
        ids = await link.produce(
            link.native.produce_keyed, queue, texts, keys, batch, delay_us, dedup_us, worker
        )
    else:
        ids = []
    return _dedup.produced(ids)
