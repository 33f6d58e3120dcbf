"""Tells an event loop when completions wait: by the descriptor of the store, which loops
poll; or, where there is none (Windows), from a thread that waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

from ._native import NativeStore


class Watch(Protocol):
    """Calls a function in the loop whenever completions wait."""

    def stop(self) -> None:
        """Calls no more. To be called before the store is freed, from any thread."""


def watch(native: NativeStore, loop: asyncio.AbstractEventLoop, drain: Callable[[], None]) -> Watch:
    """Begins to call `drain`, which takes what waits, or some of it."""
    descriptor = native.completion_fd()
    if descriptor < 0:
        return Waiter(native, loop, drain)
    return Reader(descriptor, loop, drain)


class Reader:
    """A descriptor that the loop polls."""

    def __init__(
        self, descriptor: int, loop: asyncio.AbstractEventLoop, drain: Callable[[], None]
    ) -> None:
        self._descriptor = descriptor
        self._loop = loop
        loop.add_reader(descriptor, drain)

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)


class Waiter:
    """A thread that waits. It ends when the store is freed, or the loop is closed."""

    def __init__(
        self, native: NativeStore, loop: asyncio.AbstractEventLoop, drain: Callable[[], None]
    ) -> None:
        self._native = native
        self._loop = loop
        self._drain = drain
        self._stopped = False
        self._turn = threading.Semaphore(0)  # after each drain, and at the end
        threading.Thread(target=self._run, name="pgqrs-waiter", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._turn.release()

    def _run(self) -> None:
        while self._native.wait(-1) and not self._stopped:
            try:
                self._loop.call_soon_threadsafe(self._call)
            except RuntimeError:  # it is closed
                return
            self._turn.acquire()

    def _call(self) -> None:
        try:
            if not self._stopped:
                self._drain()
        finally:
            self._turn.release()
