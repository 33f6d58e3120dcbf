"""pgqrs from Python, through its public API, on asyncio's own event loop."""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has a pgqrs.py

from pydriver import Answer, Subject, loop, serve

import pgqrs

QUEUE = "bench"


class Ours(Subject):
    tables = ("pgqrs_log", "pgqrs_spans", "pgqrs_done")
    packages = ("pgqrs",)
    live = "select coalesce(sum(n), 0) from pgqrs_spans"
    stops_when_empty = True

    async def open(self, dsn: str) -> None:
        self.store = await pgqrs.connect(dsn)
        self.producer = await self.store.producer(QUEUE)
        self.consumers: list[pgqrs.Consumer] = []

    async def prepare(self, request: Answer) -> None:
        while len(self.consumers) < request.get("consumers", 0):
            self.consumers.append(await self.store.consumer(QUEUE))
        await super().prepare(request)

    async def close(self) -> None:
        await self.store.close()

    async def produce(self, message: dict[str, object]) -> None:
        await pgqrs.produce(self.store, QUEUE, message)

    async def produce_batch(self, batch: list[dict[str, object]]) -> int:
        return len(await pgqrs.produce_batch(self.store, QUEUE, batch))

    async def consume(self, seen, until_empty: bool) -> None:
        async def handler(message: pgqrs.Message) -> bool:
            seen(message.payload)
            return True

        await pgqrs.consume(self.store, QUEUE, handler, until_empty=until_empty)

    async def run_drain(self, request: Answer) -> Answer:
        async def take(worker: int) -> int:
            return await self._take(worker, request["batch"])

        return await loop(request["seconds"], request["consumers"], take)

    async def run_metrics(self, request: Answer) -> Answer:
        admin = pgqrs.admin(self.store)
        samples = []
        for _ in range(request["samples"]):
            began = perf_counter()
            if request["of"] == "queue":
                found = [await admin.queue_metrics(QUEUE)]
            else:
                found = await admin.all_queues_metrics()
            samples.append((perf_counter() - began) * 1000)
            assert sum(queue.ready for queue in found) == request["backlog"]
        return {"samples_ms": samples}

    async def run_cycle(self, request: Answer) -> Answer:
        async def cycle(worker: int) -> int:
            await self.produce_batch(self.batch)
            return await self._take(worker, request["batch"])

        return await loop(request["seconds"], 1, cycle)

    async def _take(self, worker: int, limit: int) -> int:
        consumer = self.consumers[worker]
        messages = await consumer.dequeue_many_with_delay(limit, 30)
        for message in messages:
            assert message.payload["task"]
        if not messages:
            return 0
        held = await consumer.archive_batch([message.id for message in messages])
        assert all(held), "a lease of 30 seconds was lost"
        return len(held)


if __name__ == "__main__":
    serve(Ours())
