"""Cancel at any await loses nothing: a message is stored whole or not at all,
and what was leased and not delivered comes back."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from fix_store import Database, until

import pgqrs


async def cancelled_after(turns: int, coroutine) -> object:
    """Runs it for some turns of the loop, then cancels it; its result if it was
    faster, else None."""
    task = asyncio.ensure_future(coroutine)
    for _ in range(turns):
        await asyncio.sleep(0)
    if random.random() < 0.5:  # sometimes completions are there, and were not seen yet
        await asyncio.sleep(0.001)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await task


async def test_a_cancelled_produce_is_stored_whole_or_not_at_all(dsn, database: Database):
    async with pgqrs.connect(dsn) as store:
        returned = set()
        for n in range(60):
            answer = await cancelled_after(n % 6, pgqrs.produce_batch(store, "tasks", [n] * 5))
            if answer is not None:
                returned.add(n)
    query = "select payload::text::int, count(*) from pgqrs_messages group by 1"
    stored = dict(database.rows(query))
    assert returned <= set(stored)
    assert set(stored.values()) <= {5}


async def test_what_a_cancelled_dequeue_leased_comes_back(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(300))
        consumer = await store.consumer("tasks")
        got: list[int] = []
        for n in range(60):
            answer = await cancelled_after(n % 6, consumer.dequeue_many_with_delay(5, 3600))
            got.extend(message.id for message in answer or ())

        async def all_seen() -> bool:
            got.extend(message.id for message in await consumer.dequeue_many_with_delay(100, 3600))
            return len(got) >= 300

        await until(all_seen, f"300 messages; {len(got)} came")
        assert sorted(got) == ids


async def test_a_cancelled_acknowledgement_is_done_whole_or_not_at_all(dsn, database: Database):
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(60))
        consumer = await store.consumer("tasks")
        messages = await consumer.dequeue_many_with_delay(60, 3600)
        done = set()
        for n, message in enumerate(messages):
            if await cancelled_after(n % 4, message.archive()):
                done.add(message.id)
    archived = {row[0] for row in database.rows("select id from pgqrs_archive")}
    live = {row[0] for row in database.rows("select id from pgqrs_messages")}
    assert done <= archived
    assert archived | live == {message.id for message in messages}
    assert not archived & live


async def test_an_iterator_that_is_cancelled_at_any_await_loses_nothing(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(100))
        seen: list[int] = []

        async def some() -> None:
            async for message in pgqrs.consume_iter(store, "tasks", vt=3600, batch_size=7):
                seen.append(message.id)
                if await message.archive():
                    archived.add(message.id)

        archived: set[int] = set()
        for n in range(40):
            await cancelled_after(n % 8, some())
        left: set[int] = set()
        consumer = await store.consumer("tasks")

        async def the_rest() -> bool:
            left.update(message.id for message in await consumer.dequeue_many_with_delay(100, 3600))
            return archived | left | set(seen) == set(ids)

        await until(the_rest)
        assert not archived & left


async def test_a_consume_that_is_cancelled_at_any_await_loses_nothing(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(200))
        returned: list[int] = []

        async def handler(msg):
            await asyncio.sleep(0)
            returned.append(msg.id)
            return True

        for n in range(20):
            await cancelled_after(n, pgqrs.consume(store, "tasks", handler, vt=3600, batch_size=10))
        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        assert sorted(returned) == ids


async def test_a_connection_that_is_lost_is_an_error_or_is_repaired_and_loses_nothing(
    dsn, database: Database
):
    async with pgqrs.connect(dsn) as store:
        stop, stored, errors = asyncio.Event(), [], []

        async def produces() -> None:
            while not stop.is_set():
                try:
                    stored.append(await pgqrs.produce(store, "tasks", 1))
                except pgqrs.PgqrsConnectionError as error:
                    errors.append(error)

        seen: set[int] = set()

        async def handler(msg):
            seen.add(msg.id)

        tasks = [asyncio.create_task(produces()) for _ in range(5)]
        consuming = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=1))
        for _ in range(5):
            count = len(stored)
            await until(lambda count=count: len(stored) > count + 20)
            database.value(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        stop.set()
        await asyncio.gather(*tasks)
        await until(lambda: set(stored) <= seen)
        live = "select count(*) from pgqrs_messages"
        await until(lambda: database.value(live) == 0)
        consuming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consuming
        archived = {
            row[0]
            for row in database.rows("select id from pgqrs_archive where outcome = 'archived'")
        }
        assert set(stored) <= archived
        assert len(archived) <= len(stored) + len(errors)
        assert all(error.maybe_committed or error.retryable for error in errors), errors
