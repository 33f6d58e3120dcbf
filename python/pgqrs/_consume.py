"""consume(): calls a handler for each message of a queue."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ._consumer import Consumer
from ._errors import SerializationError
from ._failure import FailureSettler, Retry
from ._handler import Caller
from ._link import wake
from ._message import Message
from ._native import StreamOptions
from ._settle import Settler
from ._signals import signals_call
from ._stream import Stream
from ._types import Handler

if TYPE_CHECKING:
    from ._store import Store

logger = logging.getLogger("pgqrs")

TURN = 128
"""How many messages one task may handle without giving other tasks a turn."""

GRACE_SECONDS = 0.1
"""How long handlers that were cancelled may take to notice."""


class Run:
    """One call of consume(): `concurrency` tasks that take messages from one
    stream, and two settlers. Its end has one form, whatever the reason: stop()
    pauses the stream, each task ends with the handler that it runs, and after the
    time for that has passed, abort() cancels those that still run. The stream is
    closed last, for until then it keeps the messages of the running handlers.
    """

    def __init__(
        self,
        store: Store,
        queue: str,
        handler: Handler,
        options: StreamOptions,
        *,
        concurrency: int,
        retry: Retry | None,
        shutdown_timeout: float,
        handle_signals: bool,
        consumer: Consumer | None = None,
    ) -> None:
        link = store._link
        self._store = store
        self._queue = queue
        self._loop = link.loop
        self._consumer = consumer or Consumer(store, queue)
        self._stream = Stream(link, self._consumer._name, options)
        self._keeps = options.keep_delivered
        self._caller = Caller(handler, self._consumer, concurrency)
        self._concurrency = concurrency
        self._archive = Settler(link, link.native.archive, "archived")
        self._failures = FailureSettler(link, retry)
        self._shutdown_timeout = shutdown_timeout
        self._handle_signals = handle_signals
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._aborted = self._loop.create_future()
        self._quiet = self._loop.create_future()  # no task runs any more
        self.finished = self._loop.create_future()
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until stop() was called, the stream ended, or we are cancelled."""
        self._stream.open()
        self._store._runs.add(self)
        try:
            with signals_call(self._signal) if self._handle_signals else nullcontext():
                self._start()
                await self._until_finished()
        finally:
            self._leave()
        if error := self._failure or self._stream.error:
            raise error

    def stop(self) -> None:
        """Fetches no more, gives back what no handler has, and lets the handlers
        end within the time they were given. A second call does nothing."""
        if self._stopping:
            return
        self._stopping = True
        self._stream.pause()
        self._timer = self._loop.call_later(self._shutdown_timeout, self.abort)

    def abort(self) -> None:
        """Cancels the handlers that run, and waits for nothing any more."""
        self.stop()
        wake(self._aborted)
        for task in self.tasks:
            task.cancel()

    def _signal(self) -> None:
        if self._stopping:
            self.abort()
        else:
            self.stop()

    def _start(self) -> None:
        for _ in range(self._concurrency):
            task = self._loop.create_task(self._work(), name=f"pgqrs consume {self._queue}")
            self.tasks.add(task)
            task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self.stop()
        if not self.tasks:
            wake(self._quiet)

    async def _until_finished(self) -> None:
        try:
            await self._finish()
        except asyncio.CancelledError:
            self.stop()
            try:
                await self._finish()
            except asyncio.CancelledError:
                self.abort()
                await self._grace()
            raise

    async def _finish(self) -> None:
        """Waits for the tasks; then until all is committed and given back."""
        await self._unless_aborted(self._quiet)
        await self._unless_aborted(self._archive.idle())
        await self._unless_aborted(self._failures.idle())
        self._stream.close()
        await self._unless_aborted(self._stream.finished())
        if self._aborted.done():
            await self._grace()

    async def _unless_aborted(self, future: asyncio.Future[None]) -> None:
        await asyncio.wait([future, self._aborted], return_when=asyncio.FIRST_COMPLETED)

    async def _grace(self) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=GRACE_SECONDS)

    def _leave(self) -> None:
        self._stream.close()
        if self._timer is not None:
            self._timer.cancel()
        self._caller.close()
        self._store._runs.discard(self)
        wake(self.finished)

    # ---- one task ----

    async def _work(self) -> None:
        take, wait, consumer = self._stream.take, self._stream.wait, self._consumer
        call, archive = self._caller.call, self._archive
        handled = 0
        while True:
            message = take(consumer)
            if message is None:
                if not await wait():
                    return
                continue
            if consumer._typed and not self._fits(message):
                continue
            try:
                result = await call(message)
            except asyncio.CancelledError:
                if self._cancelled(message):
                    raise
                # asyncio.run() may be cancelling all tasks, consume() too: that one
                # should have heard of it before this one takes another message.
                await asyncio.sleep(0)
            except Exception as error:
                logger.exception("the handler failed on %r of queue %r", message, self._queue)
                self._fail(message, error)
            else:
                if message.settled:
                    pass
                elif result is True or result is None:
                    archive.add(message)
                else:
                    self._not_done(message, result)
            handled += 1
            if not handled % TURN:
                await self._give_turn()

    async def _give_turn(self) -> None:
        """Lets other tasks run, and waits where too much is not settled yet."""
        await asyncio.sleep(0)
        for settler in (self._archive, self._failures):
            if settler.crowded:
                await settler.idle()

    def _fits(self, message: Message) -> bool:
        """Whether its payload is of the type that the handler wants; else it has failed."""
        try:
            message.payload  # noqa: B018
        except SerializationError as error:
            logger.error("%r of queue %r goes to no handler: %s", message, self._queue, error)
            self._fail(message, error)
            return False
        return True

    def _not_done(self, message: Message, result: object) -> None:
        if result is not False:
            logger.error(
                "the handler returned %s for %r of queue %r: True and None archive, False and "
                "exceptions retry; taken for False",
                type(result).__name__,
                message,
                self._queue,
            )
        self._fail(message, f"the handler returned {result!r:.40}")

    def _fail(self, message: Message, error: BaseException | str) -> None:
        if not message.settled:
            self._failures.fail(message, error)

    def _cancelled(self, message: Message) -> bool:
        """The handler ended with CancelledError: True when that was abort(). Else
        it was something that it awaited itself, which is a failure like others."""
        aborted = self._aborted.done()
        if not aborted:
            logger.exception("the handler was cancelled on %r of queue %r", message, self._queue)
        if not aborted or self._keeps:
            # After abort() nobody handles it any more, so nobody should keep it alive.
            self._fail(message, "the handler was cancelled")
        return aborted
