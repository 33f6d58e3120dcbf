"""The ledger: what one program asked and what it was told, line by line.

Each program has a file of its own and writes each line with one write(2) to a file that
is opened for appending: a program that is killed loses nothing that it wrote. What it is
about to ask it writes before it asks, and what it was told right after. So an ask without
an answer means that nobody knows, and an answer is never of something that was not asked.

Only the last line of a program that was killed can be torn. It counts as not written:
a torn ask was not asked yet, a torn answer leaves its ask open. Elsewhere a line that
cannot be read is an error.

All moments are microseconds of CLOCK_REALTIME, which the server's clock_timestamp() reads
too: the programs and the server run on one machine. The bench compares it with
CLOCK_MONOTONIC, so that a clock that was set is not taken for a fault of the queue.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def now_us() -> int:
    """The moment, as the ledger tells it."""
    return time.time_ns() // 1000


# The verbs, and what stands behind the moment in each line.
HELLO = "hello"  # name, role
ASK = "ask"  # key, count                        a produce
STORED = "stored"  # key, ids
REFUSED = "refused"  # key, maybe, error
GOT = "got"  # id, lease, read_ct, taken_us, vt_us, key
DONE = "done"  # id, lease                       the handler has ended
SETTLE = "settle"  # verb, id, lease, delay_us
SETTLED = "settled"  # verb, id, lease, answer, vt_us (0: not told)
UNSETTLED = "unsettled"  # verb, id, lease, maybe, error
FAULT = "fault"  # name, end_us, details         by the bench; its moment is the begin
STARTED = "started"  # name, role                by the bench
ENDED = "ended"  # name                          by the bench, before it ends a program
FOOTPRINT = "footprint"  # memory KiB, goroutines, descriptors, connections
BYE = "bye"


class Ledger:
    """The writing side: one per program, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, verb: str, *values: Any) -> None:
        """One line, of this moment."""
        self.write_at(now_us(), verb, *values)

    def write_at(self, moment: int, verb: str, *values: Any) -> None:
        """One line of another moment."""
        line = json.dumps([verb, moment, *values], separators=(",", ":"), default=str)
        os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        """No more lines."""
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a ledger: who wrote it, what, and when."""

    by: str
    verb: str
    at: int
    values: tuple[Any, ...]


class TornLedgerError(Exception):
    """A line that is not the last one cannot be read."""


def read(path: Path) -> Iterator[Line]:
    """The lines of one file, in the order in which they were written. A last line that
    does not end is not there."""
    by = path.stem
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.endswith(b"\n"):
                return
            try:
                verb, at, *values = json.loads(text)
            except ValueError as error:
                raise TornLedgerError(f"{path}, line {number}: {text[:80]!r}") from error
            yield Line(by, verb, at, tuple(values))


def read_all(folder: Path) -> Iterator[Line]:
    """The lines of all ledgers of a run, one file after the other."""
    for path in sorted(folder.glob("*.ledger")):
        yield from read(path)
