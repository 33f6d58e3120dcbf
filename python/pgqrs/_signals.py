"""SIGINT and SIGTERM, for consume(handle_signals=True)."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ._errors import ValidationError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Watch:
    """The callbacks of one loop, and the handlers to put back after the last."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.callbacks: list[Callable[[], None]] = []
        self.previous: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        for number in SIGNALS:
            self.previous[number] = signal.getsignal(number)
            self.loop.add_signal_handler(number, self._arrived)

    def remove(self) -> None:
        for number, handler in self.previous.items():
            self.loop.remove_signal_handler(number)
            if handler is not None:  # None: it was not installed from Python
                signal.signal(number, handler)

    def _arrived(self) -> None:
        for callback in list(self.callbacks):
            callback()


_watches: dict[asyncio.AbstractEventLoop, _Watch] = {}


@contextmanager
def signals_call(callback: Callable[[], None]) -> Iterator[None]:
    """While the block runs, SIGINT and SIGTERM call back in the running loop;
    afterwards they do what they did before. Several blocks at once all hear."""
    if threading.current_thread() is not threading.main_thread():
        raise ValidationError("handle_signals=True works in the main thread only")
    loop = asyncio.get_running_loop()
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = _Watch(loop)
        watch.install()
    watch.callbacks.append(callback)
    try:
        yield
    finally:
        watch.callbacks.remove(callback)
        if not watch.callbacks:
            del _watches[loop]
            watch.remove()
