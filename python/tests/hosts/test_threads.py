"""Several stores, several event loops, several threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings

import pytest
from fix_leaks import PATIENCE_SECONDS, connections
from fix_loop import LOOPS
from fix_store import Database, eventually, until

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def share(dsn: str, who: int, seen: list[int], stop: threading.Event) -> list[int]:
    """Produces 100 messages, and consumes until it is told to stop."""

    async def handler(msg: pgqrs.Message) -> None:
        seen.append(msg.id)

    async with pgqrs.connect(dsn, max_connections=4) as store:
        consuming = asyncio.ensure_future(pgqrs.consume(store, "tasks", handler, concurrency=4))
        producing = [pgqrs.produce(store, "tasks", [who, n]) for n in range(50)]
        ids = await asyncio.gather(*producing)
        ids += await pgqrs.produce_batch(store, "tasks", ([who, n] for n in range(50)))
        await until(stop.is_set)
        consuming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consuming
    return ids


def test_event_loops_in_threads_each_have_a_store_of_their_own(any_dsn):
    async def install() -> None:
        async with pgqrs.connect(any_dsn):
            pass

    asyncio.run(install())
    stop, seen, ids, errors = threading.Event(), [], [], []

    def run(who: int, loop_name: str) -> None:
        loop = LOOPS[loop_name]()
        try:
            ids.extend(loop.run_until_complete(share(any_dsn, who, seen, stop)))
        except BaseException as error:
            errors.append(error)
        finally:
            loop.close()

    threads = [
        threading.Thread(target=run, args=(n, name))
        for n, name in enumerate(["plain", "uvloop", "plain", "debug"])
    ]
    for thread in threads:
        thread.start()

    async def all_seen() -> None:
        await until(lambda: len(seen) >= 400 or bool(errors), "400 messages")

    try:
        asyncio.run(all_seen())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors
    assert sorted(seen) == sorted(ids)


async def test_two_stores_of_one_loop_know_nothing_of_each_other(dsn, memory_dsn):
    one, other = await pgqrs.connect(dsn), await pgqrs.connect(memory_dsn)
    again = await pgqrs.connect(dsn)
    await pgqrs.produce(one, "tasks", "one")
    await pgqrs.produce(other, "tasks", "other")
    iterator = pgqrs.consume_iter(other, "tasks")
    assert (await iterator.__anext__()).payload == "other"
    waiting = asyncio.ensure_future(iterator.__anext__())
    await other.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    # What belongs to a store of the same database stays with it.
    mine = await (await one.consumer("tasks")).dequeue()
    await one.close()
    theirs = await again.consumer("tasks")
    assert await theirs.dequeue() == []
    with pytest.raises(pgqrs.PgqrsConnectionError, match="closed"):
        await mine[0].archive()
    await pgqrs.produce(again, "tasks", "again")
    assert [message.payload for message in await theirs.dequeue()] == ["again"]
    await again.close()


def test_a_store_that_is_collected_with_work_in_flight_warns_and_leaks_nothing(
    dsn, database: Database
):
    async def begin() -> None:
        store = await pgqrs.connect(dsn)
        await pgqrs.produce_batch(store, "tasks", range(20))
        messages = await (await store.consumer("tasks")).dequeue(2)
        iterator = pgqrs.consume_iter(store, "tasks", vt=3600)
        await iterator.__anext__()
        kept.append(iterator)
        for message in messages:  # which do not keep their store
            task = asyncio.ensure_future(message.archive())
            task._log_destroy_pending = False
            kept.append(task)
        await asyncio.sleep(0)

    kept: list[object] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kept.clear()
        gc.collect()
    told = [str(w.message) for w in caught if w.category is ResourceWarning]
    assert len(told) == 1, told
    assert "dropped with 2 operations in flight" in told[0]
    eventually(lambda: not connections(dsn), "no connections", PATIENCE_SECONDS)
    leased = "select count(*)::int from pgqrs_messages where vt > now()"
    assert database.value(leased) == 1  # what was yielded; the rest was given back
