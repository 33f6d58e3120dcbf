"""A worker that finishes its message when it is told to stop."""

import asyncio
import os
import signal

import pgqrs


async def main():
    store = await pgqrs.connect("postgresql://localhost/mydb")
    await pgqrs.produce_batch(store, "tasks", [{"task": n} for n in range(5)])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    iterator = store.consume_iter("tasks", poll_interval_ms=50)
    async with iterator:
        async for message in iterator:
            print("began", message.payload["task"])
            if message.payload["task"] == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
            print("finished", await iterator.archive(message.id))
            if stop.is_set():
                break
    print("left", await (await store.get_messages()).count("tasks", state="ready"))
    workers = await (await store.get_workers()).list()
    print("workers", len(workers))


asyncio.run(main())
