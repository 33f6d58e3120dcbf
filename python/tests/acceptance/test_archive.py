"""The archive: listed, counted, looked into, purged; and how long queues keep it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from fix_store import until

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def archive_all(store, queue, payloads):
    ids = await pgqrs.produce_batch(store, queue, payloads)
    await pgqrs.consume(store, queue, lambda msg: True, until_empty=True)
    return ids


async def test_the_archive_is_listed_the_latest_first(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        first = await archive_all(store, "tasks", [{"n": n} for n in range(3)])
        second = await archive_all(store, "emails", ["x"])
        archive = await store.get_archive()
        latest = await archive.list()
        assert latest[0].id == second[0]
        messages = await archive.list("tasks")
        assert sorted(m.id for m in messages) == first
        assert [m.archived_at for m in messages] == sorted(
            (m.archived_at for m in messages), reverse=True
        )
        one = await archive.get(first[1])
        assert (one.payload, one.read_ct, one.outcome, one.error) == ({"n": 1}, 1, "archived", None)
        assert one.enqueued_at <= one.dequeued_at <= one.archived_at
        assert await archive.count() == 4
        assert await archive.count("tasks", "archived") == 3
        assert await archive.count("tasks", pgqrs.Outcome.DEAD) == 0
        with pytest.raises(pgqrs.MessageNotFoundError):
            await archive.get(2**60)
        with pytest.raises(pgqrs.QueueNotFoundError, match="nowhere"):
            await archive.list("nowhere")


async def test_pages_follow_each_other(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await archive_all(store, "tasks", range(1050))
        archive = await store.get_archive()
        assert sorted([m.id async for m in archive.iterate("tasks")]) == ids
        page = await archive.list("tasks", limit=400)
        rest = await archive.list("tasks", limit=1000, after=page[-1])
        assert sorted(m.id for m in page + rest) == ids


async def test_the_archive_of_a_worker(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await archive_all(store, "tasks", range(3))
        ids = await pgqrs.produce_batch(store, "tasks", range(4))
        consumer = await store.consumer("tasks")
        messages = await consumer.dequeue()
        worker = messages[0].consumer_worker_id
        for msg in messages:
            await msg.archive()
        archive = await store.get_archive()
        assert await archive.count_by_worker(worker) == 4
        assert [m.id for m in await archive.list_by_worker(worker)] == ids[::-1]
        assert [m.id for m in await archive.list_by_worker(worker, 2, 1)] == [ids[2], ids[1]]


async def test_time_bounds_the_archive(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await archive_all(store, "tasks", range(3))
        archive = await store.get_archive()
        now = datetime.now(timezone.utc)
        hour = timedelta(hours=1)
        assert len(await archive.list(since=now - hour, until=now + hour)) == 3
        assert await archive.list(since=now + hour) == []
        assert await archive.count(until=now - hour) == 0
        [some, *_] = await archive.list()
        assert some in await archive.list(since=some.archived_at)
        assert some not in await archive.list(until=some.archived_at)
        with pytest.raises(pgqrs.ValidationError, match="time zone"):
            await archive.list(since=datetime(2026, 1, 1))
        with pytest.raises(pgqrs.ValidationError, match="since must be a datetime"):
            await archive.list(since=1.5)


async def test_done_messages_are_deleted(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await archive_all(store, "tasks", range(3))
        alive = await pgqrs.produce(store, "tasks", 1)
        archive = await store.get_archive()
        await archive.delete(ids[1])
        assert sorted(m.id for m in await archive.list()) == [ids[0], ids[2]]
        for number in (ids[1], alive):
            with pytest.raises(pgqrs.MessageNotFoundError):
                await archive.delete(number)
        admin = pgqrs.admin(store)
        assert await admin.purge_archive(3600) == 0
        assert await admin.purge_archive(0, "tasks") == 2
        assert await archive.list() == []
        assert (await admin.queue_metrics("tasks")).ready == 1
        await archive_all(store, "emails", range(3))
        assert await admin.purge_archive(older_than=0) == 3
        with pytest.raises(pgqrs.QueueNotFoundError):
            await admin.purge_archive(0, "nowhere")
        with pytest.raises(pgqrs.ValidationError, match="older_than"):
            await admin.purge_archive(-1)


async def test_a_queue_keeps_what_is_done_for_its_retention(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        admin = pgqrs.admin(store)
        await admin.create_queue("tasks", retention_seconds=0)
        await admin.create_queue("emails", retention_seconds=3600)
        for queue in ("tasks", "emails", "others"):
            await archive_all(store, queue, range(300))

        async def gone():
            return (await admin.queue_metrics("tasks")).archived == 0

        await until(gone, "the archive of tasks to be gone", seconds=60)
        archive = await store.get_archive()
        assert await archive.count() == 600


@pytest.mark.parametrize(
    "wrong", [{"outcome": "lost"}, {"limit": 0}, {"limit": 1001}, {"worker_id": "x"}, {"queue": 7}]
)
async def test_what_no_filter_can_be_is_refused(memory_dsn, wrong):
    async with pgqrs.connect(memory_dsn) as store:
        archive = await store.get_archive()
        with pytest.raises(pgqrs.ValidationError):
            await archive.list(**wrong)
