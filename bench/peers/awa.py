"""awa, a core in Rust with a binding for Python, on its queue-storage engine.

Batches go by `enqueue_many_copy`, which it has for many. Each measurement has a
queue of its own, because awa keeps counters and sequences by queue beside the tables
that are truncated; a full reset takes it five seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has an awa.py

import awa
from pydriver import Answer, Subject, serve

KIND = "bench"
WORKERS = 200
"""Jobs at once: of 50, 200 and 1000, with one, two or four claimers, the fastest here."""

KEEP = "(_ring_state|_ring_slots|_descriptors|schema_version|storage_|runtime_|queue_meta)"
"""Of its tables, what does not belong to jobs."""


class Awa(Subject):
    packages = ("awa-pg",)
    live = "select count(*) from awa.jobs where state in ('available', 'running')"

    async def open(self, dsn: str) -> None:
        self.dsn = dsn
        self.client = awa.AsyncClient(dsn, max_connections=16)
        if "AWA_QUEUE" not in os.environ:  # the driver; its consumers find all made
            await self.client.migrate()
            await self.client.install_queue_storage()
        self.queues = 0
        async with await self.client.transaction() as reading:
            rows = await reading.fetch_all(
                "select format('awa.%I', relname) as name from pg_class "
                "where relnamespace = 'awa'::regnamespace and relkind in ('r', 'p') "
                f"and not relispartition and relname !~ '{KEEP}'"
            )
        self.tables = tuple(row["name"] for row in rows)

    async def prepare(self, request: Answer) -> None:
        self.queues += 1
        os.environ["AWA_QUEUE"] = f"bench{self.queues}"
        await super().prepare(request)

    async def close(self) -> None:
        await self.client.close()

    async def produce(self, message) -> None:
        await self.client.insert(message, kind=KIND, queue=os.environ["AWA_QUEUE"])

    async def produce_batch(self, batch) -> int:
        return await self.client.enqueue_many_copy(batch, kind=KIND, queue=os.environ["AWA_QUEUE"])

    async def consume(self, seen, until_empty: bool) -> None:
        client = awa.AsyncClient(self.dsn, max_connections=16)
        queue = os.environ["AWA_QUEUE"]

        @client.task(dict, kind=KIND, queue=queue)
        async def handler(job) -> None:
            seen(job.args)

        await client.start([(queue, WORKERS)], poll_interval_ms=50)
        try:
            await asyncio.Event().wait()
        finally:
            await client.shutdown()
            await client.close()


if __name__ == "__main__":
    serve(Awa())
