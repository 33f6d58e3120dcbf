"""Bounds, and the end of a program, while the server is away."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from fix_store import until

import pgqrs

PENDING = 2**20
PAYLOAD = "x" * 10_000


def stored(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from pgqrs_log").fetchone()
        assert row is not None
        return int(row[0])


def error(task: asyncio.Task[int]) -> Any:
    return task.exception() if task.done() else None


@pytest.mark.loops("plain")
async def test_with_the_server_away_produce_waits_for_room_or_times_out(server):
    dsn = await asyncio.to_thread(server.fresh_database)
    patient = await pgqrs.connect(dsn, max_pending_bytes=PENDING)
    hasty = await pgqrs.connect(dsn, max_pending_bytes=PENDING, produce_timeout_seconds=0.2)
    for store in (patient, hasty):
        await pgqrs.produce(store, "tasks", 0)
    await server.tell("stop")
    waiting = [asyncio.create_task(pgqrs.produce(patient, "tasks", PAYLOAD)) for _ in range(300)]
    # More than the room and all connections of the pool hold: what was sent on one that
    # died with the server has no answer, and makes room.
    some = [asyncio.create_task(pgqrs.produce(hasty, "tasks", PAYLOAD)) for _ in range(2000)]
    await until(lambda: sum(isinstance(error(t), pgqrs.TimeoutError) for t in some) > 150)
    # What was on its way when the server went may have been stored; nothing else is told.
    assert all(error(task).maybe_committed for task in waiting if task.done())
    await server.tell("start")
    answers = await asyncio.gather(*waiting, *some, return_exceptions=True)
    ids = {a for a in answers if isinstance(a, int)}
    lost = [a for a in answers if getattr(a, "maybe_committed", False)]
    timeouts = [a for a in answers if isinstance(a, pgqrs.TimeoutError)]
    assert len(ids) + len(lost) + len(timeouts) == 2300
    assert len(ids) + len(lost) >= 300  # the patient ones
    assert all(late.retryable for late in timeouts)
    assert 0 <= await asyncio.to_thread(stored, dsn) - len(ids) - 2 <= len(lost)
    await patient.close()
    await hasty.close()


@pytest.mark.loops("plain")
async def test_consume_ends_in_its_time_though_the_server_is_away(server):
    dsn = await asyncio.to_thread(server.fresh_database)
    store = await pgqrs.connect(dsn)
    ids = await pgqrs.produce_batch(store, "tasks", range(5))
    began, go_on = asyncio.Event(), asyncio.Event()

    async def handler(_: pgqrs.Message) -> None:
        began.set()
        await go_on.wait()

    consuming = asyncio.create_task(
        pgqrs.consume(store, "tasks", handler, vt=1, shutdown_timeout=0.5)
    )
    await began.wait()
    await server.tell("stop")
    consuming.cancel()
    go_on.set()
    begin = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.CancelledError):
        await consuming
    await store.close()
    took = asyncio.get_running_loop().time() - begin
    await server.tell("start")
    assert took < 40
    # Nothing is lost: all of it comes again when the lease is over.
    async with pgqrs.connect(dsn) as again:
        seen = []

        async def note(m: pgqrs.Message) -> None:
            seen.append(m.id)

        while len(set(seen)) < 5:
            await pgqrs.consume(again, "tasks", note, until_empty=True)
    assert set(seen) == set(ids)
