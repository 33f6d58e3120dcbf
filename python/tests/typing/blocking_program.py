"""A user's program without asyncio, as mypy --strict and pyright must accept it."""

from __future__ import annotations

from dataclasses import dataclass

import pgqrs.sync
from pgqrs.sync import Consumer, Message, RetryPolicy


@dataclass
class Order:
    number: int


def handler(msg: Message, consumer: Consumer) -> bool | None:
    return consumer.archive(msg.id) and msg.extend_vt(5)


def retry(msg: Message, error: BaseException | None) -> float | None:
    return 2.0**msg.read_ct if error else None


def main() -> None:
    with pgqrs.sync.connect("memory://typing", max_read_ct=3) as store:
        number: int = pgqrs.sync.produce(store, "q", {"a": 1}, delay_seconds=0.5)
        numbers: list[int] = pgqrs.sync.produce_batch(store, "q", range(number))
        pgqrs.sync.consume(store, "q", handler, retry=retry, concurrency=len(numbers))
        pgqrs.sync.consume(store, "q", lambda msg: None, retry=RetryPolicy(kind="fixed"))
        for msg in pgqrs.sync.consume_iter(store, "q"):
            held: bool = msg.archive()
            assert held
        with store.consume_iter("q") as messages:
            first: Message = next(messages)
        for order in pgqrs.sync.consume_iter(store, "orders", payload_type=Order):
            number = order.payload.number
        orders: list[Message[Order]] = store.consumer("orders", payload_type=Order).dequeue()
        number += orders[0].payload.number
        admin: pgqrs.sync.Admin = pgqrs.sync.admin(store)
        depth: int = admin.queue_metrics("q").depth
        leased: list[Message] = store.consumer("q").dequeue(depth)
        taken: list[Message] = pgqrs.sync.dequeue(first.consumer, 5)
        pgqrs.sync.dequeue().from_queue("q").handle(handler).poll(store)
        names: list[str] = [queue.queue_name for queue in store.get_queues().iterate()]
        print(leased, taken, names, [one.id for one in store.get_archive().list("q")])
