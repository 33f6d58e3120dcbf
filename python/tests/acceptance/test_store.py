"""connect() and Store: how it begins, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings

import psycopg
import pytest
from fix_leaks import PATIENCE_SECONDS, connections
from fix_store import Database, drain, eventually, until

import pgqrs


async def test_connect_can_be_awaited_and_used_with_async_with(any_dsn):
    store = await pgqrs.connect(any_dsn)
    assert isinstance(store, pgqrs.Store)
    await store.close()
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
    async with await pgqrs.connect(any_dsn) as store:
        assert "open" in repr(store)
    assert "closed" in repr(store)


async def test_connect_may_be_a_task_and_a_part_of_gather(memory_dsn):
    stores = await asyncio.gather(pgqrs.connect(memory_dsn), pgqrs.connect(memory_dsn))
    stores.append(await asyncio.create_task(pgqrs.connect(memory_dsn)))
    stores.append(await asyncio.wait_for(pgqrs.connect(memory_dsn), 10))
    for store in stores:
        await store.close()


async def test_many_may_connect_at_once_to_a_fresh_database(dsn):
    stores = await asyncio.gather(*(pgqrs.connect(dsn, max_connections=2) for _ in range(8)))
    ids = await asyncio.gather(*(pgqrs.produce(store, "tasks", 1) for store in stores))
    assert len(set(ids)) == 8
    await asyncio.gather(*(store.close() for store in stores))


@pytest.mark.loops("plain")
async def test_without_auto_install_a_missing_schema_is_a_config_error(dsn):
    with pytest.raises(pgqrs.ConfigError):
        await pgqrs.connect(dsn, auto_install=False)
    async with pgqrs.connect(dsn):
        pass
    async with pgqrs.connect(dsn, auto_install=False) as store:
        await pgqrs.produce(store, "tasks", 1)


@pytest.mark.loops("plain")
async def test_schemas_are_apart_and_made_when_missing(dsn):
    async with pgqrs.connect(dsn, schema="one") as one, pgqrs.connect(dsn, schema="two") as two:
        await pgqrs.produce(one, "tasks", 1)
        assert await drain(two, "tasks") == []
        assert len(await drain(one, "tasks")) == 1


@pytest.mark.parametrize("target", ["127.0.0.1:1", "192.0.2.1", "nowhere.invalid"])
@pytest.mark.loops("plain")
async def test_an_unreachable_server_is_an_error_within_connection_timeout_seconds(target):
    begin = time.monotonic()
    with pytest.raises(pgqrs.PgqrsConnectionError) as caught:
        await pgqrs.connect(f"postgresql://user:secret@{target}/db", connection_timeout_seconds=1)
    assert time.monotonic() - begin < 3
    assert "secret" not in repr(caught.value)
    assert not caught.value.maybe_committed


@pytest.mark.loops("plain")
async def test_no_password_is_in_an_error(admin_dsn, caplog):
    host = admin_dsn.split("@")[1].split("/")[0]
    for dsn in (
        f"postgresql://nobody:secret@{host}/postgres",
        f"postgresql://postgres:secret@{host}/no_such_database",
        "postgresql://user:secret@host:notaport/db",
        "postgresql://user:secret@[bad/db",
        "host=127.0.0.1 port=1 password=secret user=x",
    ):
        with pytest.raises(pgqrs.PgqrsError) as caught:
            await pgqrs.connect(dsn, connection_timeout_seconds=1)
        error: BaseException | None = caught.value
        while error is not None:
            assert "secret" not in f"{error!r}{error}"
            error = error.__cause__ or error.__context__
    assert "secret" not in caplog.text


async def test_cancelling_connect_leaves_nothing(dsn):
    for turns in range(12):
        task = asyncio.create_task(_connect(dsn))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


async def _connect(dsn: str) -> None:
    async with pgqrs.connect(dsn):
        pass


async def test_close_may_be_called_again_and_by_many(any_dsn):
    store = await pgqrs.connect(any_dsn)
    await asyncio.gather(store.close(), store.close())
    await store.close()


async def test_a_closed_store_refuses_everything(any_dsn):
    store = await pgqrs.connect(any_dsn)
    consumer = await store.consumer("tasks")
    await pgqrs.produce(store, "tasks", 1)
    (message,) = await consumer.dequeue()
    await store.close()
    for call in (
        lambda: pgqrs.produce(store, "tasks", 1),
        lambda: pgqrs.produce_batch(store, "tasks", [1]),
        lambda: pgqrs.consume(store, "tasks", print),
        lambda: pgqrs.consume_iter(store, "tasks").__anext__(),
        lambda: consumer.dequeue(),
        lambda: message.archive(),
    ):
        with pytest.raises(pgqrs.PgqrsConnectionError, match="closed"):
            await call()


@pytest.mark.loops("plain")
async def test_close_ends_operations_in_flight_with_an_error(dsn, database: Database):
    store = await pgqrs.connect(dsn)
    await pgqrs.produce(store, "tasks", 1)
    holder = _lock_log(dsn)
    try:
        task = asyncio.create_task(pgqrs.produce(store, "tasks", 2))
        waits = "select count(*) from pg_locks where not granted"
        await until(lambda: database.value(waits) > 0, "the produce to wait for our lock")
        await store.close()
        with pytest.raises(pgqrs.PgqrsConnectionError, match="closed"):
            await task
    finally:
        holder.close()


def _lock_log(dsn: str) -> psycopg.Connection:
    holder = psycopg.connect(dsn)
    holder.execute("lock table pgqrs_log in access exclusive mode")
    return holder


def test_a_store_belongs_to_the_loop_that_made_it(memory_dsn):
    async def connect() -> tuple[pgqrs.Store, pgqrs.Consumer, pgqrs.Message]:
        store = await pgqrs.connect(memory_dsn)
        await pgqrs.produce(store, "tasks", 1)
        consumer = await store.consumer("tasks")
        return store, consumer, (await consumer.dequeue())[0]

    store, consumer, message = asyncio.run(connect())
    iterator = pgqrs.consume_iter(store, "tasks")
    for call in (
        lambda: pgqrs.produce(store, "tasks", 1),
        lambda: pgqrs.produce_batch(store, "tasks", []),
        lambda: pgqrs.consume(store, "tasks", print),
        lambda: iterator.__anext__(),
        lambda: consumer.dequeue(),
        lambda: message.archive(),
        lambda: store.close(),
    ):

        async def elsewhere(call=call) -> None:
            await call()

        with pytest.raises(pgqrs.LoopError, match="another event loop"):
            asyncio.run(elsewhere())


async def test_use_from_another_thread_raises_and_says_so(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        coroutine = pgqrs.produce(store, "tasks", 1)
        caught: list[BaseException] = []

        def step() -> None:
            try:
                coroutine.send(None)
            except pgqrs.LoopError as error:
                caught.append(error)

        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
        assert "thread without an event loop" in str(caught[0])


def test_a_store_that_is_dropped_with_nothing_in_flight_closes_silently(dsn, memory_dsn):
    async def main(where: str) -> None:
        store = await pgqrs.connect(where)
        await pgqrs.produce_batch(store, "tasks", range(10))
        async for _ in pgqrs.consume_iter(store, "tasks"):
            break

    for where in (memory_dsn, dsn):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            asyncio.run(main(where))
            if where == dsn:
                eventually(lambda: not connections(dsn), "no connections", PATIENCE_SECONDS)


def test_what_was_being_given_back_when_the_store_was_dropped_is_given_back(
    dsn, database: Database
):
    async def main() -> None:
        store = await pgqrs.connect(dsn)
        await pgqrs.produce_batch(store, "tasks", range(10))
        async for _ in pgqrs.consume_iter(store, "tasks", vt=3600):
            break

    asyncio.run(main())
    assert database.value("select count(*) from pgqrs_messages where vt <= now()") == 9


def test_a_store_that_outlives_its_loop_closes_silently_when_it_is_dropped(any_dsn):
    async def main() -> pgqrs.Store:
        store = await pgqrs.connect(any_dsn)
        await pgqrs.produce(store, "tasks", 1)
        return store

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = asyncio.run(main())
        del store
        gc.collect()


WORK_IN_FLIGHT = """
import asyncio, os, pgqrs

async def main():
    global store, task
    store = await pgqrs.connect(os.environ["DSN"])
    task = asyncio.ensure_future(pgqrs.produce(store, "tasks", 2))
    task._log_destroy_pending = False
    await asyncio.sleep(0)

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
"""


def test_a_store_that_is_dropped_with_work_in_flight_warns_at_the_end(dsn):
    async def install() -> None:
        async with pgqrs.connect(dsn) as store:
            await pgqrs.produce(store, "tasks", 1)

    asyncio.run(install())
    holder = _lock_log(dsn)
    command = [sys.executable, "-W", "always", "-c", WORK_IN_FLIGHT]
    ended = subprocess.run(
        command, env=os.environ | {"DSN": dsn}, capture_output=True, text=True, timeout=30
    )
    holder.close()
    assert ended.returncode == 0
    assert "ResourceWarning: a pgqrs.Store was dropped with 1 operations in flight" in ended.stderr


async def test_a_store_dropped_in_a_running_loop_is_closed(any_dsn):
    store = await pgqrs.connect(any_dsn)
    await pgqrs.produce(store, "tasks", 1)
    del store
    gc.collect()
