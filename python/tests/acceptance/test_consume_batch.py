"""consume_batch(): a handler that takes several messages at once."""

from __future__ import annotations

import asyncio

import pytest
from fix_store import drain, until

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def depth(store: pgqrs.Store) -> int:
    return await (await store.get_messages()).count("tasks")


async def test_a_handler_gets_as_many_as_there_are_and_at_most_a_batch(any_dsn):
    batches: list[list[int]] = []

    async def handler(messages):
        batches.append([message.payload for message in messages])

    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(25))
        await pgqrs.consume_batch(store, "tasks", 10, handler, until_empty=True)
        assert [number for batch in batches for number in batch] == list(range(25))
        assert {len(batch) for batch in batches} <= set(range(1, 11))
        assert len(batches[0]) == 10
        assert await depth(store) == 0


async def test_it_runs_until_it_is_cancelled(any_dsn):
    handled: asyncio.Queue[int] = asyncio.Queue()

    def handler(messages, consumer):  # in a thread
        assert isinstance(consumer, pgqrs.Consumer)
        for message in messages:
            loop.call_soon_threadsafe(handled.put_nowait, message.payload)

    loop = asyncio.get_running_loop()
    async with pgqrs.connect(any_dsn) as store:
        running = asyncio.create_task(
            pgqrs.consume_batch(store, "tasks", 5, handler, concurrency=2)
        )
        for number in range(3):
            await pgqrs.produce(store, "tasks", number)
            assert await asyncio.wait_for(handled.get(), 20) == number
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await depth(store) == 0


async def test_partial_failure_archives_the_good_and_lets_the_rest_retry(any_dsn):
    tries: list[int] = []

    async def handler(messages):
        for message in messages:
            tries.append(message.payload)
            if message.payload % 2 == 0:
                await message.archive()
        return len(messages) == tries.count(1) - 1  # False at first

    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(4))
        running = asyncio.create_task(pgqrs.consume_batch(store, "tasks", 4, handler, vt=1))
        await until(lambda: len(tries) >= 6, "the odd ones to come again")
        running.cancel()
        await asyncio.wait([running])
        assert sorted(tries[:6]) == [0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize("how", ["raises", "false", "odd", "cancelled"])
async def test_a_batch_that_fails_comes_again_whole(any_dsn, caplog, how):
    batches: list[list[int]] = []

    async def handler(messages):
        batches.append([message.payload for message in messages])
        if how == "raises":
            raise RuntimeError("not this time")
        if how == "cancelled":
            raise asyncio.CancelledError
        return False if how == "false" else 5

    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(3))
        await pgqrs.consume_batch(store, "tasks", 3, handler, vt=3600, until_empty=True)
        assert batches == [[0, 1, 2]]
        assert await depth(store) == 3
        told = {
            "raises": "failed on 3 messages",
            "false": "",
            "odd": "returned int",
            "cancelled": "cancelled",
        }
        assert told[how] in caplog.text
        assert len(caplog.records) == (how != "false")
        kept = {"raises": "not this time", "false": "False", "odd": "5", "cancelled": "cancelled"}
        for number in ids:
            (attempt,) = await (await store.get_archive()).history(number)
            assert attempt.outcome == "failed"
            assert kept[how] in attempt.error


async def test_a_batch_is_kept_while_its_handler_runs_for_longer_than_its_vt(any_dsn):
    began, ends = asyncio.Event(), asyncio.Event()
    tries: list[list[int]] = []

    async def handler(messages):
        tries.append([message.read_ct for message in messages])
        began.set()
        await ends.wait()

    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(3))
        vt, loop = 0.4, asyncio.get_running_loop()
        running = asyncio.create_task(
            pgqrs.consume_batch(store, "tasks", 3, handler, vt=vt, until_empty=True)
        )
        await asyncio.wait_for(began.wait(), 20)
        begin, other = loop.time(), await store.consumer("tasks")

        async def long_enough() -> bool:
            assert await other.dequeue(1) == []
            return loop.time() - begin > 3 * vt

        await until(long_enough)
        ends.set()
        await running
        assert tries == [[1, 1, 1]]
        assert await depth(store) == 0


async def test_a_batch_whose_handler_is_aborted_comes_back(any_dsn):
    began, hangs = asyncio.Event(), asyncio.Event()

    async def handler(messages):
        began.set()
        await hangs.wait()

    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(3))
        running = asyncio.create_task(
            pgqrs.consume_batch(store, "tasks", 3, handler, vt=0.3, shutdown_timeout=0)
        )
        await asyncio.wait_for(began.wait(), 20)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        found: list[pgqrs.Message] = []

        async def back() -> bool:
            found.extend(await drain(store, "tasks"))
            return len(found) == 3

        await until(back, "the aborted batch")


@pytest.mark.parametrize("size", [0, 10_001, True, None])
async def test_the_size_of_a_batch_is_checked(memory_dsn, size):
    async with pgqrs.connect(memory_dsn) as store:
        with pytest.raises(pgqrs.ValidationError, match="batch_size"):
            await pgqrs.consume_batch(store, "tasks", size, lambda messages: True)
        with pytest.raises(pgqrs.ValidationError, match="callable"):
            await pgqrs.consume_batch(store, "tasks", 1, None)
