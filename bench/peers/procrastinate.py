"""procrastinate, with its connector for asyncio (psycopg 3 and its pool)."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has a procrastinate.py

import procrastinate
from pydriver import Subject, serve

QUEUE = "bench"
CONCURRENCY = 30
"""Jobs at once: of 1 (its default), 10, 30 and 100 the last two are the fastest here.
Deleting what is done is as fast as keeping it, or faster."""


class Procrastinate(Subject):
    tables = ("procrastinate_jobs", "procrastinate_events", "procrastinate_periodic_defers")
    packages = ("procrastinate", "psycopg")
    live = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"
    stops_when_empty = True

    async def open(self, dsn: str) -> None:
        logging.getLogger("procrastinate").setLevel(logging.ERROR)
        connector = procrastinate.PsycopgConnector(conninfo=dsn, min_size=4, max_size=16)
        self.app = procrastinate.App(connector=connector)
        self.seen = lambda _message: None

        @self.app.task(name="bench", queue=QUEUE)
        async def handler(**message: object) -> None:
            self.seen(message)

        self.task = handler
        await self.app.open_async()
        found = await connector.execute_query_one_async(
            "select to_regclass('procrastinate_jobs') as it"
        )
        if not found["it"]:
            await self.app.schema_manager.apply_schema_async()

    async def close(self) -> None:
        await self.app.close_async()

    async def produce(self, message) -> None:
        await self.task.defer_async(**message)

    async def produce_batch(self, batch) -> int:
        return len(await self.task.batch_defer_async(*batch))

    async def consume(self, seen, until_empty: bool) -> None:
        self.seen = seen
        await self.app.run_worker_async(
            queues=[QUEUE],
            concurrency=CONCURRENCY,
            wait=not until_empty,
            delete_jobs="always",
            install_signal_handlers=False,
        )


if __name__ == "__main__":
    serve(Procrastinate())
