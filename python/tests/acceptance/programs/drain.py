"""drain.py DSN: consumes "tasks" until it is killed, and prints each id it saw."""

import asyncio
import sys

import pgqrs


async def handler(msg):
    print(msg.id, flush=True)
    await asyncio.sleep(0)


async def main():
    store = await pgqrs.connect(sys.argv[1], max_connections=4)
    await pgqrs.consume(store, "tasks", handler, vt=1, concurrency=4)


asyncio.run(main())
