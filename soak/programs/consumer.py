"""A consumer in one of four modes, which are the ways to consume:

- handler: consume(), whose handler returns True or False
- explicit: consume(), whose handler settles its message itself
- iterate: consume_iter(), each message settled by its methods
- dequeue: Consumer.dequeue(), settled by id, many at a time
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from datetime import datetime, timedelta, timezone

import pgqrs
from soak.ledger import DONE, GOT, SETTLE, SETTLED, UNSETTLED

from .common import Options, connected, end, maybe, options, told, told_to_stop

CONCURRENCY = 8
WORK_SECONDS = 0.03  # at most
RETRY = 0.02
DELETE = 0.1
EXTEND = 0.05
PAUSE_SECONDS = 0.02
IDLE_SECONDS = 0.05


EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros(moment: datetime) -> int:
    """A moment of the API, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


class Book:
    """The ledger of one consumer."""

    def __init__(self, o: Options) -> None:
        self.o = o
        self.write = o.ledger.write

    def got(self, m: pgqrs.Message) -> None:
        """A message was delivered."""
        taken, vt = micros(m.dequeued_at), micros(m.vt)
        self.write(GOT, m.id, m.lease, m.read_ct, taken, vt, m.payload["key"])

    def done(self, m: pgqrs.Message) -> None:
        """Its handler has ended."""
        self.write(DONE, m.id, m.lease)

    async def settle(
        self, verb: str, m: pgqrs.Message, call: Awaitable[bool], delay: float = 0
    ) -> bool:
        """Asks, and writes down the answer: whether it was True."""
        self.write(SETTLE, verb, m.id, m.lease, round(delay * 1e6))
        try:
            answer = await call
        except pgqrs.PgqrsError as error:
            self.write(UNSETTLED, verb, m.id, m.lease, maybe(error), told(error))
            return False
        vt = micros(m.vt) if verb == "extend" and answer else 0
        self.write(SETTLED, verb, m.id, m.lease, answer, vt)
        return answer

    async def work(self, m: pgqrs.Message) -> None:
        """What a handler does: some time, now and then more of it."""
        random = self.o.random
        await asyncio.sleep(random.random() * WORK_SECONDS)
        if random.random() < EXTEND:
            by = 1 + random.random()
            await self.settle("extend", m, m.extend_vt(by))

    async def settle_itself(self, m: pgqrs.Message) -> None:
        """Settles a message by its own methods."""
        draw = self.o.random.random()
        if draw < RETRY:
            delay = self.o.random.random()
            await self.settle("release", m, m.release(delay), delay)
        elif draw < RETRY + DELETE:
            await self.settle("delete", m, m.delete())
        else:
            await self.settle("archive", m, m.archive())


async def consume(book: Book, store: pgqrs.Store, stop: asyncio.Event) -> None:
    """The modes handler and explicit."""
    o, explicit = book.o, book.o.mode == "explicit"

    async def handler(m: pgqrs.Message) -> bool:
        book.got(m)
        await book.work(m)
        if explicit:
            await book.settle_itself(m)
        retry = not explicit and o.random.random() < RETRY
        if not explicit:  # asked here, and answered to nobody
            book.write(SETTLE, "release" if retry else "archive", m.id, m.lease, round(o.vt * 1e6))
        book.done(m)
        return not retry

    consuming = asyncio.ensure_future(
        pgqrs.consume(store, o.queue, handler, concurrency=CONCURRENCY, shutdown_timeout=10)
    )
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([consuming, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if consuming.done():
        consuming.result()
        raise RuntimeError("consume() ended by itself")
    consuming.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consuming


async def iterate(book: Book, store: pgqrs.Store, stop: asyncio.Event) -> None:
    """The mode iterate."""

    async def all_of_it() -> None:
        async with pgqrs.consume_iter(store, book.o.queue, batch_size=20) as messages:
            async for m in messages:
                book.got(m)
                await book.work(m)
                await book.settle_itself(m)
                book.done(m)
                if stop.is_set():
                    return

    iterating = asyncio.ensure_future(all_of_it())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([iterating, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if iterating.done():
        iterating.result()
    else:  # it may wait for a message
        with contextlib.suppress(asyncio.CancelledError, asyncio.TimeoutError):
            await asyncio.wait_for(iterating, 3)


async def dequeue(book: Book, store: pgqrs.Store, stop: asyncio.Event) -> None:
    """The mode dequeue."""
    o = book.o
    consumer = None
    while not stop.is_set():
        try:
            consumer = consumer or await store.consumer(o.queue)
            messages = await consumer.dequeue(20)
        except pgqrs.PgqrsConnectionError:
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        except pgqrs.TimeoutError:
            continue
        for m in messages:
            book.got(m)
        await asyncio.sleep(o.random.random() * WORK_SECONDS)
        await settle_many(book, consumer, messages)
        if not messages:
            await asyncio.sleep(IDLE_SECONDS)


async def settle_many(book: Book, consumer: pgqrs.Consumer, messages: list[pgqrs.Message]) -> None:
    """Settles by id: some of them deleted, some archived."""
    cut = len(messages) // 5
    for verb, some in (("delete", messages[:cut]), ("archive", messages[cut:])):
        if not some:
            continue
        for m in some:
            book.write(SETTLE, verb, m.id, m.lease)
        call = consumer.delete_batch if verb == "delete" else consumer.archive_batch
        try:
            answers = await call([m.id for m in some])
        except pgqrs.PgqrsError as error:
            for m in some:
                book.write(UNSETTLED, verb, m.id, m.lease, maybe(error), told(error))
            continue
        for m, answer in zip(some, answers, strict=True):
            book.write(SETTLED, verb, m.id, m.lease, answer, 0)
    for m in messages:
        book.done(m)


async def main(o: Options) -> None:
    """Until SIGTERM."""
    stop = told_to_stop()
    ways = {"iterate": iterate, "dequeue": dequeue}
    async with connected(o, stop) as store:
        await ways.get(o.mode, consume)(Book(o), store, stop)
    end(o)


if __name__ == "__main__":
    asyncio.run(main(options("consumer")))
