"""A store that is closed while the server keeps all of its operations waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import psycopg
import pytest
from fix_store import Database, until

import pgqrs

TABLES = "pgqrs_queues, pgqrs_log, pgqrs_spans, pgqrs_done, pgqrs_workers"
PROMPTLY = 15


def locked(dsn: str) -> psycopg.Connection[Any]:
    """A transaction that keeps everybody from the tables, until it is closed."""
    holder = psycopg.connect(dsn)
    holder.execute(f"lock table {TABLES} in access exclusive mode")
    return holder


def operations(
    store: pgqrs.Store,
    consumer: pgqrs.Consumer,
    producer: pgqrs.Producer,
    messages: list[pgqrs.Message],
) -> dict[str, Coroutine[Any, Any, Any]]:
    """One of each kind; each needs the server."""
    admin, one, ids = pgqrs.admin(store), messages[0], [m.id for m in messages]

    async def listed(table: Any) -> Any:
        return await (await table).list()

    return {
        "produce": pgqrs.produce(store, "tasks", 1),
        "produce into a new queue": pgqrs.produce(store, "new", 1),
        "produce_batch": pgqrs.produce_batch(store, "tasks", range(10)),
        "enqueue": producer.enqueue(1),
        "dequeue": consumer.dequeue(),
        "archive": one.archive(),
        "extend_vt": messages[1].extend_vt(10),
        "release": messages[2].release(),
        "delete": messages[3].delete(),
        "archive_batch": consumer.archive_batch(ids[4:6]),
        "delete_batch": consumer.delete_batch(ids[6:8]),
        "release_messages": consumer.release_messages(ids[8:]),
        "register a producer": store.producer("tasks"),
        "register a consumer": store.consumer("new"),
        "heartbeat": consumer.heartbeat(),
        "is_healthy": producer.is_healthy(),
        "create_queue": store.queue("another"),
        "purge_queue": admin.purge_queue("tasks"),
        "queue_metrics": admin.queue_metrics("tasks"),
        "system_stats": admin.system_stats(),
        "list queues": listed(store.get_queues()),
        "list workers": listed(store.get_workers()),
    }


@pytest.mark.loops("plain")
async def test_close_ends_every_operation_in_flight_and_none_hangs(dsn, database: Database):
    store = await pgqrs.connect(dsn, max_connections=30)
    await pgqrs.produce_batch(store, "tasks", range(30))
    consumer, producer = await store.consumer("tasks"), await store.producer("tasks")
    messages = await consumer.dequeue(10)
    consuming = [asyncio.ensure_future(pgqrs.consume(store, queue, print)) for queue in ("a", "b")]
    waiting = asyncio.ensure_future(pgqrs.consume_iter(store, "c").__anext__())
    asleep = "select count(distinct queue_id) from pgqrs_waiting"
    await until(lambda: database.value(asleep) == 3, "the loops to find their queues empty")
    holder = await asyncio.to_thread(locked, dsn)
    try:
        tasks = {
            name: asyncio.ensure_future(call)
            for name, call in operations(store, consumer, producer, messages).items()
        }
        blocked = "select count(*) from pg_locks where not granted"
        await until(lambda: database.value(blocked) >= 12, "the calls to wait for our lock")
        begin = asyncio.get_running_loop().time()
        await store.close()
        told = await asyncio.gather(*tasks.values(), return_exceptions=True)
        answers = dict(zip(tasks, told, strict=True))
        for run in consuming:
            assert await run is None
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert asyncio.get_running_loop().time() - begin < PROMPTLY
    finally:
        holder.close()
    wrong = {n: a for n, a in answers.items() if not isinstance(a, pgqrs.PgqrsConnectionError)}
    assert not wrong
    assert {name: a for name, a in answers.items() if "closed" not in str(a)} == {}


async def test_a_store_that_is_dropped_as_its_close_ends_leaves_its_successor_alone(memory_dsn):
    """The next store may get the same descriptor before the dropped one hears of its end."""
    store = await pgqrs.connect(memory_dsn)
    link, native = store._link, store._link.native
    descriptor = native.completion_fd()
    closing = store.close()
    closing.send(None)  # submits it; the loop gets no turn, and learns of its end only now:
    assert native.wait(20_000_000)
    link._drain()
    link.abandon(lambda: None)  # as the garbage collector does, at any line
    gives_up = asyncio.get_running_loop().call_later(20, asyncio.current_task().cancel)
    async with pgqrs.connect(memory_dsn) as successor:
        assert successor._link.native.completion_fd() == descriptor
        await pgqrs.produce(successor, "tasks", 1)
    gives_up.cancel()
    closing.close()
