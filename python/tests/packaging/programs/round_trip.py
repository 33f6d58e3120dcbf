"""round_trip.py DSN: produces, consumes, and prints the version. Needs pgqrs alone."""

from __future__ import annotations

import asyncio
import sys

import pgqrs


async def main(dsn: str) -> None:
    seen: list[int] = []

    def handle(msg: pgqrs.Message) -> None:
        seen.append(msg.payload["n"])

    async with pgqrs.connect(dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", [{"n": n} for n in range(100)])
        ids.append(await pgqrs.produce(store, "tasks", {"n": 100}))
        await pgqrs.consume(store, "tasks", handle, until_empty=True)
    assert sorted(seen) == list(range(101)), seen
    assert len(set(ids)) == 101
    print(pgqrs.__version__)


asyncio.run(main(sys.argv[1]))
