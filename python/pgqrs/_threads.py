"""What blocks is run in a thread, so that it does not stop the event loop: plain
functions as handlers, and the connections of drivers that block. A statement may wait
for a lock, and who holds that lock may need the loop.

pgqrs.sync sets the thread: the one that called, and waits. Connections of Django and
sessions of SQLAlchemy belong to their threads, and so do many things of handlers.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

Answer = TypeVar("Answer")

caller: contextvars.ContextVar[Executor | None] = contextvars.ContextVar("caller", default=None)
"""Runs functions in the thread that called pgqrs.sync, for which this task works; None in
every other task."""


def start_in_thread(
    executor: Executor | None, function: Callable[..., Answer], *arguments: object
) -> asyncio.Future[Answer]:
    """Calls the function in a thread of the executor (None: of the loop's own), in a copy
    of the context."""
    context = contextvars.copy_context()
    context.run(caller.set, None)  # what it calls in its turn, in a loop of its own, is not ours
    loop = asyncio.get_running_loop()
    return loop.run_in_executor(executor, lambda: context.run(function, *arguments))


async def in_thread(function: Callable[..., Answer], *arguments: object) -> Answer:
    """Calls the function in a thread. When the wait is cancelled it still ends
    first: then the caller may use the connection again, and not before."""
    running = start_in_thread(caller.get(), function, *arguments)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        running.exception()  # so that nobody misses it
        raise cancelled
    return running.result()
