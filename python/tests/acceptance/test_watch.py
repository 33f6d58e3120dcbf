"""Where the library has no descriptor to poll, as on Windows, a thread waits instead."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from fix_store import until

import pgqrs
from pgqrs._native import _store


@pytest.fixture(autouse=True)
def no_descriptor(monkeypatch):
    monkeypatch.setattr(_store.Store, "completion_fd", lambda self: -2)


def waiters() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pgqrs-waiter"]


def ended() -> bool:
    for thread in waiters():
        thread.join(30)
    return not waiters()


@pytest.mark.loops("plain")
async def test_a_store_without_a_descriptor_works(any_dsn):
    seen: list[int] = []

    async def handle(msg: pgqrs.Message) -> None:
        seen.append(msg.payload)

    async with pgqrs.connect(any_dsn) as store:
        assert len(waiters()) == 1
        await asyncio.gather(*(pgqrs.produce(store, "q", n) for n in range(200)))
        await pgqrs.consume(store, "q", handle, concurrency=5, until_empty=True)
        consuming = asyncio.create_task(pgqrs.consume(store, "q", handle))
        await pgqrs.produce(store, "q", 200)
        await until(lambda: len(seen) == 201)
        consuming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consuming
    assert sorted(seen) == list(range(201))
    assert await asyncio.to_thread(ended)


def test_the_thread_ends_with_a_store_that_nobody_closed():
    async def main() -> None:
        store = await pgqrs.connect("memory://watch")
        await pgqrs.produce(store, "q", 1)

    asyncio.run(main())
    gc.collect()
    assert ended()
