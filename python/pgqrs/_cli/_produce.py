"""pgqrs produce: one message, or one for each line."""

from __future__ import annotations

import asyncio
import sys
import time

import click

from .. import _types
from .._api import produce as produce_
from .._decoder import decode
from .._errors import PgqrsConnectionError, PgqrsError
from .._store import Store
from ._command import Command
from ._lines import Lines
from ._output import print_record
from ._progress import Bar, bar
from ._run import Failure
from ._session import Session, pass_session
from ._types import DURATION

BATCH = 1000
"""How many messages are stored in one transaction."""


@click.command(cls=Command)
@click.argument("queue")
@click.argument("payload", required=False, metavar="[JSON|-]")
@click.option("--file", type=click.Path(exists=True, dir_okay=False), help="Read this file.")
@click.option("--delay", type=DURATION, default=0, help="Ready only so much later.")
@click.option("--dedup-key", metavar="KEY", help="Store it unless a message has that key.")
@click.option("--keep-going", is_flag=True, help="Leave out lines that cannot be stored.")
@pass_session
async def produce(
    session: Session,
    queue: str,
    payload: str | None,
    file: str | None,
    delay: float,
    dedup_key: str | None,
    keep_going: bool,
) -> None:
    """Store messages.

    JSON is one message, whose id is printed. With - (or --file) each line of the input is
    one; they are stored in order, 1000 in a transaction. A line that is no JSON ends it:
    the error names the line, and everything before it is stored.
    """
    if payload is not None and file is not None:
        raise click.UsageError("either JSON or --file")
    if dedup_key is not None and payload in (None, "-"):
        raise click.UsageError("--dedup-key goes with one message: give its JSON")
    if payload is None and file is None and sys.stdin.isatty():
        raise click.UsageError("what is to be stored? Give JSON, or - for lines of JSON")
    async with session.connect(install=True) as store:
        storing = Storing(store, queue, delay, keep_going)
        if dedup_key is not None:
            await _keyed(session, store, queue, payload, delay, dedup_key)
            return
        if payload is not None and payload != "-":
            (number,) = await storing.send([payload.encode("utf-8", "surrogateescape")])
            print_record(session, {"id": number}) if session.json else click.echo(number)
            return
        begin = time.monotonic()
        with Lines(file or "-") as lines:
            await storing.lines(lines)
    seconds = time.monotonic() - begin
    if session.json:
        print_record(session, {"stored": storing.stored, "left_out": storing.left_out})
    else:
        click.echo(f"stored {storing.stored:,} messages in {seconds:,.1f} s")
    if storing.left_out:
        raise Failure(f"{storing.left_out:,} lines were left out; they are named above")


async def _keyed(
    session: Session, store: Store, queue: str, payload: str | None, delay: float, key: str
) -> None:
    """Stores one message, whose key says whether it is a new one."""
    try:
        value = decode((payload or "").encode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise Failure(f"the payload is not valid JSON: {error}") from error
    number = await produce_(store, queue, value, delay_seconds=delay, dedup_key=key)
    if session.json:
        print_record(session, {"id": int(number), "deduplicated": number.deduplicated})
    else:
        click.echo(int(number))


class Storing:
    """Stores lines, and knows how many are stored, whatever happens."""

    def __init__(self, store: Store, queue: str, delay: float, keep_going: bool) -> None:
        self._link = store._link
        self._name = _types.queue_name(queue)
        self._delay_us = _types.delay_us(delay)
        self._keep_going = keep_going
        self.stored = 0
        self.left_out = 0
        self._sending: list[tuple[int, bytes]] = []

    async def send(self, texts: list[bytes]) -> list[int]:
        """Stores texts, all or none: as they are written, not decoded and encoded again,
        and each for itself, since `1,2` in an array would be two."""
        link = self._link
        ids: list[int] = await link.produce(
            link.native.produce_batch, self._name, texts, self._delay_us, 0
        )
        self.stored += len(ids)
        return ids

    async def lines(self, lines: Lines) -> None:
        """Stores all lines."""
        try:
            with bar("storing", lines.total) as storing:
                async for some in lines:
                    for first in range(0, len(some), BATCH):
                        await self._batch(some[first : first + BATCH], storing)
        except asyncio.CancelledError:
            click.echo(self._so_far(self._sending, unsure=True), err=True)
            raise

    async def _batch(self, lines: list[tuple[int, bytes]], storing: Bar) -> None:
        """Stores lines; without a bad one, and what follows it, where there is one."""
        while lines:
            self._sending = lines
            try:
                await self.send([text for _, text in lines])
            except PgqrsError as error:
                if error.index is None:
                    unsure = isinstance(error, PgqrsConnectionError) and error.maybe_committed
                    raise Failure(f"{error}. {self._so_far(lines, unsure=unsure)}") from error
                good, (number, _), rest = _split(lines, error.index)
                await self._batch(good, storing)
                self._refused(number, error)
                lines = rest
            else:
                self._sending = []
                storing.advance(len(lines), sum(len(text) + 1 for _, text in lines))
                return

    def _refused(self, number: int, error: PgqrsError) -> None:
        said = str(error).removeprefix(f"payload at index {error.index}: ")
        if not self._keep_going:
            raise Failure(
                f"line {number}: {said}. {self.stored:,} messages are stored, from the lines "
                "before it; nothing from it on"
            ) from error
        self.left_out += 1
        click.echo(f"line {number}: {said}", err=True)

    def _so_far(self, sending: list[tuple[int, bytes]], *, unsure: bool) -> str:
        """What became of the lines when it ends before them."""
        if not sending:
            return f"{self.stored:,} messages are stored"
        first, last = sending[0][0], sending[-1][0]
        known = f"{self.stored:,} messages are stored, from the lines before line {first}"
        return (
            f"{known}; lines {first} to {last} are stored or not, all of them" if unsure else known
        )


def _split(
    lines: list[tuple[int, bytes]], index: int
) -> tuple[list[tuple[int, bytes]], tuple[int, bytes], list[tuple[int, bytes]]]:
    return lines[:index], lines[index], lines[index + 1 :]
