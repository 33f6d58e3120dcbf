"""Every coroutine of the API, cancelled at each of its await points: once as
Task.cancel() does while something is awaited, and once when that has come and the
coroutine does not know it yet. Nothing hangs, and no message is lost or stays leased."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest
from fix_store import until

import pgqrs

VT = 3600
MOST_POINTS = 60


@types.coroutine
def cancelled_at(
    point: int, late: bool, coroutine: Awaitable[Any], reached: list[int]
) -> Generator[Any, Any, Any]:
    """Runs a coroutine and cancels it at that await point, of which the first is 0.
    reached: the points that it passed are added."""
    steps = coroutine.__await__()
    thrown: BaseException | None = None
    while True:
        try:
            awaited = steps.send(None) if thrown is None else steps.throw(thrown)
        except StopIteration as end:
            return end.value
        thrown = None
        here = len(reached) == point
        reached.append(point)
        cancelled = here and not late and awaited is not None and awaited.cancel()
        try:
            if cancelled or not here or late:
                yield awaited
        except BaseException as error:  # of what it awaited
            thrown = error
            continue
        if here and not cancelled:
            thrown = asyncio.CancelledError()


async def walk(make: Callable[[], Awaitable[Any]]) -> int:
    """Cancels what make() makes at its first await point, at its second, and so on until
    there is no further one: how many there were."""
    for late in (False, True):
        for point in range(MOST_POINTS):
            reached: list[int] = []
            try:
                await asyncio.wait_for(_run(cancelled_at(point, late, make(), reached)), 60)
            except asyncio.CancelledError:
                continue
            except StopAsyncIteration:
                continue
            if len(reached) <= point:
                break  # it ended before that point
        else:
            pytest.fail(f"more than {MOST_POINTS} await points")
    return point


async def _run(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Host:
    """A store whose every operation is walked."""

    def __init__(self, store: pgqrs.Store, dsn: str) -> None:
        self.store = store
        self.dsn = dsn
        self.held: list[pgqrs.Message] = []  # what was delivered

    async def handler(self, msg: pgqrs.Message) -> None:
        await asyncio.sleep(0)

    async def connect(self) -> None:
        async with pgqrs.connect(self.dsn, max_connections=2) as store:
            await pgqrs.produce(store, "connected", 1)

    async def iterate(self) -> None:
        async with pgqrs.consume_iter(self.store, "tasks", vt=VT, batch_size=5) as messages:
            async for message in messages:
                self.held.append(message)
                await message.release()
                break

    async def consume(self) -> None:
        await pgqrs.produce_batch(self.store, "few", [1, 2])
        await pgqrs.consume(self.store, "few", self.handler, vt=VT, until_empty=True)

    async def settle(self) -> None:
        consumer = await self.store.consumer("tasks")
        messages: list[pgqrs.Message] = []
        while len(messages) < 2:  # one whose lease ran out twice comes alone
            some = await consumer.dequeue_many_with_delay(2 - len(messages), VT)
            self.held += some
            messages += some
        await messages[0].extend_vt(1)
        await messages[1].release()
        await consumer.release_messages([messages[0].id])

    async def administrate(self) -> None:
        admin = pgqrs.admin(self.dsn)
        async with admin:
            await admin.queue_metrics("tasks")
            producer = pgqrs.producer(admin, "tasks", "host", 1)
            await producer.suspend()
            await producer.resume()
            await producer.shutdown()

    def operations(self) -> dict[str, Callable[[], Coroutine[Any, Any, Any]]]:
        return {
            "connect": self.connect,
            "produce": lambda: pgqrs.produce(self.store, "others", 1),
            "produce_batch": lambda: pgqrs.produce_batch(self.store, "others", [1, 2, 3]),
            "settle": self.settle,
            "iterate": self.iterate,
            "consume": self.consume,
            "administrate": self.administrate,
            "list": self.list,
        }

    async def list(self) -> None:
        await (await self.store.get_queues()).list()
        await (await self.store.get_workers()).list()


async def test_a_cancel_at_each_await_point_loses_nothing(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(40))
        host = Host(store, any_dsn)
        points = {name: await walk(make) for name, make in host.operations().items()}
        assert all(points.values()), points
        for message in host.held:  # whatever became of the call that was to do it
            await message.release()
        admin = pgqrs.admin(store)

        async def none_leased() -> bool:
            tasks, few = await admin.queue_metrics("tasks"), await admin.queue_metrics("few")
            assert few.ready + few.leased + few.archived == few.produced
            return (tasks.ready, tasks.leased, few.leased) == (len(ids), 0, 0)

        await until(none_leased, "what was leased to come back")


@pytest.mark.loops("plain", "uvloop")
async def test_a_close_that_is_cancelled_at_any_await_point_closes_all_the_same(any_dsn):
    async def opened() -> Callable[[], Awaitable[Any]]:
        store = await pgqrs.connect(any_dsn, max_connections=2)
        await pgqrs.produce(store, "tasks", 1)
        return store.close

    for late in (False, True):
        for point in range(MOST_POINTS):
            close, reached = await opened(), []
            try:
                await _run(cancelled_at(point, late, close(), reached))
            except asyncio.CancelledError:
                await close()
            if len(reached) <= point:
                break
        assert point > 0
