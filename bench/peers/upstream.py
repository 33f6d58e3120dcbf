"""The Rust original, the wheel `pgqrs` from PyPI.

Its limits on rates and sizes are lifted, or batches of more than 50 and payloads of
more than 50 kB would be refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has a pgqrs.py

from pydriver import Answer, Subject, loop, serve

import pgqrs

QUEUE = "bench"


class Upstream(Subject):
    tables = ("pgqrs_messages", "pgqrs_workflow_runs", "pgqrs_workflow_steps")
    packages = ("pgqrs",)
    live = "select count(*) from pgqrs_messages where archived_at is null"

    async def open(self, dsn: str) -> None:
        config = pgqrs.Config(dsn)
        config.max_enqueue_per_second = 1_000_000_000
        config.max_enqueue_burst = 1_000_000_000
        config.max_payload_size_bytes = 1 << 30
        config.max_string_length = 1 << 30
        self.store = await pgqrs.connect_with(config)
        await pgqrs.admin(self.store).install()
        await self.store.queue(QUEUE)
        self.producer = await self.store.producer(QUEUE)
        self.consumers = []

    async def prepare(self, request: Answer) -> None:
        while len(self.consumers) < request.get("consumers", 0):
            self.consumers.append(await self.store.consumer(QUEUE))
        await super().prepare(request)

    async def produce(self, message) -> None:
        await pgqrs.produce(self.store, QUEUE, message)

    async def produce_batch(self, batch) -> int:
        return len(await pgqrs.produce_batch(self.store, QUEUE, batch))

    async def consume(self, seen, until_empty: bool) -> None:
        """Its loop with one handler call for each message."""

        async def handler(message) -> None:
            seen(message.payload)

        await pgqrs.dequeue().from_queue(QUEUE).batch(1).handle(handler).poll(self.store)

    async def run_drain(self, request: Answer) -> Answer:
        async def take(worker: int) -> int:
            consumer = self.consumers[worker]
            messages = await consumer.dequeue_many_with_delay(request["batch"], 30)
            for message in messages:
                assert message.payload["task"]
            if not messages:
                return 0
            await consumer.archive_many([message.id for message in messages])
            return len(messages)

        return await loop(request["seconds"], request["consumers"], take)


if __name__ == "__main__":
    serve(Upstream())
