"""Futures and completions, with a library that does what the test says."""

from __future__ import annotations

import asyncio

import pytest
from fake_native import FakeBatch, FakeStore
from fix_store import until

import pgqrs
from pgqrs._link import Link
from pgqrs._native import Failure, status


class Store:
    """A FakeStore with its Link, freed at the end."""

    async def __aenter__(self) -> tuple[FakeStore, Link]:
        self.native = FakeStore(places=2)
        self.link = Link(self.native, asyncio.get_running_loop())  # type: ignore[arg-type]
        return self.native, self.link

    async def __aexit__(self, *error: object) -> None:
        if not self.native.freed:
            self.link.discard()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_each_caller_gets_its_own_answer():
    async with Store() as (native, link):
        first = asyncio.create_task(link.call(native.submit, "a"))
        second = asyncio.create_task(link.call(native.submit, "b"))
        await turns()
        one, two = native.pending
        native.complete(two, "for b")
        native.complete(one, "for a")
        assert await asyncio.gather(first, second) == ["for a", "for b"]


async def test_a_failure_becomes_the_error_of_its_kind_with_all_it_knows():
    async with Store() as (native, link):
        call = asyncio.create_task(link.call(native.submit))
        await turns()
        flags = status.ERROR_RETRYABLE | status.ERROR_MAYBE_COMMITTED
        native.complete(1, Failure(status.CONNECTION, flags, 4, "08006", "the connection broke"))
        with pytest.raises(pgqrs.PgqrsConnectionError, match="the connection broke") as caught:
            await call
        error = caught.value
        assert (error.sqlstate, error.retryable, error.index, error.maybe_committed) == (
            "08006",
            True,
            4,
            True,
        )


async def test_a_refusal_raises_at_once_and_leaves_nothing():
    async with Store() as (_native, link):
        for code, kind in (
            (status.BAD_ARGUMENT, pgqrs.ValidationError),
            (status.POISONED, pgqrs.InternalError),
            (status.FORKED, pgqrs.PgqrsConnectionError),
        ):
            with pytest.raises(kind, match="why not"):
                await link.call(lambda _op, code=code: code)
        assert not link._futures


async def test_when_the_ring_is_full_callers_wait_in_their_order():
    async with Store() as (native, link):
        calls = [asyncio.create_task(link.call(native.submit, n)) for n in range(6)]
        await turns()
        assert native.order == [(0,), (1,)]
        while native.pending:
            native.complete(next(iter(native.pending)), "done")
            for _ in range(100):
                await asyncio.sleep(0)
        assert await asyncio.gather(*calls) == ["done"] * 6
        assert native.order == [(n,) for n in range(6)]


async def test_a_caller_that_is_cancelled_while_it_waits_for_room_submits_nothing():
    async with Store() as (native, link):
        calls = [asyncio.create_task(link.call(native.submit, n)) for n in range(4)]
        await turns()
        calls[2].cancel()
        await turns()
        for _ in range(3):
            native.complete(next(iter(native.pending)), "done")
            await turns(100)
        assert await asyncio.gather(*calls[:2], calls[3]) == ["done"] * 3
        assert native.order == [(0,), (1,), (3,)]
        assert link._line.length == link._producing.length == 0


async def test_a_cancelled_call_cancels_the_operation_and_frees_its_late_answer():
    async with Store() as (native, link):
        call = asyncio.create_task(link.call(native.submit))
        await turns()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert native.cancelled == [1]
        batch = FakeBatch(1, 2)
        native.complete(1, batch)
        await turns(100)
        assert batch.freed
        assert batch.delivered == 0
        assert not link._futures


async def test_an_answer_that_came_just_before_the_cancel_is_freed_too():
    async with Store() as (native, link):
        call = asyncio.create_task(link.call(native.submit))
        await turns()
        batch = FakeBatch(1, 2)
        native.complete(1, batch)
        link._drain()  # the future is done, but the task did not run yet
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert batch.freed
        assert native.cancelled == []


async def test_close_waits_for_its_completion_and_frees_the_handle():
    async with Store() as (native, link):
        await asyncio.gather(link.close(), link.close())
        await link.close()
        assert native.freed
        with pytest.raises(pgqrs.PgqrsConnectionError, match="closed"):
            await link.call(native.submit)


async def test_an_interrupt_in_the_middle_of_a_burst_loses_no_completion():
    async with Store() as (native, link):
        calls = [asyncio.create_task(link.call(native.submit, n)) for n in range(2)]
        await turns()
        complete, interrupted = link._complete, []

        def interrupt(*completion):
            complete(*completion)
            if not interrupted:
                interrupted.append(True)
                raise KeyboardInterrupt

        link._complete = interrupt
        native.complete(1, "a")
        native.complete(2, "b")
        with pytest.raises(KeyboardInterrupt):
            link._drain()
        assert await asyncio.gather(*calls) == ["a", "b"]


async def test_a_produce_that_finds_no_room_in_time_is_a_timeout_and_submits_nothing():
    async with Store() as (native, link):
        link.produce_timeout = 0.01
        calls = [asyncio.create_task(link.produce(native.submit, n)) for n in range(4)]
        for late in calls[2:]:
            with pytest.raises(pgqrs.TimeoutError, match="nothing was stored") as caught:
                await late
            assert caught.value.retryable
        for number in list(native.pending):
            native.complete(number, "done")
        assert await asyncio.gather(*calls[:2]) == ["done"] * 2
        assert native.order == [(0,), (1,)]
        assert link._line.length == link._producing.length == 0


async def test_room_that_nobody_tells_of_is_found():
    async with Store() as (native, link):
        native.places = 0  # full, with nothing of ours in flight
        call = asyncio.create_task(link.call(native.submit))
        await turns()
        native.places = 1
        await until(lambda: bool(native.pending), "the operation to be submitted")
        native.complete(next(iter(native.pending)), "done")
        assert await call == "done"
