"""A producer: some tasks that produce singly and in batches, at a steady rate."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pgqrs
from soak.ledger import ASK, REFUSED, STORED

from .common import Options, connect, end, maybe, options, told, told_to_stop

TASKS = 8
BATCHES = 0.05  # of the calls
LARGEST_BATCH = 60
DELAYED = 0.05
PAUSE_SECONDS = 0.05  # after an error, before the next call


async def produce(o: Options, store: pgqrs.Store, numbers: itertools.count[int]) -> int:
    """One call, written down before and after: how many messages it was to store."""
    count = o.random.randint(2, LARGEST_BATCH) if o.random.random() < BATCHES else 1
    delay = o.random.random() if o.random.random() < DELAYED else 0
    key = f"{o.name}-{next(numbers)}"
    payloads = [{"key": f"{key}.{i}", "pad": "x" * o.random.randint(0, 300)} for i in range(count)]
    o.ledger.write(ASK, key, count)
    try:
        if count == 1:
            ids = [await pgqrs.produce(store, o.queue, payloads[0], delay_seconds=delay)]
        else:
            ids = await pgqrs.produce_batch(store, o.queue, payloads, delay_seconds=delay)
    except pgqrs.PgqrsError as error:
        o.ledger.write(REFUSED, key, maybe(error), told(error))
        await asyncio.sleep(PAUSE_SECONDS)
    else:
        o.ledger.write(STORED, key, ids)
    return count


async def main(o: Options) -> None:
    """Until SIGTERM; what is on its way then is awaited."""
    stop, numbers = told_to_stop(), itertools.count(1)
    store = await connect(o, stop)

    async def work() -> None:
        while not stop.is_set():
            count = await produce(o, store, numbers)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), count * TASKS / o.rate)

    await asyncio.gather(*(work() for _ in range(TASKS)))
    await store.close()
    end(o)


if __name__ == "__main__":
    asyncio.run(main(options("producer")))
