"""exits.py DSN HOW: ends in that way with calls on their way and a consume() running."""

import asyncio
import atexit
import sys
import threading

import pgqrs

dsn, how = sys.argv[1:]
started = threading.Event()
kept = []


async def handler(msg):
    await asyncio.sleep(3600)


async def work():
    store = await pgqrs.connect(dsn)
    await pgqrs.produce_batch(store, "tasks", range(100))
    kept.append(store)
    kept.append(asyncio.ensure_future(pgqrs.consume(store, "tasks", handler, concurrency=3)))
    iterator = pgqrs.consume_iter(store, "tasks")
    kept.append((iterator, await iterator.__anext__()))
    kept.extend(asyncio.ensure_future(pgqrs.produce(store, "tasks", n)) for n in range(100))
    await asyncio.sleep(0)
    started.set()
    if how == "exit in a coroutine":
        sys.exit(7)
    if how == "exception":
        raise ZeroDivisionError
    if how == "loop left":
        return
    await asyncio.Event().wait()


if how == "daemon thread":
    threading.Thread(target=lambda: asyncio.run(work()), daemon=True).start()
    started.wait()
elif how == "loop left":
    loop = asyncio.new_event_loop()
    loop.run_until_complete(work())  # and neither stopped nor closed
elif how == "exit handler":

    async def late():
        async with pgqrs.connect(dsn) as store:
            await pgqrs.produce(store, "late", 1)

    atexit.register(lambda: asyncio.run(late()))
else:
    asyncio.run(work())
