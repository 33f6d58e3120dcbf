"""forked.py DSN WHEN: forks before or after connecting, and uses pgqrs in the child."""

import asyncio
import gc
import os
import sys

import pgqrs

dsn, when = sys.argv[1:]


async def produce(who):
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce(store, "tasks", who)
    print(who, "produced", flush=True)


async def attempt(call):
    try:
        await asyncio.wait_for(call(), 5)
        print("child: no error", flush=True)
    except pgqrs.PgqrsError as error:
        print("child:", error, flush=True)


async def in_child(store, consumer, message):
    await attempt(lambda: pgqrs.produce(store, "tasks", 1))
    await attempt(lambda: pgqrs.produce_batch(store, "tasks", [1]))
    await attempt(lambda: consumer.dequeue())
    await attempt(lambda: message.archive())
    await attempt(lambda: pgqrs.consume(store, "tasks", print))
    await attempt(lambda: pgqrs.connect(dsn))


async def after():
    store = await pgqrs.connect(dsn)
    await pgqrs.produce_batch(store, "tasks", range(10))
    consumer = await store.consumer("tasks")
    messages = await consumer.dequeue(2)
    iterator = pgqrs.consume_iter(store, "tasks")
    await iterator.__anext__()
    child = os.fork()
    if child == 0:
        asyncio.run(in_child(store, consumer, messages[0]))
        del store, consumer, messages, iterator
        gc.collect()
        os._exit(0)
    _, status = os.waitpid(child, 0)  # noqa: ASYNC222
    assert status == 0, status
    assert await messages[0].archive()
    await pgqrs.produce(store, "tasks", "parent")
    print("parent produced", flush=True)
    await store.close()


def before():
    child = os.fork()
    asyncio.run(produce("child" if child == 0 else "parent"))
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0, status


if when == "before":
    before()
else:
    asyncio.run(after())
