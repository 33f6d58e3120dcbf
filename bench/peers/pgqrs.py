"""pgqrs from Python, through its public API, on asyncio's own event loop."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from time import perf_counter_ns

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder: it has a pgqrs.py

from pydriver import Answer, Subject, fill, handle_backlog, loop, payload, payloads, serve

import pgqrs

QUEUE = "bench"


class Ours(Subject):
    tables = ("pgqrs_log", "pgqrs_spans", "pgqrs_done")
    packages = ("pgqrs",)

    async def open(self, dsn: str) -> None:
        self.dsn = dsn
        self.store = await pgqrs.connect(dsn)
        self.producer = await self.store.producer(QUEUE)
        self.consumers: list[pgqrs.Consumer] = []

    async def prepare(self, request: Answer) -> None:
        self.batch = payloads(request.get("batch", 1))
        while len(self.consumers) < request.get("consumers", 0):
            self.consumers.append(await self.store.consumer(QUEUE))
        await fill(request.get("backlog", 0), self._produce_batch)

    async def close(self) -> None:
        await self.store.close()

    async def _produce_batch(self, batch: list[dict[str, object]]) -> int:
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
            held = await consumer.archive_batch([message.id for message in messages])
            assert all(held), "a lease of 30 seconds was lost"
            return len(held)

        return await loop(request["seconds"], request["consumers"], take)

    async def run_consume(self, request: Answer) -> Answer:
        async def consume(count) -> None:
            async def handler(message: pgqrs.Message) -> bool:
                count(message.payload)
                return True

            await pgqrs.consume(self.store, QUEUE, handler, until_empty=True)

        return await handle_backlog(request, consume)

    async def run_wake(self, request: Answer) -> Answer:
        """From the call of produce to the call of an idle consumer's handler, in
        another process."""
        consumer = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "sleep", self.dsn, stdout=asyncio.subprocess.PIPE
        )
        samples = []
        try:
            for _ in range(request["samples"] + 1):
                await asyncio.sleep(random.uniform(0.05, 0.15))  # it is idle again
                called = perf_counter_ns()
                await pgqrs.produce(self.store, QUEUE, payload())
                line = await asyncio.wait_for(consumer.stdout.readline(), 20)
                samples.append((json.loads(line) - called) / 1e6)
        finally:
            consumer.terminate()
            await consumer.wait()
        return {"samples_ms": samples[1:]}  # the first is that of its start


async def sleep_until_woken(dsn: str) -> None:
    """The consumer of run_wake: says when its handler is called."""
    store = await pgqrs.connect(dsn)

    async def handler(_message: pgqrs.Message) -> bool:
        os.write(1, b"%d\n" % perf_counter_ns())  # CLOCK_MONOTONIC, the same for all processes
        return True

    await pgqrs.consume(store, QUEUE, handler)


if __name__ == "__main__":
    if sys.argv[1:2] == ["sleep"]:
        asyncio.run(sleep_until_woken(sys.argv[2]))
    else:
        serve(Ours())
