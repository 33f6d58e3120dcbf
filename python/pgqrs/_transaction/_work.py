"""What tx= does, the same for every driver: the core checks, and does what must be
committed beforehand; then one statement, or a few, go into the transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from .._dedup import Claims
from .._errors import PgqrsError, QueueNotFoundError, ValidationError
from .._link import Link
from .._native import Deliveries
from .._threads import caller, in_thread
from . import _call
from ._call import Call
from ._kinds import adopt
from ._protocol import Transaction

PIECE_COUNT = 20_000
PIECE_BYTES = 16 << 20
"""What one statement stores at most, as in the core."""


async def produce(
    link: Link,
    tx: object,
    queue: bytes,
    texts: Sequence[bytes],
    delay_us: int,
    worker: int = 0,
    *,
    batch: bool,
    claims: Claims | None = None,
) -> list[int]:
    """Stores payloads in the transaction, and returns their ids in order. With claims an
    id is negative where another message has the key: it is that one's."""
    transaction = await _adopt(tx)
    await transaction.check()
    admitted = await link.call(link.native.admit, queue, texts, batch, delay_us, worker)
    ids: list[int] = []
    for piece in _pieces(texts):
        call = Call(
            "produce" if claims is None else "produce_keyed",
            admitted["schema"],
            admitted["identity"],
            queue.decode(),
            (b"[" + b",".join(texts[piece]) + b"]").decode(),
            *(() if claims is None else _keys(claims, piece)),
            str(delay_us),
            str(worker),
            str(admitted["make_queue"]).lower(),
        )
        ids += _call.numbers(await _run(transaction, call))
    return ids


async def settle(
    link: Link, tx: object, verb: str, queue_id: int, worker: int, deliveries: Deliveries
) -> list[bool]:
    """Archives or deletes deliveries in the transaction: one answer for each."""
    transaction = await _adopt(tx)
    await transaction.check()
    detached = await link.call(link.native.detach, queue_id, worker, deliveries)
    pairs = [
        (lease, number)
        for lease, number in zip(detached["leases"], deliveries.ids, strict=True)
        if lease
    ]
    if not pairs:
        return [False] * len(deliveries.ids)
    call = Call(
        verb,
        detached["schema"],
        detached["identity"],
        str(detached["queue_id"]),
        _call.array([lease for lease, _ in pairs]),
        _call.array([number for _, number in pairs]),
    )
    settled = set(_call.numbers(await _run(transaction, call)))
    return [number in settled for number in deliveries.ids]


def _keys(claims: Claims, piece: slice) -> tuple[str, str]:
    keys = [key.decode() or None for key in claims.keys[piece]]
    return json.dumps(keys, ensure_ascii=False), str(claims.dedup_us)


async def _adopt(tx: object) -> Transaction:
    """adopt(), where pgqrs.sync was called from: in that thread, as a scoped session is
    another one in each; and only what blocks, as that thread runs no event loop."""
    if caller.get() is None:
        return adopt(tx)
    transaction = await in_thread(adopt, tx)
    if not transaction.blocks:
        raise ValidationError(
            f"tx is a {type(tx).__module__}.{type(tx).__name__}, which needs asyncio: pgqrs.sync "
            "takes a psycopg Connection, a SQLAlchemy Session or Connection, or a Django connection"
        )
    return transaction


def _pieces(texts: Sequence[bytes]) -> Iterator[slice]:
    begin, size = 0, 0
    for end, text in enumerate(texts):
        if end > begin and (end - begin == PIECE_COUNT or size + len(text) > PIECE_BYTES):
            yield slice(begin, end)
            begin, size = end, 0
        size += len(text)
    if begin < len(texts):
        yield slice(begin, len(texts))


async def _run(transaction: Transaction, call: Call) -> str:
    try:
        return await transaction.run(call)
    except Exception as error:
        if (ours := _ours(error)) is not None:
            raise ours from error
        raise


def _ours(error: BaseException) -> PgqrsError | None:
    """What the error of a driver means, where that is a matter of pgqrs. Others
    stay as they are: programs know the errors of their own connections."""
    state, text = _sqlstate(error)
    if state == "PQ001":
        return QueueNotFoundError(text, sqlstate=state)
    if state == "PQ004":
        return ValidationError(f"tx: {text}", sqlstate=state)
    if state in ("PQ005", "3F000", "42883", "42P01"):
        return ValidationError(
            f"tx must lead to the database and the schema of the store: {text}", sqlstate=state
        )
    return None


def _sqlstate(error: BaseException) -> tuple[str | None, str]:
    """PostgreSQL's code and message. SQLAlchemy and Django put errors of their own
    around those of the driver."""
    inner: Any = error
    while inner is not None:
        state = getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)
        if state:
            return state, str(inner).partition("\n")[0]
        inner = getattr(inner, "orig", None) or inner.__cause__
    return None, str(error)
