"""Queues: made, found, listed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def test_a_queue_is_made_found_and_listed(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        made = await store.queue("tasks")
        assert isinstance(made, pgqrs.QueueInfo)
        assert made.queue_name == "tasks"
        assert abs(datetime.now(timezone.utc) - made.created_at) < timedelta(minutes=1)
        other = await pgqrs.admin(store).create_queue("emails ✉")
        queues = await store.get_queues()
        assert await queues.get("tasks") == made
        assert await queues.list() == [other, made]
        assert await queues.count() == 2
        assert await (await pgqrs.admin(store).get_queues()).count() == 2
        with pytest.raises(pgqrs.QueueAlreadyExistsError, match="tasks"):
            await store.queue("tasks")
        with pytest.raises(pgqrs.QueueNotFoundError, match="nowhere"):
            await queues.get("nowhere")


async def test_an_admin_connects_at_its_first_use(any_dsn):
    async with pgqrs.admin(any_dsn) as admin:
        queue = await admin.create_queue("tasks")
        assert await (await admin.get_queues()).list() == [queue]


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", "\ud800", None, 7])
async def test_a_name_that_no_queue_can_have_is_refused(memory_dsn, name):
    async with pgqrs.connect(memory_dsn) as store:
        with pytest.raises(pgqrs.ValidationError, match="name"):
            await store.queue(name)
        with pytest.raises(pgqrs.ValidationError, match="name"):
            await (await store.get_queues()).get(name)


async def test_a_request_that_the_library_does_not_know_is_named(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        with pytest.raises(pgqrs.ValidationError, match='no request "queue_frobnicate"'):
            await store._link.request("queue_frobnicate")
        with pytest.raises(pgqrs.ValidationError, match='no argument "colour"'):
            await store._link.request("queue_count", colour="red")


async def test_a_closed_store_answers_no_request(memory_dsn):
    store = await pgqrs.connect(memory_dsn)
    queues = await store.get_queues()
    await store.close()
    with pytest.raises(pgqrs.PgqrsConnectionError, match="closed"):
        await queues.count()


SETTINGS = {
    "default_vt": 90.5,
    "max_read_ct": 0,
    "retention_seconds": 86400,
    "retry": pgqrs.RetryPolicy(kind="exponential", base_seconds=1, max_seconds=60, jitter=0.5),
}


async def test_settings_are_kept_and_changed_one_by_one(any_dsn):
    async with pgqrs.admin(any_dsn) as admin:
        made = await admin.create_queue("tasks", **SETTINGS)
        assert made.settings == pgqrs.QueueSettings(**SETTINGS)
        assert await admin.queue_settings("tasks") == made.settings
        changed = await admin.update_queue("tasks", max_read_ct=7, retry=None)
        assert changed.settings == pgqrs.QueueSettings(
            **{**SETTINGS, "max_read_ct": 7, "retry": None}
        )
        changed = await admin.update_queue(
            "tasks", default_vt=None, max_read_ct=None, retention_seconds=None
        )
        assert changed.settings == pgqrs.QueueSettings()
        assert (await admin.create_queue("bare")).settings == pgqrs.QueueSettings()


@pytest.mark.parametrize(
    "settings",
    [
        {"default_vt": 0},
        {"default_vt": 604801},
        {"max_read_ct": -1},
        {"max_read_ct": True},
        {"retention_seconds": -1},
        {"retention_seconds": "1 day"},
        {"retry": "exponential"},
        {"colour": "red"},
    ],
)
async def test_a_setting_out_of_range_is_named(memory_dsn, settings):
    async with pgqrs.admin(memory_dsn) as admin:
        await admin.create_queue("tasks")
        with pytest.raises(pgqrs.ValidationError, match=next(iter(settings))):
            await admin.update_queue("tasks", **settings)


async def test_a_retry_policy_out_of_range_is_refused(memory_dsn):
    for policy in (
        {"kind": "often"},
        {"kind": "fixed", "jitter": 2},
        {"kind": "fixed", "base_seconds": -1},
    ):
        with pytest.raises(pgqrs.ValidationError):
            pgqrs.RetryPolicy(**policy)
    policy = pgqrs.RetryPolicy(kind="exponential", base_seconds=2, max_seconds=1)
    async with pgqrs.admin(memory_dsn) as admin:
        with pytest.raises(pgqrs.ValidationError, match="max of a retry policy"):
            await admin.create_queue("tasks", retry=policy)


async def test_the_vt_of_a_queue_counts_where_the_call_names_none(any_dsn):
    async with pgqrs.connect(any_dsn, default_lock_time_seconds=60) as store:
        await pgqrs.admin(store).create_queue("tasks", default_vt=3600)
        await pgqrs.produce_batch(store, "tasks", [1, 2, 3])
        consumer = await store.consumer("tasks")
        for messages, vt in (
            (await consumer.dequeue(1), 3600),
            (await consumer.dequeue_many_with_delay(1, 30), 30),
        ):
            assert (messages[0].vt - messages[0].dequeued_at).total_seconds() == vt
        failed = []

        async def fail(message):
            failed.append(message)
            return False

        await pgqrs.consume(store, "tasks", fail, until_empty=True)
        assert [message.payload for message in failed] == [3]


async def test_a_failed_message_stays_away_for_the_vt_of_its_queue(dsn, database):
    async with pgqrs.connect(dsn, default_lock_time_seconds=60) as store:
        await pgqrs.admin(store).create_queue("tasks", default_vt=3600)
        await pgqrs.produce(store, "tasks", 1)
        await pgqrs.consume(store, "tasks", lambda message: False, until_empty=True)
    assert database.value("select vt - now() > '50 min' from pgqrs_messages")


async def test_a_queue_with_messages_is_deleted_only_by_force(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        admin = pgqrs.admin(store)
        await pgqrs.produce(store, "tasks", 1)
        with pytest.raises(pgqrs.ValidationError, match=r'"tasks" has .* by force: use force=True'):
            await admin.delete_queue("tasks")
        with pytest.raises(pgqrs.ValidationError, match="force must be True or False"):
            await admin.delete_queue("tasks", force="yes")
        assert await admin.delete_queue("tasks", force=True) is True
        with pytest.raises(pgqrs.QueueNotFoundError):
            await admin.delete_queue("tasks")
        await pgqrs.produce(store, "tasks", 1)  # makes it anew
        assert await admin.purge_queue("tasks") == 1
        assert await admin.delete_queue("tasks")
        with pytest.raises(pgqrs.QueueNotFoundError):
            await admin.purge_queue("tasks")


async def test_a_paused_queue_gives_nothing_until_it_is_resumed(any_dsn):
    async with pgqrs.connect(any_dsn) as store, pgqrs.admin(any_dsn) as admin:
        await admin.create_queue("tasks")
        paused = await admin.pause_queue("tasks")
        assert paused.paused_at is not None
        assert (await admin.pause_queue("tasks")).paused_at == paused.paused_at
        await pgqrs.produce(store, "tasks", 1)
        consumer = await store.consumer("tasks")
        assert await consumer.dequeue() == []
        got = asyncio.Queue()
        consuming = asyncio.create_task(pgqrs.consume(store, "tasks", got.put))
        await pgqrs.consume(store, "tasks", got.put, until_empty=True)
        assert got.empty()
        assert (await admin.resume_queue("tasks")).paused_at is None
        assert (await asyncio.wait_for(got.get(), 20)).payload == 1
        consuming.cancel()
        await asyncio.wait([consuming])


async def test_ten_thousand_queues_are_listed(dsn, database):
    async with pgqrs.connect(dsn) as store:
        database.execute(
            "insert into pgqrs_queues (queue_name)"
            " select 'queue ' || to_char(g, 'FM00000') from generate_series(1, 10000) g"
        )
        queues = await store.get_queues()
        names = [queue.queue_name for queue in await queues.list()]
        assert names == [f"queue {number:05}" for number in range(1, 10001)]
        assert await queues.count() == 10000
