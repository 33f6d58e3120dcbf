"""dequeue().…poll(store): a loop that leases to a worker of its own."""

from __future__ import annotations

import asyncio

import pytest
from fix_store import until

import pgqrs
from pgqrs import WorkerStatus

pytestmark = pytest.mark.loops("plain")


async def test_poll_handles_messages_until_it_is_cancelled(any_dsn):
    handled: asyncio.Queue[int] = asyncio.Queue()

    async def handler(message):
        if message.payload == "bad":
            raise RuntimeError("which ends nothing")
        handled.put_nowait(message.payload)

    async with pgqrs.connect(any_dsn) as store:
        builder = pgqrs.dequeue().from_queue("tasks").poll_interval(100).handle(handler)
        assert (builder.queue, builder.batch_size, builder.poll_interval_ms) == ("tasks", 1, 100)
        assert not builder.has_worker()
        polling = asyncio.create_task(builder.poll(store))
        for payload in (1, "bad", 2):
            await pgqrs.produce(store, "tasks", payload)
        assert [await asyncio.wait_for(handled.get(), 20) for _ in range(2)] == [1, 2]
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling
        assert [m.payload for m in await (await store.get_messages()).list("tasks")] == ["bad"]


async def test_a_loop_leases_to_the_worker_that_it_is_given_and_ends_with_it(any_dsn):
    held: asyncio.Queue[list[pgqrs.Message]] = asyncio.Queue()
    go_on = asyncio.Event()

    async def handler(messages, consumer):
        assert consumer is worker
        held.put_nowait(messages)
        await go_on.wait()

    async with pgqrs.connect(any_dsn) as store:
        worker, other = await store.consumer("tasks"), await store.consumer("tasks")
        await pgqrs.produce_batch(store, "tasks", range(3))
        builder = pgqrs.dequeue().worker(worker).batch(2).handle_batch(handler)
        assert (builder.queue, builder.batch_size, builder.has_worker()) == ("tasks", 2, True)
        polling = asyncio.create_task(builder.poll(store))
        messages = await asyncio.wait_for(held.get(), 20)
        assert [message.payload for message in messages] == [0, 1]
        assert {message.consumer_worker_id for message in messages} == {worker.worker_id}
        assert await worker.status() is WorkerStatus.POLLING
        assert await other.archive(messages[0].id) is False
        assert await worker.archive(messages[0].id) is True
        go_on.set()
        await asyncio.wait_for(held.get(), 20)
        await worker.interrupt()
        with pytest.raises(pgqrs.PgqrsError, match="is interrupted") as caught:
            await asyncio.wait_for(polling, 20)
        assert isinstance(caught.value, pgqrs.StateTransitionError)

        async def suspended() -> bool:
            return await worker.status() is WorkerStatus.SUSPENDED

        await until(suspended)
        await worker.resume()
        again = asyncio.create_task(worker.consume_batch(batch_size=5, handler=handler))
        await pgqrs.produce(store, "tasks", 3)
        assert [m.payload for m in await asyncio.wait_for(held.get(), 20)] == [3]
        await worker.shutdown()
        with pytest.raises(pgqrs.StateTransitionError, match="is stopped"):
            await asyncio.wait_for(again, 20)
        with pytest.raises(pgqrs.StateTransitionError, match="is stopped"):
            await worker.consume_batch(5, handler)


async def test_what_a_builder_lacks_or_has_too_much_of_is_named(memory_dsn):
    async def handler(message): ...

    async with pgqrs.connect(memory_dsn) as store, pgqrs.connect(memory_dsn) as another:
        worker = await store.consumer("tasks")
        for builder, target, told in (
            (pgqrs.dequeue().handle(handler), store, "from_queue"),
            (pgqrs.dequeue().from_queue("tasks"), store, "handle"),
            (pgqrs.dequeue().from_queue("tasks").batch(2).handle(handler), store, "handle_batch"),
            (pgqrs.dequeue().from_queue("others").worker(worker).handle(handler), store, "queue"),
            (pgqrs.dequeue().worker(worker).handle(handler), another, "another store"),
            (pgqrs.dequeue().from_queue("tasks").handle(handler), None, "Store"),
        ):
            with pytest.raises(pgqrs.ValidationError, match=told):
                await builder.poll(target)
        for wrong in (
            lambda: pgqrs.dequeue().handle(handler).handle_batch(handler),
            lambda: pgqrs.dequeue().from_queue(""),
            lambda: pgqrs.dequeue().batch(0),
            lambda: pgqrs.dequeue().worker("tasks"),
            lambda: pgqrs.dequeue().poll_interval(0),
        ):
            with pytest.raises(pgqrs.ValidationError):
                wrong()
        assert "tasks" in repr(pgqrs.dequeue().from_queue("tasks"))
