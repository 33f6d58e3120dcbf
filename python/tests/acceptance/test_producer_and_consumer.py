"""Producer, Consumer and Admin objects, and messages by id."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from fix_store import Database, drain, until

import pgqrs


async def test_a_producer_enqueues_singly_in_batches_and_delayed(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        producer = await store.producer("tasks")
        ids = [await producer.enqueue(1), *await producer.enqueue_batch([2, 3])]
        late = await producer.enqueue_delayed(4, delay_seconds=3600)
        assert await producer.enqueue_batch([]) == []
        found = await drain(store, "tasks")
        assert [(message.id, message.payload) for message in found] == list(
            zip(ids, (1, 2, 3), strict=True)
        )
        assert late > ids[-1]
        assert {message.producer_worker_id for message in found} == {producer.worker_id}
        assert isinstance(producer.worker_id, int)


async def test_admin_connects_at_the_first_await_and_binds_to_that_loop(any_dsn):
    admin = pgqrs.admin(any_dsn)
    producer = pgqrs.producer(admin, "tasks", "scheduler", 8080)
    consumer = pgqrs.consumer(admin, "tasks", "worker", 8081)
    assert "not connected" in repr(admin)
    assert producer.worker_id is None
    ids = await asyncio.gather(*(producer.enqueue(n) for n in range(5)))
    assert [message.id for message in await consumer.dequeue()] == ids
    await admin.close()


@pytest.mark.loops("plain")
async def test_admin_over_a_store_leaves_the_store_open(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        async with pgqrs.admin(store) as admin:
            await pgqrs.producer(admin, "tasks", "host", 1).enqueue(1)
        assert len(await drain(store, "tasks")) == 1


@pytest.mark.loops("plain")
async def test_an_admin_whose_connecting_failed_tries_again(memory_dsn, monkeypatch):
    admin = pgqrs.admin("postgresql://127.0.0.1:1/nowhere")
    producer = pgqrs.producer(admin, "tasks", "host", 1)
    with pytest.raises(pgqrs.PgqrsConnectionError):
        await producer.enqueue(1)
    monkeypatch.setattr(admin, "_config", pgqrs.Config(memory_dsn))
    assert await producer.enqueue(1) == 1
    await admin.close()


@pytest.mark.loops("plain")
async def test_workers_are_registered_once_with_their_host_and_port(dsn, database: Database):
    async with pgqrs.connect(dsn) as store:
        producer = pgqrs.producer(store, "tasks", "scheduler", 8080)
        await asyncio.gather(*(producer.enqueue(n) for n in range(5)))
        consumer = await store.consumer("tasks", "host", 9)
        await pgqrs.produce(store, "tasks", 1)
        rows = database.rows("select id, name, status from pgqrs_workers order by id")
        assert [row[0] for row in rows] == [producer.worker_id, consumer.worker_id]
        assert "scheduler" in rows[0][1]
        assert rows[0][2] == "ready"


async def test_dequeue_does_not_wait_and_returns_messages_in_delivery_order(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        consumer = await store.consumer("tasks")
        assert await consumer.dequeue() == []
        ids = await pgqrs.produce_batch(store, "tasks", range(7))
        assert [message.id for message in await consumer.dequeue(3)] == ids[:3]
        assert [message.id for message in await consumer.dequeue_many_with_delay(50, 30)] == ids[3:]
        assert await consumer.dequeue() == []


@pytest.mark.loops("plain")
async def test_dequeue_takes_the_default_batch_and_lock_time_of_the_config(any_dsn):
    options = {"default_max_batch_size": 2, "default_lock_time_seconds": 50}
    async with pgqrs.connect(any_dsn, **options) as store:
        await pgqrs.produce_batch(store, "tasks", range(5))
        consumer = await store.consumer("tasks")
        messages = await consumer.dequeue()
        assert len(messages) == 2
        assert messages[0].vt - messages[0].dequeued_at == timedelta(seconds=50)


async def test_a_message_knows_where_it_comes_from(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        before = datetime.now(timezone.utc) - timedelta(seconds=1)
        await pgqrs.produce(store, "tasks", {"a": 1})
        consumer = await store.consumer("tasks")
        (message,) = await consumer.dequeue_many_with_delay(1, 30)
        after = datetime.now(timezone.utc) + timedelta(seconds=1)
        assert before < message.enqueued_at <= message.dequeued_at < after
        assert message.vt - message.dequeued_at == timedelta(seconds=30)
        assert message.enqueued_at.tzinfo is timezone.utc
        assert message.read_ct == 1
        assert message.queue_id >= 1
        assert message.producer_worker_id is None
        assert message.consumer_worker_id == consumer.worker_id
        assert message.consumer is consumer
        assert message.payload is message.payload
        assert (
            repr(message)
            == f"<pgqrs.Message id={message.id} queue_id={message.queue_id} read_ct=1>"
        )


async def test_settling_a_message_answers_true_once_and_false_afterwards(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(4))
        archived, deleted, released, extended = await drain(store, "tasks")
        assert [await archived.archive(), await archived.archive(), await archived.delete()] == [
            True,
            False,
            False,
        ]
        assert [await deleted.delete(), await deleted.archive()] == [True, False]
        assert [await released.release(), await released.release(), await released.archive()] == [
            True,
            False,
            False,
        ]
        vt = extended.vt
        assert await extended.extend_vt(60)
        assert extended.vt - vt == timedelta(seconds=60)
        assert await extended.archive()
        assert await extended.extend_vt(60) is False


async def test_settling_by_id_answers_for_each_id(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(8))
        consumer = await store.consumer("tasks")
        messages = await consumer.dequeue()
        assert await consumer.archive(ids[0]) is True
        assert await consumer.archive(ids[0]) is False
        assert await consumer.delete(ids[1]) is True
        assert await consumer.extend_vt(ids[1], 5) is False
        assert await consumer.extend_vt(ids[2], 5) is True
        assert await consumer.archive_batch([ids[3], ids[0], ids[2]]) == [True, False, True]
        assert await consumer.archive_many(iter([ids[4]])) == [True]
        assert await consumer.delete_batch([ids[5], ids[5] + 1000]) == [True, False]
        assert await consumer.delete_many([]) == []
        assert await consumer.release_messages(ids) == 2
        assert [message.id for message in await consumer.dequeue()] == ids[6:]
        assert [message.read_ct for message in messages] == [1] * 8


async def test_what_a_consumer_dequeued_belongs_to_that_consumer(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        number = await pgqrs.produce(store, "tasks", 1)
        holder, other = await store.consumer("tasks"), await store.consumer("tasks")
        (message,) = await holder.dequeue_many_with_delay(1, 30)
        assert await other.archive(number) is False
        assert await other.extend_vt(number, 1) is False
        assert await holder.archive(number) is True
        assert await message.archive() is False


async def test_an_expired_lease_comes_back_and_the_late_holder_is_told_false(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        number = await pgqrs.produce(store, "tasks", 1)
        first, second = await store.consumer("tasks"), await store.consumer("tasks")
        (late,) = await first.dequeue_many_with_delay(1, 0.2)
        again: list[pgqrs.Message] = []

        async def comes_back() -> bool:
            again.extend(await second.dequeue_many_with_delay(1, 30))
            return bool(again)

        await until(comes_back)
        assert (again[0].id, again[0].read_ct, late.read_ct) == (number, 2, 1)
        for answer in (first.archive(number), first.delete(number), first.extend_vt(number, 9)):
            assert await answer is False
        for answer in (late.archive(), late.delete(), late.extend_vt(9), late.release()):
            assert await answer is False
        assert await second.archive(number) is True


async def test_the_old_message_object_is_told_false_when_the_same_consumer_has_it_again(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        consumer = await store.consumer("tasks")
        (late,) = await consumer.dequeue_many_with_delay(1, 0.2)
        again: list[pgqrs.Message] = []

        async def comes_back() -> bool:
            again.extend(await consumer.dequeue_many_with_delay(1, 30))
            return bool(again)

        await until(comes_back)
        for answer in (late.archive(), late.delete(), late.extend_vt(9), late.release()):
            assert await answer is False
        assert await again[0].archive() is True


async def test_a_released_message_is_ready_after_its_delay(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", ["now", "later"])
        now, later = await drain(store, "tasks")
        assert await later.release(3600)
        assert await now.release()
        (again,) = await drain(store, "tasks")
        assert (again.payload, again.read_ct) == ("now", 2)


@pytest.mark.loops("plain")
async def test_archived_messages_are_in_the_archive_and_deleted_ones_nowhere(
    dsn, database: Database
):
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce_batch(store, "tasks", [{"a": 1}, {"d": 1}])
        archived, deleted = await drain(store, "tasks")
        await archived.archive()
        await deleted.delete()
        assert database.rows("select id, payload, outcome from pgqrs_archive") == [
            (archived.id, {"a": 1}, "archived")
        ]
        assert database.rows("select id from pgqrs_messages") == []


@pytest.mark.loops("plain")
async def test_an_id_that_is_none_is_a_validation_error(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        consumer = await store.consumer("tasks")
        for call in (
            lambda: consumer.archive("1"),
            lambda: consumer.archive_batch("12"),
            lambda: consumer.archive_batch(5),
            lambda: consumer.delete(2**63),
            lambda: consumer.extend_vt(1, -1),
            lambda: consumer.dequeue(-1),
            lambda: consumer.dequeue_many_with_delay(0, 30),
            lambda: consumer.dequeue_many_with_delay(1, 0),
        ):
            with pytest.raises(pgqrs.ValidationError):
                await call()
