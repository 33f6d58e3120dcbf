"""produce(), produce_batch() and Producer with tx=, through every library."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from drivers import DRIVERS, SCHEMA
from fix_store import Database, drain

import pgqrs

QUOTED = '"' + SCHEMA.replace('"', '""') + '"'
PAYLOADS = [
    {"time": "12:30:00", "bind": ":name", "cast": "a::text"},
    "100 % of %s and %(name)s, $1, {0} and ?",
    "it's \"quoted\" \\ and \\\\ 'twice''",
    "é🐘\u2028\x01\n\t",
    [None, True, 10**40, 1e300, -0.0, {"b": 1, "a": [{}]}],
    '{braces, "and" commas}',
]

pytestmark = pytest.mark.loops("plain")


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.__name__)
def driver(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """A queue for this test alone."""
    return request.node.name[:200] + " : %s '"


def count(place: str, queue: str) -> int:
    query = f"select count(*) from {QUOTED}.pgqrs_messages m join {QUOTED}.pgqrs_queues q"
    query = query.replace("%", "%%") + " on q.id = m.queue_id where q.queue_name = %s"
    found: int = Database(place).value(query, queue)
    return found


async def test_visible_inside_then_after_the_commit_exactly_and_in_order(driver, way, place, queue):
    async with pgqrs.connect(way, schema=SCHEMA) as store:
        producer = await store.producer(queue)
        async with driver(way) as opened:
            ids = [await pgqrs.produce(store, queue, PAYLOADS[0], tx=opened.tx)]
            ids += await pgqrs.produce_batch(store, queue, iter(PAYLOADS[1:4]), tx=opened.tx)
            ids.append(await producer.enqueue(PAYLOADS[4], tx=opened.tx))
            ids += await producer.enqueue_batch(PAYLOADS[5:], tx=opened.tx)
            late = await producer.enqueue_delayed("late", 3600, tx=opened.tx)
            assert await pgqrs.produce_batch(store, queue, [], tx=opened.tx) == []
            assert count(place, queue) == 0
            schema = QUOTED.replace(":", "\\:") if "sqlalchemy" in driver.__name__ else QUOTED
            seen = await opened.execute(f"select id from {schema}.pgqrs_log where id >= {ids[0]}")
            assert {number for (number,) in seen} == {*ids, late}
            await opened.commit()
        found = await drain(store, queue)
        assert [message.id for message in found] == ids == sorted(ids)
        assert repr([message.payload for message in found]) == repr(PAYLOADS)
        workers = [message.producer_worker_id for message in found]
        assert workers == [None] * 4 + [producer.worker_id] * 2
        assert count(place, queue) == len(ids) + 1


async def test_gone_after_a_rollback_and_after_that_of_a_savepoint(driver, way, place, queue):
    async with pgqrs.connect(way, schema=SCHEMA) as store:
        async with driver(way) as opened:
            await pgqrs.produce(store, queue, 1, tx=opened.tx)
            await opened.rollback()
        assert count(place, queue) == 0
        async with driver(way) as opened:
            kept = await pgqrs.produce(store, queue, 2, tx=opened.tx)
            await opened.execute("savepoint here")
            await pgqrs.produce_batch(store, queue, [3, 4], tx=opened.tx)
            await opened.execute("rollback to savepoint here")
            await opened.commit()
        assert [message.id for message in await drain(store, queue)] == [kept]


async def test_what_the_core_refuses_is_refused_before_anything_is_sent(driver, place, queue):
    async with (
        pgqrs.connect(place, schema=SCHEMA, max_payload_size_bytes=100) as store,
        driver(place) as opened,
    ):
        for payload, error, text in (
            ("\0", pgqrs.SerializationError, "u0000"),
            ("\ud800", pgqrs.SerializationError, "surrogate"),
            (float("nan"), pgqrs.SerializationError, "JSON"),
            ("x" * 200, pgqrs.ValidationError, "max_payload_size_bytes"),
        ):
            with pytest.raises(error, match=text) as alone:
                await pgqrs.produce(store, queue, payload, tx=opened.tx)
            with pytest.raises(error) as outside:
                await pgqrs.produce(store, queue, payload)
            assert str(alone.value) == str(outside.value)
            with pytest.raises(error, match=text) as caught:
                await pgqrs.produce_batch(store, queue, [1, 2, payload], tx=opened.tx)
            assert caught.value.index == 2
        with pytest.raises(pgqrs.ValidationError):
            await pgqrs.produce(store, queue, 1, delay_seconds=-1, tx=opened.tx)
        await pgqrs.produce(store, queue, "fine", tx=opened.tx)  # the transaction lives
        await opened.commit()
        assert [message.payload for message in await drain(store, queue)] == ["fine"]


async def test_the_queue_is_there_for_others_before_the_commit(driver, place, queue):
    async with pgqrs.connect(place, schema=SCHEMA) as store, driver(place) as opened:
        await pgqrs.produce(store, queue, "inside", tx=opened.tx)
        await pgqrs.produce(store, queue, "outside")  # would wait for the name otherwise
        assert [message.payload for message in await drain(store, queue)] == ["outside"]
        await opened.rollback()


async def test_another_database_or_schema_is_an_error_that_says_so(driver, place, dsn, queue):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        async with driver(dsn) as opened:
            with pytest.raises(pgqrs.ValidationError, match="the database and the schema"):
                await pgqrs.produce(store, queue, 1, tx=opened.tx)
            await opened.rollback()
        async with pgqrs.connect(dsn, schema=SCHEMA):
            pass
        async with driver(dsn) as opened:
            with pytest.raises(pgqrs.ValidationError, match="another pgqrs") as caught:
                await pgqrs.produce(store, queue, 1, tx=opened.tx)
            assert caught.value.sqlstate == "PQ005"
            await opened.rollback()


async def test_without_auto_create_queues_a_missing_queue_is_an_error(place, queue):
    async with pgqrs.connect(place, schema=SCHEMA, auto_create_queues=False) as store:
        with psycopg.connect(place) as connection, pytest.raises(pgqrs.QueueNotFoundError):
            await pgqrs.produce(store, queue, 1, tx=connection)
        async with pgqrs.connect(place, schema=SCHEMA) as other:
            await pgqrs.produce(other, queue, 1)
        with psycopg.connect(place) as connection:
            await pgqrs.produce(store, queue, 2, tx=connection)
        Database(place).execute(f"delete from {QUOTED}.pgqrs_queues where queue_name <> 'x'")
        with psycopg.connect(place) as connection:
            with pytest.raises(pgqrs.QueueNotFoundError, match="no queue") as caught:
                await pgqrs.produce(store, queue, 3, tx=connection)
            assert caught.value.sqlstate == "PQ001"


async def test_a_large_batch_goes_in_several_statements(place, queue):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        with psycopg.connect(place) as connection:
            ids = await pgqrs.produce_batch(store, queue, range(45_000), tx=connection)
            assert ids == sorted(set(ids))
            assert len(ids) == 45_000
        assert count(place, queue) == 45_000


async def test_errors_of_the_connection_stay_its_own(place, queue):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        with psycopg.connect(place) as connection:
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute("select 1/0")
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                await pgqrs.produce(store, queue, 1, tx=connection)
            connection.rollback()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("select 1")
            young = queue + " that is younger than the snapshot"
            with pytest.raises(psycopg.errors.SerializationFailure):
                await pgqrs.produce(store, young, 1, tx=connection)
            connection.rollback()
            await pgqrs.produce(store, young, 1, tx=connection)
        assert count(place, young) == 1
