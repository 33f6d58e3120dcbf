"""Messages for later, and for what takes longer than expected."""

import asyncio
import time

import pgqrs


async def main():
    store = await pgqrs.connect("postgresql://localhost/mydb")
    producer = await store.producer("reminders")
    consumer = await store.consumer("reminders")
    began = time.monotonic()
    await pgqrs.enqueue_delayed(producer, {"remind": "soon"}, 1)
    await producer.enqueue_delayed({"remind": "tomorrow"}, delay_seconds=86400)
    print("at once", len(await consumer.dequeue(10)))
    while not (found := await consumer.dequeue(10)):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    print("a second later", [m.payload["remind"] for m in found], time.monotonic() - began >= 1)
    (message,) = found
    print("extended", await consumer.extend_vt(message.id, 30))
    print("archived", await consumer.archive(message.id))
    print("extended", await consumer.extend_vt(message.id, 30))


asyncio.run(main())
