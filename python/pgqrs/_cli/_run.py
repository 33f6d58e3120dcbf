"""Running: coroutines in one event loop, what signals do to them, and exit statuses.

0: done. 1: failed, with one line on standard error. 2: the command line is wrong. 130
and 143: ended by SIGINT (Ctrl-C) or SIGTERM. 141: whoever read the output went away.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from typing import Any

import click

from .._errors import PgqrsError

BROKEN_PIPE = 128 + 13
"""What a shell says of a program that SIGPIPE ended."""


class Failure(click.ClickException):
    """Something failed: exit status 1, and its text in one line."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """asyncio.run(), but SIGINT and SIGTERM cancel the coroutine, each time that they
    arrive, and are the exit status when it has ended: what it holds is given back first."""
    caught: list[int] = []

    async def main() -> Any:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(number: int) -> None:
            caught.append(number)
            task.cancel()

        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):  # not on Windows, nor in a thread
                loop.add_signal_handler(number, stop, number)
        return await coroutine

    result = None
    try:
        result = asyncio.run(main())
    except asyncio.CancelledError:
        if not caught:
            raise
    if caught:
        raise click.exceptions.Exit(128 + caught[0])
    return result


@contextlib.contextmanager
def exit_statuses() -> Iterator[None]:
    """Turns what may go wrong into an exit status and a line on standard error."""
    try:
        yield
        sys.stdout.flush()
    except PgqrsError as error:
        raise Failure(str(error)) from error
    except BrokenPipeError as error:
        _silence()
        raise click.exceptions.Exit(BROKEN_PIPE) from error
    except OSError as error:
        raise Failure(str(error)) from error
    except (KeyboardInterrupt, click.Abort) as error:
        raise click.exceptions.Exit(128 + signal.SIGINT) from error


def _silence() -> None:
    """What is still buffered for a reader that has gone must not be an error at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """While the block runs, Ctrl-C raises KeyboardInterrupt at once, also in an event
    loop that has taken the signal: for a prompt, which blocks the loop."""
    previous = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
