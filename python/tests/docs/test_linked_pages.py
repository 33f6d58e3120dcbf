"""What the pages that are linked from the producer-consumer page promise, and no test
elsewhere shows. docs/migrating.md has the list of all, and says which test shows what."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from fix_page import blocks
from fix_store import Database, until

import pgqrs

pytestmark = pytest.mark.loops("plain")

PROGRAMS = Path(__file__).parents[1] / "acceptance/programs"


async def test_a_message_goes_from_pending_to_locked_and_back_or_to_its_end(dsn, database):
    async with pgqrs.connect(dsn, default_lock_time_seconds=0.5) as store:
        ids = await pgqrs.produce_batch(store, "tasks", ["archived", "deleted", "late"])
        messages = await store.get_messages()
        assert [m.state for m in await messages.list("tasks")] == ["ready"] * 3
        assert {m.read_ct for m in await messages.list("tasks")} == {0}

        consumer, other = await store.consumer("tasks"), await store.consumer("tasks")
        taken = await consumer.dequeue(3)
        assert {m.read_ct for m in taken} == {1}  # the first try
        row = "select read_ct, consumer_worker_id, dequeued_at is not null, vt > enqueued_at from"
        locked = database.rows(f"{row} pgqrs_messages")
        assert locked == [(1, consumer.worker_id, True, True)] * 3
        before = database.rows("select id, payload, enqueued_at, read_ct from pgqrs_messages")
        assert await consumer.archive(ids[0])
        assert await consumer.delete(ids[1])

        archived = database.rows("select id, payload, enqueued_at, read_ct from pgqrs_archive")
        assert archived == before[:1]  # under its own id
        assert database.value("select archived_at - enqueued_at >= '0' from pgqrs_archive")
        assert database.rows("select id from pgqrs_messages") == [(ids[2],)]
        assert database.value("select count(*) from pgqrs_log where id = %s", ids[1]) == 0

        again: list[pgqrs.Message] = []

        async def back() -> bool:
            again.extend(await other.dequeue())
            return bool(again)

        await until(back, "the message whose lock has ended")
        assert [(m.id, m.read_ct) for m in again] == [(ids[2], 2)]
        assert await consumer.archive(ids[2]) is False
        assert await other.archive(ids[2]) is True


async def test_a_short_lock_is_extended_at_once_as_the_pages_advise(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        consumer = await store.consumer("tasks")
        (message,) = await consumer.dequeue()
        assert await message.extend_vt(295)
        assert round((message.vt - message.dequeued_at).total_seconds()) == 300


async def test_consumers_of_one_queue_each_get_different_messages(any_dsn):
    async with pgqrs.connect(any_dsn, max_connections=4) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(400))

        async def take() -> list[int]:
            consumer, mine = await store.consumer("tasks"), []
            while batch := await consumer.dequeue(10):
                mine += [m.id for m in batch]
                assert all(await consumer.archive_batch([m.id for m in batch]))
            return mine

        # More of them than connections, in one process or several, to scale.
        taken = await asyncio.gather(*(take() for _ in range(8)))
        assert sorted(number for mine in taken for number in mine) == ids


async def test_a_consumer_that_stops_dequeuing_is_paused(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        paused, other = await store.consumer("tasks"), await store.consumer("tasks")
        assert await paused.dequeue() == []
        await pgqrs.produce(store, "tasks", 1)
        assert len(await other.dequeue()) == 1


def test_workers_of_a_program_that_has_ended_are_stopped(dsn, database: Database):
    subprocess.run([sys.executable, PROGRAMS / "ordinary.py", dsn, "asyncio"], check=True)
    assert database.rows("select distinct status from pgqrs_workers") == [("stopped",)]


async def test_thousands_of_messages_a_minute_are_handled(dsn):
    handled = 0

    async def handler(messages):
        nonlocal handled
        handled += len(messages)

    async with pgqrs.connect(dsn) as store:
        producer, consumer = await store.producer("tasks"), await store.consumer("tasks")
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(5):
            assert len(await producer.enqueue_batch([{"n": n} for n in range(1000)])) == 1000
        working = asyncio.create_task(consumer.consume_batch(batch_size=100, handler=handler))
        await until(lambda: handled == 5000, "5000 messages", 60)
        assert loop.time() - began < 60
        working.cancel()
        await asyncio.wait([working])


@pytest.mark.parametrize("size", [10, 500])
async def test_small_and_large_batches_work(any_dsn, size):
    async with pgqrs.connect(any_dsn) as store:
        consumer = await store.consumer("tasks")
        await pgqrs.produce_batch(store, "tasks", range(600))
        assert len(await consumer.dequeue(size)) == size


THE_TABLES_OF_THE_ORIGINAL = """
create table pgqrs_queues (id bigserial primary key, queue_name varchar unique not null);
create table pgqrs_messages (
    id bigserial primary key, queue_id bigint not null, payload jsonb not null, vt timestamptz,
    enqueued_at timestamptz default now(), read_ct int default 0, dequeued_at timestamptz,
    producer_worker_id bigint, consumer_worker_id bigint);
insert into pgqrs_queues (queue_name) values ('emails'), ('reports');
insert into pgqrs_messages (queue_id, payload, vt) values
    (1, '{"to": 1}', now()), (2, '"report"', now() + interval '1 h'), (1, '{"to": 2}', null);
"""


async def test_what_waits_in_the_original_is_moved(dsn, database: Database):
    database.execute(THE_TABLES_OF_THE_ORIGINAL)
    async with pgqrs.connect(dsn, schema="jobs") as store:
        (moving,) = blocks("migrating.md", "sql")
        database.execute(moving)
        messages = await store.get_messages()
        assert [m.payload for m in await messages.list("emails")] == [{"to": 1}, {"to": 2}]
        (report,) = await messages.list("reports")
        assert report.state == "delayed"
        assert 3500 < (report.vt - report.enqueued_at).total_seconds() <= 3600
    assert database.value("select count(*) from public.pgqrs_messages") == 0
    # In one schema there is room for one of the two.
    with pytest.raises(pgqrs.ConfigError, match="pgqrs_queues"):
        await pgqrs.connect(dsn)
