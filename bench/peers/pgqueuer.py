"""pgqueuer, on asyncpg and on uvloop, which its own command line runs on."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has a pgqueuer.py

import asyncpg
import uvloop
from pgqueuer import AsyncpgPoolDriver, Job, Queries, QueueManager
from pgqueuer.types import QueueExecutionMode
from pydriver import Subject, serve

ENTRYPOINT = "bench"
BATCH = 1000
"""Jobs of one dequeue: of 10 (its default), 100 and 1000 the fastest here."""


def encode(message: object) -> bytes:
    return json.dumps(message).encode()


class PgQueuer(Subject):
    tables = ("pgqueuer", "pgqueuer_log", "pgqueuer_statistics")
    packages = ("pgqueuer", "asyncpg")
    live = "select count(*) from pgqueuer"
    stops_when_empty = True

    async def open(self, dsn: str) -> None:
        self.pool = await asyncpg.create_pool(dsn, min_size=4, max_size=16)
        self.queries = Queries.from_asyncpg_pool(self.pool)
        if not await self.pool.fetchval("select to_regclass('pgqueuer')"):
            await self.queries.install()

    async def close(self) -> None:
        await self.pool.close()

    async def produce(self, message) -> None:
        await self.queries.enqueue(ENTRYPOINT, encode(message))

    async def produce_batch(self, batch) -> int:
        names = [ENTRYPOINT] * len(batch)
        texts = [encode(message) for message in batch]
        return len(await self.queries.enqueue(names, texts, [0] * len(batch)))

    async def consume(self, seen, until_empty: bool) -> None:
        manager = QueueManager(Queries(AsyncpgPoolDriver(self.pool)))

        @manager.entrypoint(ENTRYPOINT)
        async def handler(job: Job) -> None:
            seen(json.loads(job.payload))

        mode = QueueExecutionMode.drain if until_empty else QueueExecutionMode.continuous
        running = asyncio.ensure_future(manager.run(batch_size=BATCH, mode=mode))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            manager.shutdown.set()
            await running
            raise


if __name__ == "__main__":
    serve(PgQueuer(), uvloop.run)
