"""ordinary.py DSN LOOP: does a little of everything and closes nothing."""

import asyncio
import sys

import pgqrs


async def handler(msg):
    return True


async def main():
    store = await pgqrs.connect(sys.argv[1])
    await pgqrs.produce_batch(store, "tasks", range(10))
    async for msg in pgqrs.consume_iter(store, "tasks"):
        await msg.archive()
        break
    await pgqrs.consume(store, "tasks", handler, until_empty=True)
    background.append(asyncio.create_task(pgqrs.consume(store, "tasks", handler)))
    await asyncio.sleep(0.05)
    print("done")


background = []
if sys.argv[2] == "uvloop":
    import uvloop

    uvloop.run(main())
else:
    asyncio.run(main())
