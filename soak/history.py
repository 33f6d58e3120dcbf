"""History: the lines of all ledgers of a run, by produce, by delivery and by fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import ledger
from .ledger import Line


@dataclass(slots=True)
class Produce:
    """One produce: what was asked, and what the answer was."""

    key: str
    count: int
    asked_at: int
    ids: list[int] | None = None  # stored
    refused: bool = False  # an error that says that nothing was stored

    @property
    def lost(self) -> bool:
        """Nobody knows whether it was carried out."""
        return self.ids is None and not self.refused


@dataclass(slots=True)
class Settle:
    """One call that settles or extends a delivery."""

    verb: str  # archive, delete, release, extend
    asked_at: int
    delay_us: int
    answered_at: int | None = None
    answer: bool | None = None  # None: nobody knows
    refused: bool = False  # an error that says that nothing was done
    vt_us: int = 0  # of an extend that answered True

    @property
    def may_be_done(self) -> bool:
        """It answered True, or nobody knows."""
        return not self.refused and self.answer is not False


@dataclass(slots=True)
class Delivery:
    """One delivery of one message to one program, in the server's time: drawn at taken_us,
    its lease lasting until vt_us or longer."""

    id: int
    lease: int
    by: str
    got_at: int
    read_ct: int
    taken_us: int
    vt_us: int
    key: str
    done_at: int | None = None
    settles: list[Settle] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, from its begin to its end. crash: the server may have forgotten what it
    had committed without waiting for the disk, which are leases alone."""

    name: str
    begin: int
    end: int
    crash: bool = False
    said: str = ""  # by what died of itself
    victim: str = ""  # the program that was struck; empty: all may feel it


class History:
    """All that the ledgers tell."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.produces: dict[str, Produce] = {}
        self.deliveries: dict[int, list[Delivery]] = defaultdict(list)  # by message
        self.faults: list[Fault] = []
        self.errors: dict[str, int] = defaultdict(int)  # what programs were told, counted
        self.odd: list[str] = []  # lines that contradict the ones before them
        self._open: dict[tuple[int, int], Delivery] = {}
        for line in lines:
            self._take(line)
        for deliveries in self.deliveries.values():
            deliveries.sort(key=lambda d: (d.taken_us, d.lease))

    def _take(self, line: Line) -> None:
        v = line.values
        match line.verb:
            case ledger.ASK:
                if v[0] in self.produces:
                    self.odd.append(f"{line.by} asked {v[0]} twice")
                self.produces[v[0]] = Produce(v[0], v[1], line.at)
            case ledger.STORED:
                self.produces[v[0]].ids = v[1]
            case ledger.REFUSED:
                self.produces[v[0]].refused = not v[1]
                self.errors[_kind(v[2])] += 1
            case ledger.GOT:
                self._got(line)
            case ledger.DONE:
                self._open[v[0], v[1]].done_at = line.at
            case ledger.SETTLE:
                settle = Settle(v[0], line.at, v[3] if len(v) > 3 else 0)
                self._open[v[1], v[2]].settles.append(settle)
            case ledger.SETTLED:
                settle = self._asked(line)
                settle.answered_at, settle.answer, settle.vt_us = line.at, bool(v[3]), v[4]
            case ledger.UNSETTLED:
                settle = self._asked(line)
                settle.answered_at, settle.refused = line.at, not v[3]
                self.errors[_kind(v[4])] += 1
            case ledger.FAULT:
                about = v[2] if len(v) > 2 else {}
                self.faults.append(Fault(v[0], line.at, v[1], **about))

    def _got(self, line: Line) -> None:
        message, lease, read_ct, taken, vt, key = line.values
        delivery = Delivery(message, lease, line.by, line.at, read_ct, taken, vt, key)
        if (message, lease) in self._open:
            self.odd.append(f"message {message} was delivered twice by lease {lease}")
        self._open[message, lease] = delivery
        self.deliveries[message].append(delivery)

    def _asked(self, line: Line) -> Settle:
        """The ask that this answer is about: the last open one of its verb."""
        verb, message, lease = line.values[:3]
        for settle in reversed(self._open[message, lease].settles):
            if settle.verb == verb and settle.answered_at is None:
                return settle
        raise ValueError(f"{line.by} was answered what it had not asked: {line}")

    @property
    def crashes(self) -> list[Fault]:
        """The faults in which the server may have forgotten leases."""
        return [fault for fault in self.faults if fault.crash]


def _kind(error: str) -> str:
    return error.partition(":")[0]
