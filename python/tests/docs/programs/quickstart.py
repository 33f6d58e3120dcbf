"""A producer, a consumer and an administrator, as programs for version 0.5.0 have them."""

import asyncio
from datetime import datetime

import pgqrs
from pgqrs import Config, QueueMessage, Store


async def set_up() -> Store:
    config = Config("postgresql://localhost/mydb", schema="jobs", max_connections=8)
    config.max_connections = 4
    config.default_lock_time_seconds = 30
    store = await pgqrs.connect_with(config)
    admin = pgqrs.admin(store)
    await admin.install()
    await admin.verify()
    try:
        queue = await admin.create_queue("emails")
        print("created", queue.queue_name)
        await admin.create_queue("emails")
    except pgqrs.QueueAlreadyExistsError:
        print("there already")
    return store


async def send(message: QueueMessage) -> None:
    print("to", message.payload["to"], "try", message.read_ct)


async def main() -> None:
    store = await set_up()
    admin = pgqrs.admin(store)
    producer = await store.producer("emails")
    consumer = await store.consumer("emails")

    first = await producer.enqueue({"to": "ann@example.com"})
    more = await pgqrs.enqueue_batch(producer, [{"to": f"{n}@example.com"} for n in range(4)])
    print("enqueued", len([first, *more]), first < min(more))

    messages = await (await admin.get_messages()).count()
    queues = await (await admin.get_queues()).count()
    print(messages, "messages in", queues, "queue")

    for message in await consumer.dequeue(batch_size=2):
        await send(message)
        assert isinstance(message.enqueued_at, datetime)
        print("archived", await consumer.archive(message.id))
    (message,) = await pgqrs.dequeue(consumer, 1)
    print("extended", await pgqrs.extend_vt(consumer, message, 60))
    print("deleted", await pgqrs.delete(consumer, message), await consumer.delete(message.id))
    rest = await pgqrs.dequeue(consumer, 10)
    print("archived the rest", await pgqrs.archive_batch(consumer, rest))
    print("left", await consumer.dequeue(10))

    archive = await admin.get_archive()
    print(await archive.count(), "archived,", await archive.count_by_worker(consumer.worker_id))
    for done in await archive.list_by_worker(consumer.worker_id, 1, 3):
        print("the first was", done.original_msg_id == first, done.read_ct)

    workers = await admin.get_workers()
    for worker in await workers.list():
        print(worker.status, worker.id in (producer.worker_id, consumer.worker_id))
    print("deleted the queue", await admin.delete_queue("emails", force=True))


asyncio.run(main())
