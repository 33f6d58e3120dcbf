"""The module functions over a producer or a consumer, and other names for what there
is."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def test_functions_over_a_producer_and_a_consumer_do_what_their_methods_do(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        producer, consumer = await store.producer("tasks"), await store.consumer("tasks")
        ids = [await pgqrs.enqueue(producer, 1), *await pgqrs.enqueue_batch(producer, [2, 3, 4, 5])]
        assert await pgqrs.enqueue_batch(producer, []) == []
        later = await pgqrs.enqueue_delayed(producer, 6, 3600)
        assert await pgqrs.enqueue_delayed(producer, 7, delay_seconds=3600) > later
        first = await pgqrs.dequeue(consumer, 1)
        messages = first + await pgqrs.dequeue(consumer, batch_size=10)
        assert [message.id for message in messages] == ids
        assert {message.producer_worker_id for message in messages} == {producer.worker_id}
        one, two, three, four, five = messages
        assert await pgqrs.extend_vt(consumer, one, 60) is True
        assert await pgqrs.archive(consumer, one) is True
        assert await pgqrs.archive(consumer, one) is False
        assert await pgqrs.extend_vt(consumer, one, 60) is False
        assert await pgqrs.delete(consumer, two.id) is True
        assert await pgqrs.delete(consumer, two) is False
        assert await pgqrs.archive_batch(consumer, [three, four.id]) is True
        assert await pgqrs.archive_batch(consumer, [three, five]) is False
        assert await pgqrs.archive_batch(consumer, []) is True
        assert await five.archive() is False


async def test_the_names_that_the_original_has_are_there(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await store.bootstrap()
        admin = pgqrs.admin(store)
        producer = pgqrs.Producer.new_producer(admin, "tasks", "host", 8080)
        consumer = pgqrs.Consumer.new_consumer(admin, "tasks", "host")
        await producer.enqueue_batch([1, 2, 3])
        assert await consumer.dequeue(0) == []
        assert [m.payload for m in await consumer.dequeue_batch(2)] == [1, 2]
        (message,) = await consumer.dequeue_batch()
        assert isinstance(message, pgqrs.QueueMessage)
        assert await consumer.status() == pgqrs.WorkerStatus.Ready == "ready"
        for refused in (False, -1, 10_001, "1"):
            with pytest.raises(pgqrs.ValidationError, match="batch_size"):
                await consumer.dequeue(refused)


async def test_a_message_is_released_until_a_moment(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        consumer = await store.consumer("tasks")
        messages = await store.get_messages()
        (number,) = await pgqrs.produce_batch(store, "tasks", [1])
        tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
        for moment in (tomorrow, tomorrow.isoformat(), tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ")):
            await consumer.dequeue()
            assert await consumer.release_with_visibility(number, moment) is True
            assert await consumer.release_with_visibility(number, moment) is False
            waits = await messages.get(number)
            assert abs(waits.vt - tomorrow) < timedelta(minutes=1)
            assert await consumer.dequeue() == []
            # Nothing but the clock brings it back: so it is one more.
            (number,) = await pgqrs.produce_batch(store, "tasks", [1])
        await consumer.dequeue()
        assert await consumer.release_with_visibility(number, "2001-01-01T00:00:00+00:00")
        assert len(await consumer.dequeue()) == 1
        for wrong in ("soon", 5, None, datetime(2030, 1, 1)):
            with pytest.raises(pgqrs.ValidationError, match="visible_at"):
                await consumer.release_with_visibility(number, wrong)


async def test_an_iterator_of_a_store_settles_by_id(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(3))
        iterator = store.consume_iter("tasks", poll_interval_ms=50)
        assert isinstance(iterator, pgqrs.ConsumerIterator)
        assert await iterator.archive(ids[0]) is False
        async with iterator as messages:
            found = [await messages.__anext__() for _ in range(2)]
            assert await messages.archive(found[0].id) is True
            assert await messages.archive(found[0].id) is False
            assert await messages.delete(found[1].id) is True
        await iterator.close()
        another = store.consume_iter("tasks", 50, batch_size=1, vt=60)
        message = await asyncio.wait_for(another.__anext__(), 20)
        assert message.id == ids[2]
        assert await message.archive()
        await another.close()
        for wrong in (0, -1, 0.5, "50"):
            with pytest.raises(pgqrs.ValidationError, match="poll_interval_ms"):
                store.consume_iter("tasks", poll_interval_ms=wrong)
