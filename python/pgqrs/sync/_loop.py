"""The event loop behind pgqrs.sync: one a process, in a thread of its own, started by
the first connect and shared by all stores that block.

A call hands its coroutine to the loop and waits. While it waits its thread runs what
the coroutine wants run there: handlers, and statements of the caller's own connection.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, TypeVar, cast

from .. import _types
from .._errors import LoopError, ValidationError, refusal
from .._native import forked, library, status
from .._signals import SIGNALS
from .._threads import caller

Answer = TypeVar("Answer")

LEAVE_SECONDS = 5
"""How long the end of the interpreter waits for the loop."""


class LoopThread:
    """The loop and its thread."""

    def __init__(self) -> None:
        # Not the loop of a policy: the program's choice is for its own code.
        self.loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, name="pgqrs", daemon=True)
        self._thread.start()
        atexit.register(self.end)

    @property
    def is_current(self) -> bool:
        """Whether we are in it."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            # asyncio lets these two through as well as keeping them for who awaits.
            with suppress(KeyboardInterrupt, SystemExit):
                self.loop.run_forever()
                break
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=LEAVE_SECONDS / 2))
        self.loop.close()

    def end(self) -> None:
        """Cancels what runs, and ends. Stores that are still open close themselves
        afterwards, as those of a loop that has ended do."""
        atexit.unregister(self.end)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(LEAVE_SECONDS)


_current: LoopThread | None = None
_lock = threading.Lock()


def _forget() -> None:
    """In a forked child: it has no such thread."""
    global _current, _lock
    if _current is not None:
        atexit.unregister(_current.end)
    _current, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _loop_thread() -> LoopThread:
    global _current
    with _lock:
        if _current is None:
            _current = LoopThread()
        return _current


class _Waiting(Executor):
    """A thread that waits for its coroutine, and runs what is submitted meanwhile."""

    def __init__(self) -> None:
        self.over = False
        self._errands: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> Future[Any]:
        """Runs the function in the thread, as Executor says."""
        future: Future[Any] = Future()
        self._errands.put((future, lambda: function(*arguments, **options)))
        return future

    def end(self, _task: object = None) -> None:
        """Ends the wait. Of the loop's thread, as all but serve()."""
        self.over = True
        self._errands.put(None)

    def serve(self) -> None:
        """Waits until the end; after an interruption it may be called again."""
        while not self.over:
            errand = self._errands.get()
            if errand is None:
                continue
            future, function = errand
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # so who awaits it ends, and then we do
                    future.set_exception(error)
            del future, function, errand  # the next may be long in coming


def run(coroutine: Coroutine[Any, Any, Answer], *, handle_signals: bool = False) -> Answer:
    """What the coroutine returns or raises, in the loop of pgqrs.sync.

    An interruption of the thread, by Ctrl-C, cancels it, and is raised when it has
    ended; a second one meanwhile cancels it again, which consume() takes for "at once".
    With handle_signals SIGINT and SIGTERM cancel it so, and nothing is raised.
    """
    on_its_way = False
    task: asyncio.Task[Answer] | None = None
    try:
        loop = _loop_of_call()
        _check_signals(handle_signals)
        waiting = _Waiting()

        def start() -> None:  # in the loop, in a copy of the context of this thread
            nonlocal task
            caller.set(waiting)
            task = loop.create_task(coroutine)
            task.add_done_callback(waiting.end)

        def cancel() -> None:
            if task is not None:
                task.cancel()
            elif not waiting.over:  # interrupted before start() was on its way
                coroutine.close()
                waiting.end()

        with _signals(loop, cancel if handle_signals else None) as signals:
            on_its_way = True
            try:
                loop.call_soon_threadsafe(start)
                waiting.serve()
            except BaseException:
                _end(loop, cancel, waiting)
                raise
            assert task is not None
            if signals and task.cancelled():
                return cast(Answer, None)
            return task.result()
    except BaseException:
        if not on_its_way:
            coroutine.close()
        raise
    finally:
        task = None  # its error holds this frame


def _end(loop: asyncio.AbstractEventLoop, cancel: Callable[[], None], waiting: _Waiting) -> None:
    loop.call_soon_threadsafe(cancel)
    try:
        waiting.serve()
    except BaseException:
        loop.call_soon_threadsafe(cancel)
        raise


def _loop_of_call() -> asyncio.AbstractEventLoop:
    if forked():
        raise refusal(status.FORKED, library().last_error())
    thread = _loop_thread()
    if thread.is_current:
        raise LoopError(
            "a call of pgqrs.sync from the thread of its event loop would wait for itself for "
            "ever: what `retry` of consume() calls must not use pgqrs"
        )
    return thread.loop


def _check_signals(handle_signals: object) -> None:
    wanted = _types.boolean(handle_signals, "handle_signals")
    if wanted and threading.current_thread() is not threading.main_thread():
        raise ValidationError("handle_signals=True works in the main thread only")


@contextmanager
def _signals(
    loop: asyncio.AbstractEventLoop, callback: Callable[[], None] | None
) -> Iterator[list[int]]:
    """While the block runs SIGINT and SIGTERM call back in the loop (None: do what they
    do). Gives those that came."""
    came: list[int] = []
    if callback is None:
        yield came
        return

    def note(number: int, _frame: object) -> None:
        came.append(number)
        loop.call_soon_threadsafe(callback)

    previous = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield came
    finally:
        for number, handler in previous.items():
            if handler is not None:  # None: it was not installed from Python
                signal.signal(number, handler)


def iterate(source: AsyncIterator[Answer]) -> Iterator[Answer]:
    """What an asynchronous generator yields."""
    while True:
        try:
            value = run(_next(source))
        except StopAsyncIteration:
            return
        yield value


async def _next(source: AsyncIterator[Answer]) -> Answer:
    return await source.__anext__()
