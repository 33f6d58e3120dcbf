"""pgqrs bench: a small measurement, to see what a database can do."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import click

from .._api import consume, produce_batch
from .._message import Message
from .._queues import Queues
from .._store import Store
from ._command import Command
from ._output import Column, print_list
from ._progress import bar
from ._session import Session, pass_session

BATCH = 1000


@click.command(cls=Command)
@click.option(
    "--messages", type=click.IntRange(1), default=50_000, show_default=True, help="How many."
)
@click.option(
    "--bytes", "size", type=click.IntRange(2), default=80, show_default=True, help="Each so long."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Handlers."
)
@pass_session
async def bench(session: Session, messages: int, size: int, concurrency: int) -> None:
    """Measure producing and consuming, on a temporary queue.

    Producing is in batches of 1000; the handlers do nothing. `make bench` of the sources
    measures thoroughly, beside other queues.
    """
    queue = f"pgqrs bench {secrets.token_hex(4)}"
    async with session.connect(install=True) as store:
        await Queues(store).create(queue)
        try:
            results = [
                await _produce(store, queue, messages, "x" * (size - 2)),
                await _consume(store, queue, messages, concurrency),
            ]
        finally:
            await Queues(store).delete(queue, force=True)
    columns = (
        Column("work", lambda r: r["work"]),
        Column("messages", lambda r: r["messages"]),
        Column("seconds", lambda r: r["seconds"]),
        Column("messages/s", lambda r: r["per_second"]),
    )
    print_list(session, columns, results)


async def _produce(store: Store, queue: str, messages: int, payload: str) -> dict[str, Any]:
    begin = time.monotonic()
    with bar("producing", messages) as producing:
        for number in _pieces(messages):
            await produce_batch(store, queue, [payload] * number)
            producing.advance(number)
    return _result("produce", messages, begin)


async def _consume(store: Store, queue: str, messages: int, concurrency: int) -> dict[str, Any]:
    begin = time.monotonic()
    with bar("consuming", messages) as consuming:

        async def handle(message: Message) -> None:
            consuming.advance(1)

        await consume(store, queue, handle, concurrency=concurrency, until_empty=True)
    return _result("consume", messages, begin)


def _pieces(messages: int) -> Iterator[int]:
    for first in range(0, messages, BATCH):
        yield min(BATCH, messages - first)


def _result(work: str, messages: int, begin: float) -> dict[str, Any]:
    seconds = time.monotonic() - begin
    return {
        "work": work,
        "messages": messages,
        "seconds": round(seconds, 3),
        "per_second": round(messages / seconds),
    }
