"""pgqueuer, on asyncpg and on uvloop, which its own command line runs on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has a pgqueuer.py

import asyncpg
import uvloop
from pgqueuer import AsyncpgPoolDriver, Job, Queries, QueueManager
from pgqueuer.types import QueueExecutionMode
from pydriver import Answer, Subject, fill, handle_backlog, loop, payload, payloads, serve

ENTRYPOINT = "bench"
BATCH = 1000
"""Jobs of one dequeue: of 10 (its default), 100 and 1000 the fastest here."""


def encode(payload: object) -> bytes:
    return json.dumps(payload).encode()


class PgQueuer(Subject):
    tables = ("pgqueuer", "pgqueuer_log", "pgqueuer_statistics")
    packages = ("pgqueuer", "asyncpg")

    async def open(self, dsn: str) -> None:
        self.dsn = dsn
        self.pool = await asyncpg.create_pool(dsn, min_size=4, max_size=16)
        self.queries = Queries.from_asyncpg_pool(self.pool)
        await self.queries.install()

    async def prepare(self, request: Answer) -> None:
        self.batch = payloads(request.get("batch", 1))
        await fill(request.get("backlog", 0), self._enqueue)

    async def close(self) -> None:
        await self.pool.close()

    async def _enqueue(self, batch) -> int:
        names = [ENTRYPOINT] * len(batch)
        texts = [encode(payload) for payload in batch]
        return len(await self.queries.enqueue(names, texts, [0] * len(batch)))

    async def run_produce(self, request: Answer) -> Answer:
        one = payload()

        async def produce(_worker: int) -> int:
            await self.queries.enqueue(ENTRYPOINT, encode(one))
            return 1

        async def produce_batch(_worker: int) -> int:
            return await self._enqueue(self.batch)

        do = produce if request["batch"] == 1 else produce_batch
        return await loop(request["seconds"], request["tasks"], do)

    async def run_consume(self, request: Answer) -> Answer:
        manager = QueueManager(Queries(AsyncpgPoolDriver(self.pool)))

        async def consume(count) -> None:
            @manager.entrypoint(ENTRYPOINT)
            async def handler(job: Job) -> None:
                count(json.loads(job.payload))

            await manager.run(batch_size=BATCH, mode=QueueExecutionMode.drain)

        return await handle_backlog(request, consume)


if __name__ == "__main__":
    serve(PgQueuer(), uvloop.run)
