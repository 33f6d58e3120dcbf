"""Messages: the live ones, looked at and settled by their ids."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest

import pgqrs
from pgqrs import MessageState

pytestmark = pytest.mark.loops("plain")


async def test_live_messages_are_found_listed_and_counted(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        admin, messages = pgqrs.admin(store), await store.get_messages()
        assert isinstance(messages, pgqrs.Messages)
        producer, consumer = await store.producer("tasks"), await store.consumer("tasks")
        queue = await (await store.get_queues()).get("tasks")
        payloads = [{"b": 10**30, "a": [1e300, "<é>"]}, None, 2, 3]
        ids = await producer.enqueue_batch(payloads)
        late = await producer.enqueue_delayed("late", 3600)
        other = await pgqrs.produce(store, "others", "other")
        leased, settled = await consumer.dequeue_many_with_delay(2, 60)
        assert await settled.archive()

        found = await messages.list("tasks")
        assert [m.id for m in found] == [ids[0], *ids[2:], late]
        assert [m.payload for m in found] == [payloads[0], 2, 3, "late"]
        assert list(found[0].payload) == ["b", "a"]
        assert [str(m.state) for m in found] == ["leased", "ready", "ready", "delayed"]
        assert found[0].consumer_worker_id == consumer.worker_id
        assert found[0].vt == leased.vt
        assert found[0].dequeued_at == leased.dequeued_at
        assert found[0].read_ct == 1
        assert {m.producer_worker_id for m in found} == {producer.worker_id}
        assert {m.queue_id for m in found} == {queue.id}
        assert found[3].vt - found[3].enqueued_at == timedelta(seconds=3600)
        assert (found[1].dequeued_at, found[1].consumer_worker_id) == (None, None)
        assert await messages.get(late) == found[3]
        assert [m.id for m in await messages.list("tasks", "ready")] == ids[2:]
        assert [m.id for m in await messages.list("tasks", MessageState.LEASED)] == [ids[0]]
        everywhere = await (await admin.get_messages()).list()
        assert [m.id for m in everywhere] == [other, *(m.id for m in found)]

        assert [await messages.count(), await messages.count("tasks")] == [5, 4]
        assert [await messages.count("tasks", state) for state in MessageState] == [2, 1, 1]
        assert await messages.count(state="ready") == 3
        # To look leases nothing.
        assert [m.id for m in await consumer.dequeue()] == ids[2:]


async def test_what_is_not_alive_or_not_there_is_an_error(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        messages = await store.get_messages()
        number = await pgqrs.produce(store, "tasks", 1)
        await pgqrs.consume(store, "tasks", lambda message: True, until_empty=True)
        with pytest.raises(pgqrs.MessageNotFoundError, match=f"message {number} is archived"):
            await messages.get(number)
        with pytest.raises(pgqrs.MessageNotFoundError):
            await messages.get(1 << 50)
        for ask in (messages.list, messages.count):
            with pytest.raises(pgqrs.QueueNotFoundError, match="nowhere"):
                await ask("nowhere")
            with pytest.raises(pgqrs.ValidationError, match="ready, delayed, leased"):
                await ask("tasks", "archived")


async def test_a_long_queue_is_listed_in_pages(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(750))
        ids += [await pgqrs.produce(store, "tasks", number) for number in range(30)]
        consumer = await store.consumer("tasks")
        taken = {m.id for m in await consumer.dequeue_many_with_delay(300, 60) if m.payload % 3}
        assert await consumer.delete_many(taken) == [True] * len(taken)
        messages = await store.get_messages()
        left = [number for number in ids if number not in taken]
        assert [m.id for m in await messages.list("tasks")] == left
        async for message in messages.iterate("tasks"):
            assert message.id == left[0]
            break
        # So much that it takes more than one page, which few messages fill.
        big = await pgqrs.produce_batch(store, "big", [secrets.token_hex(2_500_000)] * 5)
        assert [m.id for m in await messages.list("big")] == big


async def test_a_message_is_deleted_or_released_by_its_id(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        messages, consumer = await store.get_messages(), await store.consumer("tasks")
        late = await pgqrs.produce(store, "tasks", "late", delay_seconds=3600)
        cancelled = await pgqrs.produce(store, "tasks", "cancelled", delay_seconds=3600)
        await messages.delete(cancelled)
        await messages.release(late)
        (held,) = await consumer.dequeue()
        assert (held.id, held.read_ct) == (late, 1)
        with pytest.raises(pgqrs.StateTransitionError, match=f"message {late} is leased"):
            await messages.delete(late)
        await messages.release(late)
        assert not await held.archive()
        (again,) = await consumer.dequeue()
        assert (again.id, again.read_ct) == (late, 2)
        await messages.delete(late, force=True)
        assert not await again.archive()
        for call in (messages.delete, messages.release):
            with pytest.raises(pgqrs.MessageNotFoundError):
                await call(late)
        assert await messages.count() == 0
