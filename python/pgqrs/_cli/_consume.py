"""pgqrs consume: print messages, or run a program for each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys

import click

from .._api import consume as consume_
from .._message import Message
from .._store import Store
from .._types import DAY
from ._command import Command
from ._output import json_text, plain
from ._run import Failure
from ._session import Session, pass_session
from ._types import DURATION

TAIL = 8_000
"""How much of a program's standard error is kept: its last line is what is wanted."""


@click.command(cls=Command)
@click.argument("queue")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
@click.option("--until-empty", is_flag=True, help="End when the queue is empty.")
@click.option("--concurrency", type=click.IntRange(1, 10_000), default=1, help="So many at once.")
@click.option("--vt", type=DURATION, help="Lease each for so long; it is kept meanwhile.")
@pass_session
async def consume(
    session: Session,
    queue: str,
    command: tuple[str, ...],
    count: int | None,
    until_empty: bool,
    concurrency: int,
    vt: float | None,
) -> None:
    """Take messages, and archive them.

    Without COMMAND each is printed as a line of JSON. With one, it is run for each message,
    the payload on its standard input, and PGQRS_QUEUE, PGQRS_MESSAGE_ID and PGQRS_READ_CT
    in its environment. Exit status 0 archives; after any other the message has failed, with
    the last line of standard error as its error, and comes again.

    Ctrl-C lets the programs that run end; a second one ends them.
    """
    if command and shutil.which(command[0]) is None:
        raise click.UsageError(f"there is no program {command[0]!r}")
    async with session.connect(install=True) as store:
        work = Running(store, queue, command) if command else Printing(store, queue)
        work.left = count
        consuming = consume_(
            store,
            queue,
            work.handle,
            vt=vt,
            concurrency=concurrency,
            until_empty=until_empty,
            shutdown_timeout=7 * DAY,  # a second signal ends it
        )
        await _until_ended(asyncio.ensure_future(consuming), work)
    work.end()


async def _until_ended(consuming: asyncio.Future[None], work: Work) -> None:
    """Waits for consume(). A cancel is passed on, and announced: it may take long."""
    try:
        await asyncio.shield(consuming)
    except asyncio.CancelledError:
        if work.running:
            click.echo(
                f"waiting for {work.running:,} messages that are in work; Ctrl-C ends them",
                err=True,
            )
        consuming.cancel()
        await consuming
        raise


class Work:
    """What is done with each message; ends the consuming after `left` of them."""

    def __init__(self, store: Store, queue: str) -> None:
        self._store = store
        self._queue = queue
        self.left: int | None = None
        self.running = 0
        """How many messages are in work."""

    async def handle(self, message: Message) -> None:
        """The handler."""
        if self.left is not None:
            self.left -= 1
            if not self.left:
                self.stop()  # those that run, this one too, come to their end
        self.running += 1
        try:
            await self.do(message)
        finally:
            self.running -= 1

    async def do(self, message: Message) -> None:
        """Returns when the message is to be archived, or is settled."""
        raise NotImplementedError

    def stop(self) -> None:
        """Takes no more messages."""
        for run in list(self._store._runs):
            run.stop()

    def end(self) -> None:
        """Called when all is settled; raises what the exit status should be."""


class Printing(Work):
    """Prints each message as a line of JSON, its payload as it was written."""

    _broken: BrokenPipeError | None = None

    async def do(self, message: Message) -> None:
        try:
            click.echo(line(message, self._queue))
        except BrokenPipeError as error:
            self._broken = error
            self.stop()
            await message.release()  # nobody has read it

    def end(self) -> None:
        if self._broken is not None:
            raise self._broken


class Running(Work):
    """Runs a program for each message."""

    def __init__(self, store: Store, queue: str, command: tuple[str, ...]) -> None:
        super().__init__(store, queue)
        self._command = command
        self._failed = 0

    async def do(self, message: Message) -> None:
        error = await self._run(message)
        if error is not None:
            self._failed += 1
            click.echo(f"message {message.id} failed: {error}", err=True)
            await message.fail(error)

    def end(self) -> None:
        if self._failed:
            raise Failure(f"{self._failed:,} deliveries failed")

    async def _run(self, message: Message) -> str | None:
        """Runs the program: None, or why it failed."""
        about = {
            "PGQRS_QUEUE": self._queue,
            "PGQRS_MESSAGE_ID": str(message.id),
            "PGQRS_READ_CT": str(message.read_ct),
        }
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | about,
            start_new_session=True,  # Ctrl-C is for us: the program may end its work
        )
        try:
            _, last = await asyncio.gather(_feed(process, message._text), _follow(process))
            status = await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if status == 0:
            return None
        return last or (f"exit status {status}" if status > 0 else f"ended by signal {-status}")


async def _feed(process: asyncio.subprocess.Process, text: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read it
        process.stdin.write(text)
        await process.stdin.drain()
    process.stdin.close()


async def _follow(process: asyncio.subprocess.Process) -> str:
    """Passes the program's standard error on, and returns its last line."""
    assert process.stderr is not None
    tail = b""
    while chunk := await process.stderr.read(2**16):
        sys.stderr.buffer.write(chunk)
        sys.stderr.flush()
        tail = (tail + chunk)[-TAIL:]
    lines = tail.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def line(message: Message, queue: str) -> bytes:
    """A message in a line of JSON. A line feed in the text of JSON is always between its
    tokens, where a space means the same."""
    about = {
        "id": message.id,
        "queue": queue,
        "read_ct": message.read_ct,
        "enqueued_at": plain(message.enqueued_at),
        "vt": plain(message.vt),
    }
    payload = message._text.replace(b"\r", b" ").replace(b"\n", b" ")
    return json_text(about)[:-1].encode() + b', "payload": ' + payload + b"}"
