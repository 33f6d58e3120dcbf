"""Handing out what the library delivers, with a library that does what the test
says."""

from __future__ import annotations

import asyncio
from time import monotonic_ns

import pytest
from fake_native import FakeBatch, FakeStore

import pgqrs
from pgqrs._link import Link
from pgqrs._native import Failure, StreamOptions, status
from pgqrs._stream import Stream


class Opened:
    """A stream on a FakeStore; closed at the end."""

    async def __aenter__(self) -> Opened:
        self.native = FakeStore()
        self.link = Link(self.native, asyncio.get_running_loop())  # type: ignore[arg-type]
        self.stream = Stream(self.link, b"q", StreamOptions())
        self.stream.open()
        (self.handle,) = self.native.streams
        return self

    async def __aexit__(self, *error: object) -> None:
        self.link.discard()

    def deliver(self, batch: FakeBatch) -> FakeBatch:
        self.native.complete(self.native.streams[self.handle], batch, more=True)
        self.link._drain()
        return batch

    def end(self, result: object = None) -> None:
        self.native.complete(self.native.streams[self.handle], result)
        self.link._drain()

    def take(self) -> int | None:
        message = self.stream.take(None)  # type: ignore[arg-type]
        return None if message is None else message.id


async def test_messages_come_out_in_the_order_of_the_batch():
    async with Opened() as o:
        o.deliver(FakeBatch(5, 3, 4))
        o.deliver(FakeBatch(1))
        assert [o.take() for _ in range(5)] == [5, 3, 4, 1, None]


async def test_delivered_is_written_before_a_message_is_handed_out(monkeypatch):
    async with Opened() as o:
        batch, seen = o.deliver(FakeBatch(1, 2)), []
        monkeypatch.setattr("pgqrs._stream.Message", lambda *_: seen.append(batch.delivered))
        o.stream.take(None)
        o.stream.take(None)
        assert seen == [1, 2]


async def test_a_batch_is_freed_with_its_last_message():
    async with Opened() as o:
        batch = o.deliver(FakeBatch(1, 2))
        o.take()
        assert not batch.freed
        o.take()
        assert batch.freed
        assert batch.delivered == 2


async def test_the_next_credit_is_asked_for_when_half_or_less_is_left():
    async with Opened() as o:
        assert o.native.credits == 1
        o.deliver(FakeBatch(1, 2, 3, 4))
        credits = []
        for _ in range(4):
            o.take()
            credits.append(o.native.credits)
        assert credits == [1, 2, 2, 2]


async def test_a_batch_of_one_is_followed_by_a_credit_when_it_is_handed_out():
    async with Opened() as o:
        o.deliver(FakeBatch(1))
        assert o.native.credits == 1
        o.take()
        assert o.native.credits == 2


async def test_what_is_too_late_is_dropped_and_not_delivered():
    async with Opened() as o:
        late = o.deliver(FakeBatch(1, 2, deliver_by_ns=monotonic_ns() - 1))
        fresh = o.deliver(FakeBatch(3))
        assert o.take() == 3
        assert late.freed
        assert late.delivered == 0
        assert fresh.delivered == 1
        assert o.native.credits == 2


async def test_a_lease_that_ends_between_two_messages_stops_the_second():
    async with Opened() as o:
        batch = o.deliver(FakeBatch(1, 2))
        assert o.take() == 1
        batch.words[2] = monotonic_ns()
        assert o.take() is None
        assert batch.freed
        assert batch.delivered == 1


async def test_wait_ends_when_a_batch_comes_and_when_the_stream_ends():
    async with Opened() as o:
        waiting = asyncio.create_task(o.stream.wait())
        await asyncio.sleep(0)
        o.deliver(FakeBatch(1))
        assert await waiting is True
        o.take()
        waiting = [asyncio.create_task(o.stream.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        o.end()
        assert await asyncio.gather(*waiting) == [False] * 3
        assert o.stream.error is None


async def test_a_wait_that_is_cancelled_leaves_the_others_and_loses_nothing():
    async with Opened() as o:
        one, two = (asyncio.create_task(o.stream.wait()) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.wait([one])
        o.deliver(FakeBatch(1))
        assert await two is True
        assert o.take() == 1


async def test_what_is_in_hand_when_an_empty_queue_ends_the_stream_is_still_handed_out():
    async with Opened() as o:
        o.deliver(FakeBatch(1, 2))
        o.end()
        assert [o.take(), o.take(), o.take()] == [1, 2, None]
        assert await o.stream.wait() is False


async def test_an_error_ends_the_stream_and_gives_back_what_is_in_hand():
    async with Opened() as o:
        batch = o.deliver(FakeBatch(1, 2))
        o.end(Failure(status.QUEUE_NOT_FOUND, 0, -1, "", "no such queue"))
        assert o.take() is None
        assert await o.stream.wait() is False
        assert isinstance(o.stream.error, pgqrs.QueueNotFoundError)
        assert batch.freed


async def test_close_leaves_it_to_the_library_to_give_back_and_then_frees():
    async with Opened() as o:
        held, later = o.deliver(FakeBatch(1, 2)), o.deliver(FakeBatch(3))
        o.take()
        o.stream.close()
        o.stream.close()
        assert o.take() is None
        assert not held.freed
        assert o.native.closed_streams == [o.handle]
        assert o.deliver(FakeBatch(4)).freed
        assert not o.stream.finished().done()
        o.end()
        assert o.stream.finished().done()
        assert held.freed
        assert later.freed
        assert (held.delivered, later.delivered) == (1, 0)


async def test_pause_gives_back_at_once_and_keeps_the_stream_open():
    async with Opened() as o:
        held, later = o.deliver(FakeBatch(1, 2)), o.deliver(FakeBatch(3))
        o.take()
        waiting = asyncio.create_task(o.stream.wait())
        o.stream.pause()
        assert await waiting is False
        assert held.freed
        assert later.freed
        assert o.take() is None
        assert o.deliver(FakeBatch(4)).freed
        assert o.native.closed_streams == []
        o.stream.close()
        assert o.native.closed_streams == [o.handle]


async def test_a_credit_for_which_there_is_no_room_is_asked_for_again():
    async with Opened() as o:
        answers = [status.FULL, status.FULL, 0]
        asked = []

        def credit(stream: int) -> int:
            asked.append(stream)
            return answers.pop(0)

        o.native.credit = credit  # type: ignore[method-assign]
        o.deliver(FakeBatch(1))
        o.take()
        o.link._drain()
        o.link._drain()
        o.link._drain()
        assert asked == [o.handle] * 3


async def test_a_store_that_closes_ends_the_stream_normally():
    async with Opened() as o:
        batch = o.deliver(FakeBatch(1))
        o.stream.stop()
        assert o.take() is None
        assert await o.stream.wait() is False
        o.end()
        assert batch.freed


@pytest.mark.loops("plain")
async def test_a_stream_opens_when_there_is_room():
    async with Opened() as o:
        second = Stream(o.link, b"q", StreamOptions())
        opened = []

        def consume_iter(op: int, queue: bytes, options: object) -> int:
            opened.append(op)
            return status.FULL if len(opened) == 1 else 500

        o.native.consume_iter = consume_iter  # type: ignore[method-assign]
        second.open()
        o.link._drain()
        assert len(opened) == 2
        assert o.native.credits == 2
