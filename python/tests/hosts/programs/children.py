"""children.py DSN HOW: a process that is connected starts children by multiprocessing,
and goes on. They connect themselves; forked ones are told that they cannot."""

import asyncio
import multiprocessing
import sys

import pgqrs

CHILDREN = 3


async def produce(dsn, payload):
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce(store, "tasks", payload)


def child(dsn, number, forked):
    try:
        asyncio.run(produce(dsn, number))
    except pgqrs.PgqrsError as error:
        told = "forked" in str(error) and "spawn" in str(error)
        sys.exit(0 if forked and told else 3)
    sys.exit(4 if forked else 0)


async def main(dsn, how):
    context = multiprocessing.get_context(how)
    async with pgqrs.connect(dsn) as store:
        consuming = asyncio.create_task(pgqrs.consume(store, "others", print))
        await pgqrs.produce(store, "tasks", "before")
        children = [
            context.Process(target=child, args=(dsn, n, how == "fork")) for n in range(CHILDREN)
        ]
        for process in children:
            process.start()
        for process in children:
            await asyncio.to_thread(process.join)
        assert [process.exitcode for process in children] == [0] * CHILDREN
        await pgqrs.produce(store, "tasks", "after")
        consuming.cancel()
    print("parent went on")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
