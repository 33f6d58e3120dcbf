"""Connections that block are used in a thread, so that a statement which waits for
a lock does not stop the event loop: who holds that lock may need the loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


async def in_thread(function: Callable[..., Answer], *arguments: object) -> Answer:
    """Calls the function in a thread. When the wait is cancelled it still ends
    first: then the caller may use the connection again, and not before."""
    run = contextvars.copy_context().run
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(None, run, function, *arguments)
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
