"""A thousand messages, worked off in batches; the bad ones are tried again."""

import asyncio

import pgqrs

handled = 0
failed_once = set()


async def process(payload):
    global handled
    if payload["n"] % 100 == 0 and payload["n"] not in failed_once:
        failed_once.add(payload["n"])
        raise ValueError("not this time")
    handled += 1


async def work_off(store):
    consumer = await store.consumer("records")
    while handled < 1000:
        batch = await consumer.dequeue(100)
        if not batch:
            await asyncio.sleep(0.05)
            continue
        good, bad = [], []
        for message in batch:
            try:
                await process(message.payload)
                good.append(message)
            except ValueError:
                bad.append(message)
        await pgqrs.archive_batch(consumer, good)
        await consumer.release_messages([message.id for message in bad])


async def handle(messages):
    for message in messages:
        await process(message.payload)
        await message.archive()


async def main():
    store = await pgqrs.connect("postgresql://localhost/mydb")
    producer = await store.producer("records")
    ids = await producer.enqueue_batch([{"n": n} for n in range(1000)])
    print("enqueued", len(ids))
    await asyncio.gather(*(work_off(store) for _ in range(3)))
    print("handled", handled, "failed", len(failed_once))
    await pgqrs.produce_batch(store, "records", [{"n": 1000 + n} for n in range(1, 51)])
    await pgqrs.consume_batch(store, "records", 25, handle, until_empty=True)
    print("handled", handled)
    print("left", await (await store.get_messages()).count("records"))


asyncio.run(main())
