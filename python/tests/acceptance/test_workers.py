"""Workers: their rows, states, heartbeats, and what they hold."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fix_store import until

import pgqrs
from pgqrs import WorkerStatus

pytestmark = pytest.mark.loops("plain")


async def test_a_worker_is_registered_on_first_use_and_listed(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        workers = await store.get_workers()
        producer = pgqrs.producer(pgqrs.admin(store), "tasks", "scheduler", 8080)
        assert producer.worker_id is None
        assert await workers.count() == 0
        await producer.enqueue(1)
        consumer = await store.consumer("tasks")
        newest, oldest = await workers.list()
        assert (newest.id, oldest.id) == (consumer.worker_id, producer.worker_id)
        assert (oldest.hostname, oldest.port, oldest.name) == (
            "scheduler",
            8080,
            f"scheduler-{oldest.id}",
        )
        assert oldest.status is WorkerStatus.READY
        assert oldest.status == "ready"
        assert oldest.heartbeat_at >= oldest.started_at
        assert oldest.shutdown_at is None
        assert timedelta(0) <= oldest.heartbeat_age < timedelta(minutes=1)
        assert (await workers.get(oldest.id)).started_at == oldest.started_at
        await consumer.suspend()
        assert [w.id for w in await workers.list(status="suspended")] == [consumer.worker_id]
        assert await workers.list("tasks", WorkerStatus.STOPPED) == []
        assert await (await pgqrs.admin(store).get_workers()).count("tasks") == 2
        with pytest.raises(pgqrs.ValidationError, match="one of ready, polling"):
            await workers.list(status="busy")
        with pytest.raises(pgqrs.WorkerNotFoundError):
            await workers.get(1 << 50)


async def test_a_suspended_consumer_gets_an_empty_list_until_it_is_resumed(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", [1, 2])
        consumer = await store.consumer("tasks")
        (held,) = await consumer.dequeue(1)
        await consumer.suspend()
        assert await consumer.status() is WorkerStatus.SUSPENDED
        assert await consumer.dequeue() == []
        assert await consumer.archive(held.id)
        await consumer.resume()
        (held,) = await consumer.dequeue()
        await consumer.shutdown()
        with pytest.raises(pgqrs.StateTransitionError, match=r"worker \d+ is stopped"):
            await consumer.dequeue()
        with pytest.raises(pgqrs.StateTransitionError, match=r"is stopped.* to ready"):
            await consumer.resume()
        assert await held.archive()


async def test_a_suspended_producer_refuses_to_enqueue(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        producer = await store.producer("tasks")
        await producer.suspend()
        with pytest.raises(pgqrs.StateTransitionError, match="is suspended"):
            await producer.enqueue(1)
        with pytest.raises(pgqrs.StateTransitionError, match="is suspended"):
            await producer.enqueue_batch([1])
        await producer.resume()
        await producer.enqueue(1)


async def test_consume_stops_fetching_while_its_worker_is_suspended(any_dsn):
    handled: asyncio.Queue[int] = asyncio.Queue()

    async def handler(message):
        handled.put_nowait(message.payload)

    async with pgqrs.connect(any_dsn) as store:
        workers = await store.get_workers()
        running = asyncio.create_task(pgqrs.consume(store, "tasks", handler))
        await pgqrs.produce(store, "tasks", 1)
        assert await asyncio.wait_for(handled.get(), 20) == 1
        (worker,) = await workers.list("tasks", WorkerStatus.POLLING)
        await workers.suspend(worker.id)
        for number in range(2, 12):
            await pgqrs.produce(store, "tasks", number)
            assert await pgqrs.consume(store, "tasks", handler, until_empty=True) is None
            if handled.empty():
                break
            handled.get_nowait()  # its last fetch was on its way when it was suspended
        assert handled.empty()
        await workers.resume(worker.id)
        assert await asyncio.wait_for(handled.get(), 20) == number
        await until(lambda: _is(workers, worker.id, "polling"))
        await workers.interrupt(worker.id)
        with pytest.raises(pgqrs.StateTransitionError, match="is interrupted"):
            await asyncio.wait_for(running, 20)
        await until(lambda: _is(workers, worker.id, "suspended"))


async def _is(workers, worker_id, status):
    return (await workers.get(worker_id)).status == status


async def test_a_worker_tells_that_it_is_alive(any_dsn):
    async with pgqrs.connect(any_dsn, heartbeat_interval_seconds=0.1) as store:
        consumer = await store.consumer("tasks")
        workers = await store.get_workers()
        (first,) = await workers.list()

        async def beaten() -> bool:
            return (await workers.get(first.id)).heartbeat_at > first.started_at

        await until(beaten, "a heartbeat by itself")
        assert await consumer.is_healthy(60)
        assert not await consumer.is_healthy(0)
        await consumer.heartbeat()
        await consumer.shutdown()
        assert not await consumer.is_healthy(60)
        with pytest.raises(pgqrs.StateTransitionError):
            await consumer.heartbeat()


async def test_the_health_of_workers_is_counted(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        workers = await store.get_workers()
        for suspend in (True, False):
            consumer = await store.consumer("tasks")
            if suspend:
                await consumer.suspend()
        await (await store.producer("others")).shutdown()
        health = await workers.health_stats()
        assert (health.total, health.ready, health.suspended, health.stopped) == (3, 1, 1, 1)
        assert (health.queue_id, health.stale) == (None, 0)
        assert (await workers.health_stats(0)).stale == 2
        assert (await workers.health_stats(queue="others")).total == 1
        assert [h.total for h in await workers.health_by_queue()] == [2, 1]
        assert await workers.purge_stale(60) == 0
        assert await workers.purge_stale(0) == 3
        assert await workers.count() == 0


async def test_what_another_worker_holds_is_made_ready(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        admin = pgqrs.admin(store)
        await pgqrs.produce_batch(store, "tasks", range(3))
        lost, other = await store.consumer("tasks"), await store.consumer("tasks")
        held = await lost.dequeue_many_with_delay(2, 3600)
        assert await admin.release_worker_messages(lost.worker_id) == 2
        assert not await held[0].archive()
        assert len(await other.dequeue_many_with_delay(3, 3600)) == 3
        assert await admin.release_worker_messages(1 << 50) == 0
        assert await admin.reclaim_messages("tasks") == 0
        assert await admin.reclaim_messages("tasks", 0) == 3


async def test_a_closed_store_leaves_stopped_workers(dsn):
    async with pgqrs.connect(dsn) as store:
        consumer = await store.consumer("tasks")
        await pgqrs.produce(store, "tasks", 1)  # leaves none
    async with pgqrs.admin(dsn) as admin:
        (worker,) = await (await admin.get_workers()).list()
        assert worker.id == consumer.worker_id
        assert worker.status is WorkerStatus.STOPPED
        assert worker.shutdown_at >= worker.heartbeat_at


@pytest.mark.loops("plain")
async def test_what_workers_hold_is_counted(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(10))
        one, two = await store.consumer("tasks"), await store.consumer("tasks")
        workers = await store.get_workers()
        held = await one.dequeue_many_with_delay(7, 60)
        await two.dequeue_many_with_delay(2, 60)
        assert await held[0].archive()
        found = await workers.leases("tasks")
        assert [(f.worker_id, f.leased) for f in found] == [(one.worker_id, 6), (two.worker_id, 2)]
        assert found[0].longest >= found[1].longest >= timedelta(0)
        assert [f.leased for f in await workers.leases()] == [6, 2]
