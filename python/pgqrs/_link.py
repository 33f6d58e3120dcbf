"""Link: one store of the C library, tied to one event loop.

Operations go down by submit(), each with a future; completions come up through
one reader on the library's descriptor, in bursts. A Link knows nothing of
queues and messages, and holds nothing that leads back to its Store: so a Store
that nobody uses any more is collected, and what it left is closed then.

All methods belong to the loop's thread, but for abandon().
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ._errors import LoopError, PgqrsError, TimeoutError, failure, refusal
from ._log import LogInbox, wanted_level
from ._native import (
    Completion,
    Failure,
    NativeLibrary,
    NativeStore,
    StreamOptions,
    forked,
    status,
)
from ._watch import watch

FAREWELL_SECONDS = 2.0
"""How long a store that was dropped without close() waits for the server to take
back what was leased."""


LOOK_AGAIN_SECONDS = 0.25
"""How often callers that wait for room look, if nothing wakes them."""

NO_ROOM = (
    "nothing was stored: messages that the server has not taken yet fill max_pending_bytes, and "
    "produce_timeout_seconds have passed"
)


class Inbox(Protocol):
    """Where the completions of one stream arrive."""

    def arrived(self, result: Any, /) -> None:
        """A result came, and others follow: a batch, or a log record."""

    def ended(self, error: PgqrsError | None) -> None:
        """The last completion of the stream came."""

    def stop(self) -> None:
        """The store is being closed: hand out no more, give all back."""


class Line:
    """Callers that wait for room."""

    def __init__(self) -> None:
        self.length = 0
        self.turn = asyncio.Lock()


class Link:
    """The operations in flight on one store. Made by open_link()."""

    def __init__(self, native: NativeStore, loop: asyncio.AbstractEventLoop) -> None:
        self.native = native
        self.loop = loop
        self.closing: bool = False
        self.produce_timeout: float = 0.0  # 0: waits for room as long as it takes
        self._freed = False
        self._closed: asyncio.Future[None] = loop.create_future()
        self._numbers = itertools.count(1).__next__
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._inboxes: dict[int, Inbox] = {}
        self._backlog: deque[Completion] = deque()
        # Callers that found no room, first come first served. What produces waits for
        # the server, too (max_pending_bytes); nothing else should wait behind it.
        self._line = Line()
        self._producing = Line()
        self._when_room: list[Callable[[], None]] = []
        self._watch = watch(native, loop, self._drain)

    # ---- operations ----

    def check_loop(self) -> None:
        """Raises LoopError when this is not the loop of the store."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self.loop:
            if forked():
                raise refusal(status.FORKED, self.native.last_error())
            where = "another event loop" if running else "a thread without an event loop"
            raise LoopError(
                f"this store was connected in one event loop and is used from {where}: connect a "
                "store in each loop, or hand the call over with asyncio.run_coroutine_threadsafe"
            )

    def check(self) -> None:
        """Raises when this is not the loop of the store, or the store is closed."""
        self.check_loop()
        if self.closing:
            raise refusal(status.BAD_HANDLE, "")

    async def call(self, operation: Callable[..., int], *arguments: Any) -> Any:
        """Submits and waits for the answer; waits for room where there is none.
        When the wait is cancelled, so is the operation; what it still brings is
        freed, which gives messages back."""
        return await self._carry(self._line, operation, arguments)

    async def _carry(
        self, line: Line, operation: Callable[..., int], arguments: tuple[Any, ...]
    ) -> Any:
        self.check()
        submitted = None if line.length else self.submit(operation, *arguments)
        if submitted is None:
            submitted = await self._submit_in_turn(line, operation, arguments)
        return await self._answer(*submitted)

    async def request(self, name: str, /, **arguments: Any) -> Any:
        """Carries out a request of docs/abi.md, and returns what its answer says."""
        return await self.call(self.native.request, *request_text(name, arguments))

    async def produce(self, operation: Callable[..., int], *arguments: Any) -> Any:
        """call() for what produces: waits for room for produce_timeout seconds at most."""
        if not self.produce_timeout:
            return await self._carry(self._producing, operation, arguments)
        self.check()
        if (
            not self._producing.length
            and (submitted := self.submit(operation, *arguments)) is not None
        ):
            return await self._answer(*submitted)
        submitting = self._submit_in_turn(self._producing, operation, arguments)
        turn = asyncio.ensure_future(submitting)
        try:
            await asyncio.wait([turn], timeout=self.produce_timeout)
        except asyncio.CancelledError:
            if await self._take_back(turn):
                number, future = turn.result()
                future.cancel()
                self._let_go(number, future)
            raise
        if not turn.done() and not await self._take_back(turn):
            raise TimeoutError(NO_ROOM, retryable=True)
        return await self._answer(*turn.result())

    @staticmethod
    async def _take_back(turn: asyncio.Future[Any]) -> bool:
        """Ends the wait for a turn. True: it came just now, and something was submitted."""
        turn.cancel()
        await asyncio.wait([turn])
        return not turn.cancelled() and turn.exception() is None

    async def _answer(self, number: int, future: asyncio.Future[Any]) -> Any:
        try:
            return await future
        except asyncio.CancelledError:
            self._let_go(number, future)
            raise

    def submit(
        self, operation: Callable[..., int], *arguments: Any
    ) -> tuple[int, asyncio.Future[Any]] | None:
        """Submits: the operation's number and the future of its answer, or None
        when the ring is full. Any other refusal is raised."""
        number = self._numbers()
        code = operation(number, *arguments)
        if code:
            if code == status.FULL:
                return None
            raise refusal(code, self.native.last_error())
        return number, self.expect(number)

    def expect(self, number: int) -> asyncio.Future[Any]:
        """The future of the answer to an operation that was submitted just now."""
        future = self._futures[number] = self.loop.create_future()
        return future

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls back once completions have been drained."""
        self._when_room.append(callback)

    async def _submit_in_turn(
        self, line: Line, operation: Callable[..., int], arguments: tuple[Any, ...]
    ) -> tuple[int, asyncio.Future[Any]]:
        line.length += 1
        try:
            async with line.turn:
                while True:
                    self.check()
                    submitted = self.submit(operation, *arguments)
                    if submitted is not None:
                        return submitted
                    await self._room()
        finally:
            line.length -= 1

    async def _room(self) -> None:
        room = self.loop.create_future()
        self.when_room(lambda: wake(room))
        # What holds the room may be no operation of ours any more: look again.
        again = self.loop.call_later(LOOK_AGAIN_SECONDS, wake, room)
        await room
        again.cancel()

    def _let_go(self, number: int, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            self.native.cancel(number)
        elif future.exception() is None:
            # The answer came, but the task was cancelled before it woke up.
            _dispose(future.result())

    # ---- streams ----

    def open_stream(self, inbox: Inbox, queue: bytes, options: StreamOptions) -> int | None:
        """Opens a stream whose completions go to `inbox`: its handle, or None
        when the ring is full."""
        number = self._numbers()
        handle = self.native.consume_iter(number, queue, options)
        if handle == status.FULL:
            return None
        if handle <= 0:
            raise refusal(handle, self.native.last_error())
        self._inboxes[number] = inbox
        return handle

    def take_log(self) -> None:
        """Takes what the library says of its work in the background."""
        number = self._numbers()
        if code := self.native.log(number, wanted_level()):
            raise refusal(code, self.native.last_error())
        self._inboxes[number] = LogInbox()

    # ---- completions ----

    def _drain(self) -> None:
        backlog = self._backlog
        backlog.extend(self.native.drain())
        try:
            while backlog:
                self._complete(*backlog.popleft())
        finally:
            # A KeyboardInterrupt may come at any line (asyncio before 3.11); what
            # was drained comes no second time.
            if backlog:
                self.loop.call_soon(self._drain)
        if self._when_room:
            callbacks, self._when_room = self._when_room, []
            for callback in callbacks:
                callback()

    def _complete(
        self, number: int, code: int, kind: int, flags: int, value: int, data: int
    ) -> None:
        future = self._futures.pop(number, None)
        if future is None:
            self._deliver(number, code, kind, flags, value, data)
        elif future.done():
            self.native.discard(kind, data)
        elif kind == status.RESULT_VALUE:
            future.set_result(value)
        else:
            result = self.native.result(code, kind, value, data)
            if isinstance(result, Failure):
                future.set_exception(failure(result))
            else:
                future.set_result(result)

    def _deliver(
        self, number: int, code: int, kind: int, flags: int, value: int, data: int
    ) -> None:
        result = self.native.result(code, kind, value, data)
        if flags & status.MORE:
            self._inboxes[number].arrived(result)
        else:
            error = failure(result) if isinstance(result, Failure) else None
            self._inboxes.pop(number).ended(error)

    # ---- the end ----

    async def close(self) -> None:
        """Closes the store and waits until that is done; again, waits only."""
        if not self.closing:
            self._begin_close()
        await asyncio.shield(self._closed)

    def _begin_close(self) -> None:
        self.closing = True
        # What the library is about to give back must not be handed out any more.
        for inbox in list(self._inboxes.values()):
            inbox.stop()
        self._submit_close()

    def _submit_close(self) -> None:
        submitted = self.submit(self.native.close)
        if submitted is None:
            self.when_room(self._submit_close)
        else:
            submitted[1].add_done_callback(self._finish_close)

    def _finish_close(self, answer: asyncio.Future[Any]) -> None:
        self.discard()
        if error := answer.exception():
            self._closed.set_exception(error)
        else:
            self._closed.set_result(None)

    def discard(self) -> None:
        """Frees the handle, at once and without a word to the server; only once, because
        the next store may have our descriptor by then."""
        if self._freed:
            return
        self.closing = self._freed = True
        self._watch.stop()
        self.native.free()

    def abandon(self, then: Callable[[], object]) -> None:
        """Closes a store that was dropped, or whose loop has ended, and then calls
        `then`. From any thread; nothing is awaited, but the server has a moment
        to take back what was leased."""
        if forked():  # all of it is the parent's
            return
        try:
            elsewhere = asyncio.get_running_loop() is not self.loop
        except RuntimeError:
            elsewhere = True
        if elsewhere and self.loop.is_running():
            self.loop.call_soon_threadsafe(self._abandon, then)
        else:
            self._abandon(then)

    def _abandon(self, then: Callable[[], object]) -> None:
        if not self._freed:
            dropped = 0
            if not self.closing:  # else: a close() that was cancelled is carried out
                dropped = sum(1 for future in self._futures.values() if not future.done())
                self._begin_close()
            self._await_farewell()
            self.discard()
            if dropped:
                warnings.warn(
                    f"a pgqrs.Store was dropped with {dropped} operations in flight: "
                    "await what you started, or `await store.close()`",
                    ResourceWarning,
                    stacklevel=1,
                )
        then()

    def _await_farewell(self) -> None:
        deadline = time.monotonic() + FAREWELL_SECONDS
        while self._futures or self._inboxes:
            left = deadline - time.monotonic()
            if left <= 0 or not self.native.wait(round(left * 1_000_000)):
                return
            for number, _code, kind, flags, _value, data in self.native.drain():
                self.native.discard(kind, data)
                self._futures.pop(number, None)
                if not flags & status.MORE:
                    self._inboxes.pop(number, None)


def wake(future: asyncio.Future[None]) -> None:
    """Sets the result of a future that only says "go on", if it is still waited for."""
    if not future.done():
        future.set_result(None)


def _dispose(result: object) -> None:
    """Frees an answer that nobody wants: a batch gives its messages back."""
    free = getattr(result, "free", None)
    if free is not None:
        free()


async def open_link(library: NativeLibrary, config: bytes) -> Link:
    """Connects a store as `config` (JSON) says, and ties it to the running loop."""
    number = 0  # those of submit() count from 1
    code, native = library.connect(config, number)
    if native is None:
        raise refusal(code, library.last_error())
    link = Link(native, asyncio.get_running_loop())
    try:
        await link.expect(number)
        link.take_log()
    except BaseException:
        link.discard()
        raise
    return link


def request_text(name: str, arguments: dict[str, Any]) -> tuple[bytes, bytes]:
    """A request of docs/abi.md, as it crosses."""
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    return name.encode(), text.encode()
