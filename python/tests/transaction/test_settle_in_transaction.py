"""archive() and delete() with tx=: inside the caller's transaction, without making
anybody wait for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from drivers import DRIVERS, SCHEMA, asyncpg_connection, psycopg_async
from fix_store import Database, until

import pgqrs

QUOTED = '"' + SCHEMA.replace('"', '""') + '"'
PATIENCE = 20

pytestmark = pytest.mark.loops("plain")


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """A queue for this test alone."""
    name: str = request.node.name
    return name


class Look:
    """What became of the messages of one queue."""

    def __init__(self, dsn: str, queue: str) -> None:
        self.database = Database(dsn)
        self.queue = queue

    def _ids(self, view: str) -> set[int]:
        schema = QUOTED.replace("%", "%%")
        query = (
            f"select m.id from {schema}.{view} m join {schema}.pgqrs_queues q on q.id = m.queue_id"
            " where q.queue_name = %s"
        )
        return {number for (number,) in self.database.rows(query, self.queue)}

    @property
    def live(self) -> set[int]:
        return self._ids("pgqrs_messages")

    @property
    def archived(self) -> set[int]:
        return self._ids("pgqrs_archive")

    def vt(self, number: int) -> Any:
        schema = QUOTED.replace("%", "%%")
        return self.database.value(f"select vt from {schema}.pgqrs_messages where id = %s", number)


@pytest.fixture
def look(place: str, queue: str) -> Look:
    return Look(place, queue)


async def soon(coroutine: Any) -> Any:
    """What must not wait for an open transaction."""
    return await asyncio.wait_for(coroutine, PATIENCE)


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.__name__)
async def test_settled_when_the_transaction_commits_and_held_when_it_rolls_back(
    driver, way, place, queue, look
):
    async with pgqrs.connect(way, schema=SCHEMA) as store:
        ids = await pgqrs.produce_batch(store, queue, range(8))
        consumer = await store.consumer(queue)
        messages = await consumer.dequeue_many_with_delay(8, 60)

        async def settle(tx: Any) -> list[bool]:
            return [
                await messages[0].archive(tx=tx),
                await messages[1].delete(tx=tx),
                *await consumer.archive_batch([ids[2], 0, ids[3]], tx=tx),
                *await consumer.delete_many([ids[4]], tx=tx),
                await consumer.archive(ids[5], tx=tx),
                await consumer.delete(ids[6], tx=tx),
            ]

        async with driver(way) as opened:
            assert await settle(opened.tx) == [True, True, True, False, True, True, True, True]
            assert look.live == set(ids)
            await opened.rollback()
        assert look.live == set(ids)
        assert look.archived == set()
        async with driver(way) as opened:
            assert await settle(opened.tx) == [True, True, True, False, True, True, True, True]
            await opened.commit()
        assert look.live == {ids[7]}
        assert look.archived == {ids[0], ids[2], ids[3], ids[5]}
        async with driver(way) as opened:  # a second time
            assert await settle(opened.tx) == [False] * 8
            await opened.rollback()
        assert not await messages[0].archive()
        assert await messages[7].archive()


async def test_who_shares_the_lease_does_not_wait_for_the_open_transaction(place, queue, look):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        ids = await pgqrs.produce_batch(store, queue, range(6))
        consumer = await store.consumer(queue)
        messages = await consumer.dequeue_many_with_delay(6, 60)
        async with asyncpg_connection(place) as opened:
            assert await messages[2].archive(tx=opened.tx)
            assert await consumer.delete(ids[3], tx=opened.tx)
            assert await soon(messages[0].archive())
            assert await soon(messages[1].extend_vt(60))
            assert await soon(messages[4].release(3600))
            assert await soon(consumer.delete(ids[5]))
            assert await soon(consumer.dequeue()) == []
            # It belongs to the transaction; who asks for it otherwise gets an answer.
            assert not await soon(messages[2].archive())
            assert not await soon(messages[2].delete())
            assert not await soon(messages[2].extend_vt(5))
            assert not await soon(messages[2].release())
            assert await soon(consumer.archive_batch(ids[1:4])) == [True, False, False]
            await opened.commit()
        assert look.live == {ids[4]}
        assert look.archived == set(ids[:3])


@pytest.mark.parametrize("end", ["archive", "delete", "release", "extend_vt"])
async def test_after_a_rollback_it_is_held_as_before(place, queue, look, end):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        number = await pgqrs.produce(store, queue, 1)
        consumer = await store.consumer(queue)
        (message,) = await consumer.dequeue_many_with_delay(1, 60)
        before = look.vt(number)
        async with psycopg_async(place) as opened:
            assert await message.archive(tx=opened.tx)
            await opened.rollback()
        assert look.vt(number) == before == message.vt
        by_id = {"archive": consumer.archive, "delete": consumer.delete}
        if end in by_id:
            assert await by_id[end](number)
            assert look.live == set()
            return
        assert await getattr(message, end)(3)
        assert look.vt(number) != before
        assert await message.archive() is (end == "extend_vt")


async def test_after_a_rollback_it_comes_again_at_its_vt(place, queue):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        number = await pgqrs.produce(store, queue, 1)
        consumer = await store.consumer(queue)
        (message,) = await consumer.dequeue_many_with_delay(1, 0.3)
        async with psycopg_async(place) as opened:
            assert await message.archive(tx=opened.tx)
            await opened.rollback()
        async for again in pgqrs.consume_iter(store, queue):
            assert (again.id, again.read_ct) == (number, 2)
            async with psycopg_async(place) as opened:
                # The first delivery is over, whoever asks.
                assert not await message.archive(tx=opened.tx)
                assert await again.archive(tx=opened.tx)
                await opened.commit()
            assert not await message.archive()
            break


async def test_a_lease_that_ran_out_while_the_transaction_is_open_gives_nobody_the_message(
    place, queue, look
):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        number = await pgqrs.produce(store, queue, 1)
        consumer, other = await store.consumer(queue), await store.consumer(queue)
        (message,) = await consumer.dequeue_many_with_delay(1, 0.1)
        async with psycopg_async(place) as opened:
            assert await message.archive(tx=opened.tx)
            expired = f"select vt < clock_timestamp() from {QUOTED}.pgqrs_messages where id = "
            await until(lambda: look.database.value(expired.replace("%", "%%") + "%s", number))
            assert await soon(other.dequeue()) == []
            await opened.commit()
        assert look.archived == {number}


async def test_only_read_committed_can_settle(place, queue):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        await pgqrs.produce(store, queue, 1)
        consumer = await store.consumer(queue)
        (message,) = await consumer.dequeue_many_with_delay(1, 60)
        with psycopg.connect(place) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with pytest.raises(pgqrs.ValidationError, match="READ COMMITTED"):
                await message.archive(tx=connection)
        assert await message.archive()


# ---- in consume() ----


async def consume_until(
    condition: Any, store: pgqrs.Store, queue: str, handler: Any, **options: Any
) -> None:
    task = asyncio.create_task(pgqrs.consume(store, queue, handler, **options))
    try:
        await until(lambda: condition() or task.done())
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_handler_may_settle_in_its_transaction(place, queue, look, caplog):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        ids = await pgqrs.produce_batch(store, queue, range(5))
        calls: list[tuple[int, int]] = []
        left_open = asyncpg_connection(place)

        async def handler(message: pgqrs.Message) -> None:
            calls.append((message.payload, message.read_ct))
            if message.payload == 4 and message.read_ct == 1:
                opened = await left_open.__aenter__()
                await message.archive(tx=opened.tx)
                handler.opened = opened
                return
            async with asyncpg_connection(place) as opened:
                await pgqrs.produce(store, queue + " results", message.payload, tx=opened.tx)
                if message.payload % 2:
                    await message.archive(tx=opened.tx)
                else:
                    await message.delete(tx=opened.tx)
                if message.payload == 1 and message.read_ct == 1:
                    await opened.rollback()
                    raise RuntimeError("the transaction failed")
                if message.payload == 2:
                    await opened.rollback()
                    return  # it is to be archived all the same
                await opened.commit()

        def done() -> bool:
            return len(look.archived) >= 3 and len(look.live) == 1 and hasattr(handler, "opened")

        # What the handlers returned is committed when consume() has ended.
        await consume_until(done, store, queue, handler, vt=1, concurrency=5)
        assert look.archived == {ids[1], ids[2], ids[3]}
        assert look.live == {ids[4]}
        await handler.opened.commit()
        await left_open.__aexit__(None, None, None)
        assert look.archived == {*ids[1:4], ids[4]}
        assert calls.count((1, 2)) == 1
        results = Look(place, queue + " results")
        assert len(results.live) == 3
        warnings = [record.message for record in caplog.records if record.name == "pgqrs"]
        assert len(warnings) == 1, warnings  # the handler that raised
        assert "the handler failed" in warnings[0]


async def test_messages_of_other_handlers_are_kept_while_a_transaction_is_open(
    place, queue, look, caplog
):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        first, second = await pgqrs.produce_batch(store, queue, ["first", "second"])
        calls: list[str] = []
        kept, opened_it = asyncio.Event(), asyncio.Event()

        async def handler(message: pgqrs.Message) -> None:
            calls.append(message.payload)
            if message.payload == "first":
                async with psycopg_async(place) as opened:
                    await message.archive(tx=opened.tx)
                    opened_it.set()
                    await kept.wait()
                    await opened.commit()
            else:
                await opened_it.wait()
                begin = look.vt(second)
                # Three renewals, which would wait for the first message's transaction.
                await until(lambda: (look.vt(second) - begin).total_seconds() > 1.2)
                kept.set()

        await consume_until(
            lambda: look.archived == {first, second}, store, queue, handler, vt=0.6, concurrency=2
        )
        assert sorted(calls) == ["first", "second"]
        assert caplog.records == []


# ---- waking ----


async def test_listeners_are_told_at_the_commit_and_not_before(place, queue):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        messages = pgqrs.consume_iter(store, queue)
        waiting = asyncio.ensure_future(anext(messages))
        look = Database(place)
        schema = QUOTED.replace("%", "%%")
        asleep = (
            f"select count(*) from {schema}.pgqrs_waiting w join {schema}.pgqrs_queues q"
            " on q.id = w.queue_id where q.queue_name = %s and w.asleep"
        )
        await until(lambda: look.value(asleep, queue) == 1)
        channel = look.value(
            f"select 'pgqrs_' || replace(identity::text, '-', '') from {QUOTED}.pgqrs_schema"
        )
        with psycopg.connect(place, autocommit=True) as listener:
            listener.execute(f"listen {channel}")
            async with asyncpg_connection(place) as opened:
                number = await pgqrs.produce(store, queue, 1, tx=opened.tx)
                assert list(listener.notifies(timeout=0)) == []
                assert not waiting.done()
                await opened.commit()
            assert list(listener.notifies(timeout=PATIENCE, stop_after=1)) != []
            assert (await soon(waiting)).id == number
            async with asyncpg_connection(place) as opened:
                await pgqrs.produce(store, queue, 1, tx=opened.tx)
                await opened.rollback()
            assert list(listener.notifies(timeout=0)) == []
        await messages.aclose()
