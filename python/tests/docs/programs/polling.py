"""A worker that polls until it is interrupted, as programs for version 0.15 have it."""

import asyncio
from datetime import datetime, timedelta, timezone

import pgqrs
from pgqrs import WorkerStatus


async def main():
    store = await pgqrs.connect("postgresql://localhost/mydb")
    await store.bootstrap()
    queue = await store.queue("jobs")
    print("queue", queue.queue_name)
    producer, consumer = await store.producer("jobs"), await store.consumer("jobs")
    print("status", await consumer.status() == WorkerStatus.Ready)
    await producer.enqueue_batch([{"job": n} for n in range(6)])
    seen = asyncio.Queue()

    async def handle_batch(messages):
        for message in messages:
            seen.put_nowait(message.payload["job"])

    builder = pgqrs.dequeue().worker(consumer).batch(3).poll_interval(100)
    polling = asyncio.create_task(builder.handle_batch(handle_batch).poll(store))
    print("seen", [await seen.get() for _ in range(6)])
    print("status", await consumer.status() == WorkerStatus.Polling)
    await consumer.interrupt()
    try:
        await polling
    except pgqrs.PgqrsError as error:
        print("ended", type(error).__name__)

    other = await store.consumer("jobs")
    await producer.enqueue({"job": "late"})
    (message,) = await other.dequeue_many_with_delay(limit=10, vt=60)
    at = datetime.now(timezone.utc) + timedelta(hours=1)
    print("released", await other.release_with_visibility(message.id, at.isoformat()))
    print("archived", await other.archive_many([message.id]))
    health = await (await store.get_workers()).health_stats()
    print("workers", health.total)


asyncio.run(main())
