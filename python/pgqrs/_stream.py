"""Stream: the messages that the library leases for consume() and consume_iter().

The library fetches ahead and keeps alive what is in our hands. Here the batches
are opened one message at a time, without a call into C per message: the count
of what was handed out is written into memory that the library reads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from time import monotonic_ns
from typing import TYPE_CHECKING

from ._errors import PgqrsError
from ._link import Link, wake
from ._message import Lease, Message
from ._native import Header, NativeBatch, StreamOptions, status
from ._payload_type import Payload

if TYPE_CHECKING:
    from ._consumer import Consumer

# Places in NativeBatch.control.
DELIVERED, VT_US, DELIVER_BY_NS = 0, 1, 2


class Stream:
    """One stream of deliveries; an Inbox of its link. Reaches its link and no
    store, so that an open stream does not keep a dropped store alive."""

    def __init__(self, link: Link, queue: bytes, options: StreamOptions) -> None:
        self.error: PgqrsError | None = None
        self._link = link
        self._queue = queue
        self._options = options
        self._handle = 0
        self._opened = False
        self._asked = False  # one credit is open
        self._closed = False  # hands out nothing any more
        self._ended = False  # its last completion has come
        self._end: asyncio.Future[None] | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._later: deque[NativeBatch] = deque()
        self._undelivered = 0
        self._low = 0  # ask for more when no more than that are undelivered
        # What is being handed out.
        self._batch: NativeBatch | None = None
        self._headers: Iterator[Header] = iter(())
        self._left = 0
        self._lease: Lease | None = None

    def open(self) -> None:
        """Begins, once; a second call does nothing. Checks the loop."""
        if self._closed or self._opened:
            return
        self._link.check()
        self._opened = True
        self._open()

    def _open(self) -> None:
        handle = self._link.open_stream(self, self._queue, self._options)
        if handle is None:
            self._link.when_room(self._open_later)
        else:
            self._handle = handle
            self._ask()

    def _open_later(self) -> None:
        if self._closed:
            self.ended(None)
            return
        try:
            self._open()
        except PgqrsError as error:
            self.ended(error)

    # ---- taking ----

    def take(self, consumer: Consumer[Payload]) -> Message[Payload] | None:
        """The next message, or None when there is none in hand: then wait()."""
        while (batch := self._batch) is not None and not self._closed:
            control = batch.control
            if monotonic_ns() >= control[DELIVER_BY_NS]:
                # Too little of the lease is left, or it was lost: it comes again.
                self._undelivered -= self._left
                self._next_batch()
                self._ask_if_low()
                continue
            header = next(self._headers)
            self._left -= 1
            self._undelivered -= 1
            # First written, then handed out: the library must never give back
            # what the application has seen.
            control[DELIVERED] = batch.count - self._left
            assert self._lease is not None
            message = Message(consumer, self._lease, header, batch.memory, control[VT_US])
            if not self._left:
                self._next_batch()
            self._ask_if_low()
            return message
        return None

    async def wait(self) -> bool:
        """Waits until take() may have a message. False: the stream has ended,
        and `error` says why if that was not normal."""
        while self._batch is None or self._closed:
            if self._ended or self._closed:
                return False
            waiter = self._link.loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                raise
        return True

    def _next_batch(self) -> None:
        """Frees the batch in hand, and takes the one behind it if there is one."""
        self._headers = iter(())  # it reads the memory that is freed now
        if self._batch is not None:
            self._batch.free()
        if not self._later:
            self._batch, self._left, self._lease = None, 0, None
            return
        batch = self._batch = self._later.popleft()
        self._left = batch.count
        self._headers = batch.headers()
        self._lease = Lease(
            self._link, batch.queue_id, batch.lease, batch.dequeued_at_us, batch.consumer_worker_id
        )

    def _ask_if_low(self) -> None:
        if not self._asked and self._undelivered <= self._low:
            self._ask()

    def _ask(self) -> None:
        if self._closed or self._ended:
            return
        # A stream that has just ended refuses; its last completion says why.
        self._asked = True
        if self._link.native.credit(self._handle) == status.FULL:
            self._link.when_room(self._ask)

    # ---- what the link tells ----

    def arrived(self, batch: NativeBatch) -> None:
        self._asked = False
        if self._closed:
            batch.free()
            return
        self._later.append(batch)
        self._undelivered += batch.count
        self._low = batch.count // 2
        if self._batch is None:
            self._next_batch()
        self._wake_all()

    def ended(self, error: PgqrsError | None) -> None:
        self._ended = True
        self.error = error
        if error is not None or self._closed:
            self._give_back()
        if self._end is not None:
            wake(self._end)
        self._wake_all()

    def stop(self) -> None:
        self._closed = True
        self._wake_all()

    # ---- the end ----

    def pause(self) -> None:
        """Hands out nothing any more, and gives back what was not handed out; what
        was handed out is still kept until close(). A second call does nothing."""
        self.stop()
        self._give_back()

    def close(self) -> None:
        """Ends the stream. What was not handed out is given back before its last
        completion comes. A second call does nothing. From any thread, when nobody
        waits."""
        self.stop()
        if self._ended:
            self._give_back()
        elif self._handle:
            # The batches in hand are freed when the last completion has come: what
            # they still hold by then is given back by the close, which waits for it.
            handle, self._handle = self._handle, 0
            self._link.native.stream_close(handle)

    def finished(self) -> asyncio.Future[None]:
        """Done when all has been given back."""
        if self._end is None:
            self._end = self._link.loop.create_future()
            if self._ended or not self._opened:
                self._end.set_result(None)
        return self._end

    def check_loop(self) -> None:
        """Raises LoopError when this is not the loop of the store."""
        self._link.check_loop()

    def _give_back(self) -> None:
        self._undelivered = 0
        while self._batch is not None:
            self._next_batch()

    def _wake_all(self) -> None:
        while self._waiters:
            wake(self._waiters.popleft())
