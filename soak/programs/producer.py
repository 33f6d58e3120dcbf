"""A producer: some tasks that produce singly and in batches, at a steady rate.

In the modes push and hurry it has very many tasks and long payloads, so that all the room
that max_pending_bytes allows is full when the server is away: then its tasks wait, or
(hurry) are told that there was none.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pgqrs
from soak.ledger import ASK, REFUSED, STORED

from .common import Options, connected, end, maybe, options, told, told_to_stop

TASKS = 8
BATCHES = 0.05  # of the calls
LARGEST_BATCH = 60
DELAYED = 0.05
PAUSE_SECONDS = 0.05  # after an error, before the next call
PUSHING_TASKS = 1000
PUSHED_BYTES = 20_000  # at most, of one payload
PENDING_BYTES = 4 * 2**20  # of a pushing program
PUSHED_RATE = 8  # times the rate of others, so that the room is full after a moment
HURRY_SECONDS = 0.2


def pushes(o: Options) -> bool:
    """Whether it is to produce more than there is room for."""
    return o.mode in ("push", "hurry")


async def produce(o: Options, store: pgqrs.Store, numbers: itertools.count[int]) -> int:
    """One call, written down before and after: how many messages it was to store."""
    count = o.random.randint(2, LARGEST_BATCH) if o.random.random() < BATCHES else 1
    delay = o.random.random() if o.random.random() < DELAYED else 0
    key = f"{o.name}-{next(numbers)}"
    longest = PUSHED_BYTES if pushes(o) else 300
    payloads = [
        {"key": f"{key}.{i}", "pad": "x" * o.random.randint(0, longest)} for i in range(count)
    ]
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
    tasks, rate = (PUSHING_TASKS, PUSHED_RATE * o.rate) if pushes(o) else (TASKS, o.rate)
    bounds: dict[str, float] = {"max_pending_bytes": PENDING_BYTES} if pushes(o) else {}
    if o.mode == "hurry":
        bounds["produce_timeout_seconds"] = HURRY_SECONDS

    async def work(store: pgqrs.Store) -> None:
        while not stop.is_set():
            count = await produce(o, store, numbers)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), count * tasks / rate)

    async with connected(o, stop, **bounds) as store:
        await asyncio.gather(*(work(store) for _ in range(tasks)))
    end(o)


if __name__ == "__main__":
    asyncio.run(main(options("producer")))
