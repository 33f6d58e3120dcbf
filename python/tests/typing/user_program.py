"""A user's program, as mypy --strict and pyright must accept it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pgqrs


@dataclass
class Order:
    number: int


async def typed(msg: pgqrs.Message[Order]) -> None:
    number: int = msg.payload.number
    await msg.consumer.archive(number)


async def handler(msg: pgqrs.Message) -> bool | None:
    number: int = msg.id
    payload: Any = msg.payload
    return bool(payload) and await msg.extend_vt(number)


async def with_consumer(msg: pgqrs.Message, consumer: pgqrs.Consumer) -> None:
    answer: bool = await consumer.archive(msg.id)
    answers: list[bool] = await consumer.archive_batch([msg.id])
    assert answer or answers


async def batches(messages: list[pgqrs.Message]) -> bool | None:
    return len(messages) < 5


def plain(msg: pgqrs.Message) -> bool:
    return msg.read_ct < 5


async def main() -> None:
    version: str = pgqrs.__version__
    async with pgqrs.connect("memory://typing", schema=version) as store:
        number: int = await pgqrs.produce(store, "q", {"a": 1}, delay_seconds=0.5)
        numbers: list[int] = await pgqrs.produce_batch(store, "q", (n for n in range(number)))
        keyed: pgqrs.ProducedId = await pgqrs.produce(store, "q", 1, dedup_key="k")
        many = await pgqrs.produce_batch(store, "q", [1], dedup_keys=["k"], dedup_seconds=1)
        known: bool = keyed.deduplicated or many[0].deduplicated
        perhaps: int = await pgqrs.produce(store, "q", 1, dedup_key="k" if known else None)
        print(perhaps + keyed)
        for function in (handler, with_consumer, plain):
            await pgqrs.consume(store, "q", function, concurrency=len(numbers), vt=1.5)
        async for msg in pgqrs.consume_iter(store, "q", batch_size=5):
            await msg.delete()
        async with pgqrs.consume_iter(store, "q") as messages:
            first: pgqrs.Message = await messages.__anext__()
            await first.release(1)
        await pgqrs.consume(store, "orders", typed, payload_type=Order)
        async for order in pgqrs.consume_iter(store, "orders", payload_type=Order):
            number = order.payload.number
        orders: pgqrs.Consumer[Order] = await store.consumer("orders", payload_type=Order)
        some: list[pgqrs.Message[Order]] = await pgqrs.dequeue(orders)
        number = (await orders.dequeue(number))[0].payload.number + some[0].payload.number
    store = await pgqrs.connect_with(pgqrs.Config("memory://typing", max_connections=2))
    admin: pgqrs.Admin = pgqrs.admin(store)
    producer: pgqrs.Producer = pgqrs.producer(admin, "q", "host", 1)
    one: int = await producer.enqueue_delayed({}, delay_seconds=1)
    consumer = await store.consumer("q")
    two: list[int] = await pgqrs.enqueue_batch(producer, [1, 2])
    leased: list[pgqrs.QueueMessage] = await pgqrs.dequeue(consumer, len(two))
    await pgqrs.dequeue().worker(consumer).batch(5).handle_batch(batches).poll(store)
    await pgqrs.consume_batch(store, "q", 10, batches, until_empty=True)
    archived: bool = await pgqrs.archive_batch(consumer, leased)
    waiting: list[pgqrs.MessageInfo] = await (await store.get_messages()).list("q", "ready")
    async with store.consume_iter("q", poll_interval_ms=50) as iterator:
        archived = archived and await iterator.archive(waiting[0].id)
    found: list[pgqrs.Message] = await consumer.dequeue_many_with_delay(one, 30)
    try:
        await found[0].archive()
    except pgqrs.PgqrsConnectionError as error:
        unsure: bool = error.maybe_committed
        print(unsure, error.sqlstate or "", error.retryable)
