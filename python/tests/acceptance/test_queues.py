"""Queues: made, found, listed."""

from __future__ import annotations

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
