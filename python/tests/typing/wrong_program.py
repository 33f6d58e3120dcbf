"""Mistakes that a type checker must find: one on each line that says so."""

from __future__ import annotations

import pgqrs


async def handler(msg: pgqrs.Message) -> str:
    return "yes"


async def main(store: pgqrs.Store) -> None:
    await pgqrs.produce(store, 5, {})  # mistake
    await pgqrs.produce(store, "q", {}, 5)  # mistake
    await pgqrs.produce_batch(store, "q", 5)  # mistake
    await pgqrs.produce(store, "q", {}, dedup_key=b"k")  # mistake
    print((await pgqrs.produce(store, "q", {})).deduplicated)  # mistake
    await pgqrs.consume(store, "q", handler)  # mistake
    pgqrs.consume_iter(store, "q", vt="5")  # mistake
    pgqrs.connect("memory://x", schemas="y")  # mistake
    print(pgqrs.nothing)  # mistake
    consumer = await store.consumer("q", payload_type=int)
    print((await consumer.dequeue())[0].payload.nothing)  # mistake
