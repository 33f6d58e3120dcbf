"""The Rust original, the wheel `pgqrs` from PyPI.

Its limits on rates are lifted, or batches of more than 50 would be refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has a pgqrs.py

from pydriver import Answer, Subject, fill, handle_backlog, loop, payload, payloads, serve

import pgqrs

QUEUE = "bench"


class Upstream(Subject):
    tables = ("pgqrs_messages", "pgqrs_workflow_runs", "pgqrs_workflow_steps")
    packages = ("pgqrs",)

    async def open(self, dsn: str) -> None:
        config = pgqrs.Config(dsn)
        config.max_enqueue_per_second = 1_000_000_000
        config.max_enqueue_burst = 1_000_000_000
        self.store = await pgqrs.connect_with(config)
        await pgqrs.admin(self.store).install()
        await self.store.queue(QUEUE)
        self.producer = await self.store.producer(QUEUE)
        self.consumers = []

    async def prepare(self, request: Answer) -> None:
        self.batch = payloads(request.get("batch", 1))
        while len(self.consumers) < request.get("consumers", 0):
            self.consumers.append(await self.store.consumer(QUEUE))
        await fill(request.get("backlog", 0), self._produce_batch)

    async def _produce_batch(self, batch) -> int:
        return len(await pgqrs.produce_batch(self.store, QUEUE, batch))

    async def run_produce(self, request: Answer) -> Answer:
        one = payload()

        async def produce(_worker: int) -> int:
            await pgqrs.produce(self.store, QUEUE, one)
            return 1

        async def produce_batch(_worker: int) -> int:
            return await self._produce_batch(self.batch)

        do = produce if request["batch"] == 1 else produce_batch
        return await loop(request["seconds"], request["tasks"], do)

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

    async def run_consume(self, request: Answer) -> Answer:
        """Its loop with one handler call for each message."""

        async def consume(count) -> None:
            async def handler(message) -> None:
                count(message.payload)

            poll = pgqrs.dequeue().from_queue(QUEUE).batch(1).handle(handler)
            await poll.poll(self.store)

        return await handle_backlog(request, consume)


if __name__ == "__main__":
    serve(Upstream())
