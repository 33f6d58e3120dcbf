"""produce() and produce_batch()."""

from __future__ import annotations

import asyncio

import pytest
from fix_store import Database, drain

import pgqrs

PAYLOADS = [
    None,
    True,
    0,
    -(2**70),
    10**4299,
    0.1,
    -0.0,
    1e300,
    "",
    "é🐘\u2028\x01",
    [],
    {"b": [1, {}], "a": None},
]


async def test_produce_returns_the_id_of_what_it_stored(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        number = await pgqrs.produce(store, "tasks", {"task": "send_email"})
        (message,) = await drain(store, "tasks")
        assert isinstance(number, int)
        assert (message.id, message.payload) == (number, {"task": "send_email"})


async def test_payloads_come_out_exactly_as_they_went_in(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        for payload in PAYLOADS:
            await pgqrs.produce(store, "singly", payload)
        await pgqrs.produce_batch(store, "batch", PAYLOADS)
        for queue in ("singly", "batch"):
            found = [message.payload for message in await drain(store, queue)]
            assert repr(found) == repr(PAYLOADS)


async def test_produce_is_committed_when_it_returns(dsn, database: Database):
    async with pgqrs.connect(dsn) as store:
        number = await pgqrs.produce(store, "tasks", {"a": 1})
        query = "select id, payload from pgqrs_messages"
        assert database.rows(query) == [(number, {"a": 1})]


async def test_a_produce_called_after_another_returned_has_a_higher_id(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = [await pgqrs.produce(store, "tasks", n) for n in range(20)]
        assert ids == sorted(set(ids))


async def test_unawaited_produces_of_one_task_keep_their_order(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await asyncio.gather(*(pgqrs.produce(store, "tasks", n) for n in range(500)))
        assert ids == sorted(set(ids))
        assert [message.payload for message in await drain(store, "tasks")] == list(range(500))


async def test_a_bad_payload_fails_alone_and_does_not_disturb_its_neighbours(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        bad = [float("nan"), "\ud800", {1, 2}, "\0", "good"]
        answers = await asyncio.gather(
            *(pgqrs.produce(store, "tasks", payload) for payload in bad * 20),
            return_exceptions=True,
        )
        for payload, answer in zip(bad * 20, answers, strict=True):
            if payload == "good":
                assert isinstance(answer, int)
            else:
                assert isinstance(answer, pgqrs.SerializationError), payload
        assert [message.payload for message in await drain(store, "tasks")] == ["good"] * 20


async def test_a_delayed_message_is_not_ready_before_its_time(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", "late", delay_seconds=3600)
        await pgqrs.produce(store, "tasks", "soon", delay_seconds=0.2)
        await pgqrs.produce(store, "tasks", "now")
        consumer = await store.consumer("tasks")
        assert [message.payload for message in await consumer.dequeue()] == ["now"]
        async for message in pgqrs.consume_iter(store, "tasks"):
            assert message.payload == "soon"
            break
        assert await consumer.dequeue() == []


async def test_produce_batch_returns_the_ids_in_the_order_of_the_payloads(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", ({"n": n} for n in range(2500)))
        assert ids == sorted(set(ids))
        found = await drain(store, "tasks")
        assert [(message.id, message.payload["n"]) for message in found] == list(
            zip(ids, range(2500), strict=True)
        )


async def test_an_empty_batch_is_an_empty_list(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        assert await pgqrs.produce_batch(store, "tasks", []) == []
        with pytest.raises(pgqrs.ValidationError):
            await pgqrs.produce_batch(store, "", [])


@pytest.mark.parametrize("bad", [float("nan"), "\0", "\ud800"])
async def test_a_bad_payload_in_a_batch_stores_nothing_and_is_named_by_its_index(any_dsn, bad):
    async with pgqrs.connect(any_dsn) as store:
        with pytest.raises(pgqrs.SerializationError, match="3") as caught:
            await pgqrs.produce_batch(store, "tasks", [0, 1, 2, {"bad": bad}, 4])
        assert caught.value.index == 3
        assert await drain(store, "tasks") == []


@pytest.mark.loops("plain")
async def test_a_batch_of_100000_is_stored_whole_and_in_order_or_not_at_all(
    dsn, database: Database
):
    async with pgqrs.connect(dsn) as store:
        with pytest.raises(pgqrs.SerializationError, match="99999") as caught:
            await pgqrs.produce_batch(store, "tasks", [*range(99_999), "\0"])
        assert caught.value.index == 99_999
        assert database.value("select count(*) from pgqrs_messages") == 0
        ids = await pgqrs.produce_batch(store, "tasks", range(100_000))
        assert ids == sorted(set(ids))
        assert len(ids) == 100_000
        assert database.value("select count(*) from pgqrs_messages") == 100_000
        disorder = (
            "select count(*) from (select payload::text::int - row_number() over (order by id) as d"
            " from pgqrs_messages) as numbered where d <> -1"
        )
        assert database.value(disorder) == 0
        consumer = await store.consumer("tasks")
        for start in range(0, 3000, 1000):
            batch = await consumer.dequeue_many_with_delay(1000, 60)
            assert [message.payload for message in batch] == list(range(start, start + 1000))


@pytest.mark.parametrize(
    "name",
    ["'; drop table pgqrs_log; --", '"', "%s", "$1", "\\", "select 1", "ö🐘", " ", "x" * 255],
)
@pytest.mark.loops("plain")
async def test_names_that_look_like_sql_are_just_names(any_dsn, name):
    async with pgqrs.connect(any_dsn) as store:
        number = await pgqrs.produce(store, name, {"name": name})
        async for message in pgqrs.consume_iter(store, name):
            assert (message.id, message.payload) == (number, {"name": name})
            assert await message.archive()
            break


@pytest.mark.loops("plain")
async def test_schemas_that_look_like_sql_are_just_names(dsn, database: Database):
    schema = 'ö"; drop schema public; --'
    async with pgqrs.connect(dsn, schema=schema) as store:
        number = await pgqrs.produce(store, "tasks", 1)
        quoted = '"' + schema.replace('"', '""') + '"'
        assert database.value(f"select id from {quoted}.pgqrs_messages") == number
        assert database.value("select count(*) from pg_namespace where nspname = 'public'") == 1


@pytest.mark.loops("plain")
async def test_without_auto_create_queues_a_missing_queue_is_an_error(any_dsn):
    async with pgqrs.connect(any_dsn, auto_create_queues=False) as store:
        with pytest.raises(pgqrs.QueueNotFoundError, match="nowhere"):
            await pgqrs.produce(store, "nowhere", 1)
        with pytest.raises(pgqrs.QueueNotFoundError, match="nowhere"):
            await pgqrs.produce_batch(store, "nowhere", [1])
        with pytest.raises(pgqrs.QueueNotFoundError, match="nowhere"):
            await pgqrs.consume(store, "nowhere", print)
        with pytest.raises(pgqrs.QueueNotFoundError, match="nowhere"):
            await anext(pgqrs.consume_iter(store, "nowhere"))


@pytest.mark.loops("plain")
async def test_arguments_are_checked_before_anything_is_done(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        for call in (
            lambda: pgqrs.produce(store, "", 1),
            lambda: pgqrs.produce("store", "tasks", 1),
            lambda: pgqrs.produce(store, "tasks", 1, delay_seconds=-1),
            lambda: pgqrs.produce_batch(store, "tasks", {"a": 1}),
            lambda: pgqrs.produce_batch(store, "tasks", [1], delay_seconds=True),
            lambda: pgqrs.consume(store, "tasks", None),
            lambda: pgqrs.consume(store, "tasks", print, vt=0),
            lambda: pgqrs.consume(store, "tasks", print, concurrency=0),
            lambda: pgqrs.consume(store, "tasks", print, batch_size=0),
            lambda: pgqrs.consume(store, "tasks", print, auto_extend=1),
            lambda: pgqrs.consume(store, "tasks", print, until_empty=None),
            lambda: pgqrs.consume(store, "tasks", print, shutdown_timeout=-1),
        ):
            with pytest.raises(pgqrs.ValidationError):
                await call()
        for options in ({"vt": 0}, {"batch_size": 0}, {"vt": "5"}):
            with pytest.raises(pgqrs.ValidationError):
                pgqrs.consume_iter(store, "tasks", **options)
        with pytest.raises(pgqrs.ValidationError):
            pgqrs.consume_iter("store", "tasks")
        with pytest.raises(pgqrs.ValidationError):
            pgqrs.producer("dsn", "tasks", "host", 1)
        with pytest.raises(pgqrs.ValidationError):
            pgqrs.consumer(store, "tasks", "host", 70_000)
        with pytest.raises(pgqrs.ConfigError):
            pgqrs.admin(5)
