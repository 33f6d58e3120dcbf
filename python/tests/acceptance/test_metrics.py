"""Metrics: numbers of queues, from Python and from SQL."""

from __future__ import annotations

import pytest

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def work(store: pgqrs.Store) -> None:
    """Leaves 2 ready, 1 delayed, 1 leased, 1 archived; 1 was deleted."""
    await pgqrs.produce_batch(store, "tasks", [1, 2, 3, 4, 5])
    await pgqrs.produce(store, "tasks", 6, delay_seconds=3600)
    consumer = await store.consumer("tasks")
    messages = await consumer.dequeue_many_with_delay(3, 3600)
    await messages[0].archive()
    await messages[1].delete()


async def test_metrics_say_where_messages_are(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        admin = pgqrs.admin(store)
        await work(store)
        metrics = await admin.queue_metrics("tasks")
        assert (metrics.depth, metrics.ready, metrics.delayed, metrics.leased) == (4, 2, 1, 1)
        assert (metrics.archived, metrics.dead, metrics.produced, metrics.acked) == (1, 0, 6, 2)
        assert 0 < metrics.oldest_ready_age_seconds < 60
        assert 0 < metrics.ack_rate < metrics.produce_rate <= 6 / 50
        await admin.create_queue("another")
        await admin.pause_queue("another")
        every = await admin.all_queues_metrics()
        assert [each.queue_name for each in every] == ["another", "tasks"]
        assert every[0].paused_at is not None
        assert (every[0].depth, every[0].oldest_ready_age_seconds) == (0, 0)
        queues = await store.get_queues()
        assert (await queues.metrics("tasks")).produced == 6
        assert len(await queues.list_metrics()) == 2
        with pytest.raises(pgqrs.QueueNotFoundError):
            await admin.queue_metrics("nowhere")


async def test_system_stats_are_of_all_queues(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await work(store)
        await pgqrs.produce(store, "another", 1)
        stats = await pgqrs.admin(store).system_stats()
        assert (stats.queues, stats.paused_queues, stats.depth, stats.ready) == (2, 0, 5, 3)
        assert (stats.workers, stats.active_workers, stats.produced, stats.acked) == (1, 1, 7, 2)
        assert (stats.schema_version > 0) == any_dsn.startswith("postgresql")


async def test_the_view_shows_the_same(dsn, database):
    async with pgqrs.connect(dsn) as store:
        await work(store)
        metrics = await pgqrs.admin(store).queue_metrics("tasks")
        row = database.rows(
            "select depth, ready, delayed, leased, archived, dead, produced, acked"
            " from pgqrs_metrics where queue_name = 'tasks'"
        )[0]
        assert row == (
            metrics.depth,
            metrics.ready,
            metrics.delayed,
            metrics.leased,
            metrics.archived,
            metrics.dead,
            metrics.produced,
            metrics.acked,
        )
