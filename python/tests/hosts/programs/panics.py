"""panics.py LIBRARY: loads a library that panics on command, and lives on."""

import asyncio
import contextlib
import sys
from pathlib import Path

import pgqrs
from pgqrs._native import _library

PANIC = "pgqrs:panic"


async def told(awaitable):
    try:
        await awaitable
    except pgqrs.InternalError as error:
        return str(error)
    raise AssertionError("no error")


async def main(way):
    store, other = await pgqrs.connect("memory://a"), await pgqrs.connect("memory://b")
    iterator = pgqrs.consume_iter(other, "tasks")
    waiting = asyncio.ensure_future(iterator.__anext__())
    hanging = asyncio.ensure_future(pgqrs.consume(store, "tasks", print))
    await asyncio.sleep(0)
    if way == "produce":
        said = await told(pgqrs.produce(store, PANIC, 1))
    elif way == "register":
        said = await told(store.producer(PANIC))
    else:
        said = await told(pgqrs.consume_iter(store, PANIC).__anext__())
    assert "on command" in said, said
    # The store where it happened ends; whatever is asked afterwards is refused.
    await told(hanging)
    for later in (
        pgqrs.produce(store, "tasks", 1),
        pgqrs.produce(other, "tasks", 1),
        pgqrs.connect("memory://c"),
        other.queue("q"),
    ):
        assert "restart" in await told(later)
    waiting.cancel()
    for each in (store, other):
        with contextlib.suppress(pgqrs.InternalError):
            await asyncio.wait_for(each.close(), 5)
    print("lives")


_library.load(Path(sys.argv[1]))
asyncio.run(main(sys.argv[2]))
