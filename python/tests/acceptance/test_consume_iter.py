"""consume_iter(): what it yields, keeps and gives back."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from fix_store import Database, drain, until

import pgqrs


async def ready(store: pgqrs.Store, queue: str, count: int) -> None:
    """Waits until that many messages can be leased, as never read before."""
    found: list[pgqrs.Message] = []
    consumer = await store.consumer(queue)

    async def all_there() -> bool:
        found.extend(await consumer.dequeue_many_with_delay(1000, 30))
        return len(found) >= count

    await until(all_there, f"{count} messages, of which {len(found)} came")
    assert len(found) == count
    assert {message.read_ct for message in found} <= {1}


async def test_messages_are_yielded_in_order_and_can_be_archived(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(300))
        seen = []
        async for message in pgqrs.consume_iter(store, "tasks"):
            seen.append((message.id, message.payload))
            assert await message.archive()
            if len(seen) == 300:
                break
        assert seen == list(zip(ids, range(300), strict=True))
        assert await drain(store, "tasks") == []


async def test_it_waits_for_messages_that_are_produced_later(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        iterator = pgqrs.consume_iter(store, "tasks")
        waiting = asyncio.create_task(iterator.__anext__())
        await asyncio.sleep(0)
        number = await pgqrs.produce(store, "tasks", 1)
        assert (await asyncio.wait_for(waiting, 10)).id == number
        await iterator.aclose()


async def test_break_gives_back_what_was_not_yielded(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(100))
        async for message in pgqrs.consume_iter(store, "tasks", vt=3600):
            assert message.payload == 0
            break
        await ready(store, "tasks", 99)


async def test_an_exception_in_the_loop_gives_back_what_was_not_yielded(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(100))

        async def fails() -> None:
            async for _ in pgqrs.consume_iter(store, "tasks", vt=3600):
                raise LookupError

        with pytest.raises(LookupError):
            await fails()
        await ready(store, "tasks", 99)


async def test_cancel_gives_back_what_was_not_yielded(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(100))
        got_one = asyncio.Event()

        async def loops() -> None:
            async for _ in pgqrs.consume_iter(store, "tasks", vt=3600):
                got_one.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(loops())
        await got_one.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await ready(store, "tasks", 99)


async def test_cancel_while_it_waits_loses_nothing(any_dsn):
    async with pgqrs.connect(any_dsn) as store:

        async def loops() -> None:
            async for _ in pgqrs.consume_iter(store, "tasks", vt=3600):
                pytest.fail("nothing was produced yet")

        task = asyncio.create_task(loops())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await pgqrs.produce_batch(store, "tasks", range(10))
        await ready(store, "tasks", 10)


async def test_async_with_gives_back_before_it_ends(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(100))
        async with pgqrs.consume_iter(store, "tasks", vt=3600) as messages:
            async for message in messages:
                assert await message.archive()
                break
        found = await drain(store, "tasks")
        assert sorted(message.payload for message in found) == list(range(1, 100))
        assert {message.read_ct for message in found} == {1}


async def test_an_iterator_that_timed_out_goes_on(any_dsn):
    async with pgqrs.connect(any_dsn) as store, pgqrs.consume_iter(store, "tasks") as messages:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(messages.__anext__(), 0.05)
        await pgqrs.produce(store, "tasks", "later")
        assert (await asyncio.wait_for(messages.__anext__(), 10)).payload == "later"


async def test_a_closed_iterator_ends(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        messages = pgqrs.consume_iter(store, "tasks")
        waiting = asyncio.create_task(messages.__anext__())
        for _ in range(5):
            await asyncio.sleep(0)
        await messages.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await messages.__anext__()
        await messages.aclose()


async def test_an_iterator_that_was_never_used_leaves_nothing(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        pgqrs.consume_iter(store, "tasks")
        await pgqrs.consume_iter(store, "tasks").aclose()


async def test_closing_the_store_ends_it_normally_and_gives_back(any_dsn):
    store = await pgqrs.connect(any_dsn)
    await pgqrs.produce_batch(store, "tasks", range(100))
    seen = []
    async for message in pgqrs.consume_iter(store, "tasks", vt=3600):
        seen.append(message)
        await store.close()
    assert len(seen) == 1
    async with pgqrs.connect(any_dsn) as store:
        if any_dsn.startswith("postgresql"):  # what is in memory goes with its last store
            await ready(store, "tasks", 99)


@pytest.mark.parametrize("size", [1, 2, 10])
async def test_no_more_than_batch_size_are_leased_and_undelivered(dsn, database: Database, size):
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(40))
        seen = 0
        leased = "select count(*) from pgqrs_messages where read_ct > 0"
        async for message in pgqrs.consume_iter(store, "tasks", batch_size=size, vt=60):
            seen += 1
            assert database.value(leased) - seen <= size
            assert message.payload == seen - 1
            if seen == 25:
                break
        assert seen == 25


async def test_what_was_fetched_and_not_yielded_is_kept_for_longer_than_its_vt(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(30))
        other = await store.consumer("tasks")
        vt, loop = 0.6, asyncio.get_running_loop()
        begin = loop.time()
        async with pgqrs.consume_iter(store, "tasks", batch_size=50, vt=vt) as messages:
            assert await (await messages.__anext__()).archive()

            async def long_enough() -> bool:
                assert await other.dequeue(1) == []
                return loop.time() - begin > 3 * vt

            await until(long_enough)
            second = await messages.__anext__()
            left = second.vt - datetime.now(timezone.utc)
            assert timedelta(seconds=vt / 2 - 0.1) < left <= timedelta(seconds=vt)
            assert second.read_ct == 1
            assert await second.archive()


async def test_what_was_yielded_is_not_kept(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        async with pgqrs.consume_iter(store, "tasks", vt=0.6) as messages:
            first = await messages.__anext__()
            again = await asyncio.wait_for(messages.__anext__(), 10)
            assert (again.id, again.read_ct) == (first.id, 2)
            assert await first.archive() is False
            assert await again.archive() is True


async def test_a_consumer_of_the_same_queue_may_settle_by_id_what_was_yielded(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(4))
        consumer = pgqrs.consumer(pgqrs.admin(store), "tasks", "host", 8080)
        stranger = pgqrs.consumer(store, "another queue", "host", 8080)
        async with pgqrs.consume_iter(store, "tasks") as messages:
            one, two, three, four = [await messages.__anext__() for _ in range(4)]
            assert await consumer.extend_vt(one.id, 60) is True
            assert await consumer.archive(one.id) is True
            assert await consumer.delete(two.id) is True
            assert await stranger.archive(three.id) is False
            assert await three.consumer.archive(three.id) is True
            assert await consumer.release_messages([four.id]) == 1
        assert [message.payload for message in await drain(store, "tasks")] == [3]


async def test_several_tasks_may_share_one_iterator(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(60))
        async with pgqrs.consume_iter(store, "tasks") as messages:

            async def some() -> list[int]:
                return [(await messages.__anext__()).payload for _ in range(20)]

            lists = await asyncio.gather(some(), some(), some())
        assert sorted(number for numbers in lists for number in numbers) == list(range(60))


async def test_anext_on_an_iterator_that_nobody_keeps_works(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(3))
        message = await pgqrs.consume_iter(store, "tasks").__anext__()
        assert message.payload == 0
        await ready(store, "tasks", 2)
