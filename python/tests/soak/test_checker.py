"""The checker finds each thing that cannot be, in ledgers made by hand, and nothing in
what may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from soak.checker import check
from soak.history import History
from soak.ledger import Line, TornLedgerError, read
from soak.tables import Place, Tables

MAX = 5
VT = 100_000


class Story:
    """A ledger in the making. Moments are milliseconds; the server's clock is the same."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.tables = Tables()

    def say(self, ms: float, verb: str, *values: Any) -> None:
        self.lines.append(Line("one", verb, round(ms * 1000), values))

    def produce(self, *ids: int, key: str = "p-1", at: float = 0) -> None:
        self.say(at, "ask", key, len(ids))
        self.say(at + 1, "stored", key, list(ids))
        for i, message in enumerate(ids):
            self.tables.put(message, f"{key}.{i}")

    def got(
        self, at: float, message: int, lease: int, read_ct: int = 1, key: str = "p-1.0"
    ) -> None:
        taken = round(at * 1000) - 500
        self.say(at, "got", message, lease, read_ct, taken, taken + VT, key)

    def settle(
        self, at: float, verb: str, message: int, lease: int, answer: bool | None, vt: int = 0
    ) -> None:
        """answer None: the ledger ends before it."""
        self.say(at, "settle", verb, message, lease, 0)
        if answer is not None:
            self.say(at + 1, "settled", verb, message, lease, answer, vt)

    def crash(self, begin: float, end: float) -> None:
        self.say(begin, "fault", "restart-immediate", round(end * 1000), {"crash": True})

    def fault(self, begin: float, end: float) -> None:
        self.say(begin, "fault", "kill-consumer", round(end * 1000), {})

    def put(self, message: int, outcome: str, lease: int, read_ct: int = 1) -> None:
        self.tables.places.setdefault(message, []).append(Place(outcome, lease, read_ct))

    def gone(self, message: int) -> None:
        del self.tables.logged[message]
        self.tables.places.pop(message, None)

    def archived(self) -> None:
        """One message, as it should be."""
        self.produce(1)
        self.got(10, 1, 100)
        self.settle(20, "archive", 1, 100, True)
        self.put(1, "archived", 100)


def rules(tell: Callable[[Story], None]) -> list[str]:
    story = Story()
    tell(story)
    verdict = check(History(story.lines), story.tables, max_read_ct=MAX)
    return sorted({v.rule for v in verdict.violations})


def redelivered(s: Story, at: float, read_ct: int) -> None:
    """Delivered at 10 ms until 109.5 ms, and then again, and archived."""
    s.produce(1)
    s.got(10, 1, 100)
    s.got(at, 1, 101, read_ct)
    s.settle(at + 10, "archive", 1, 101, True)
    s.put(1, "archived", 101, read_ct)


def lost_produce(s: Story, stored: int) -> None:
    s.say(0, "ask", "p-1", 2)
    s.say(1, "refused", "p-1", True, "PgqrsConnectionError: lost")
    for i in range(stored):
        s.tables.put(i + 1, f"p-1.{i}")
        s.got(10, i + 1, 100, key=f"p-1.{i}")
        s.settle(20, "archive", i + 1, 100, True)
        s.put(i + 1, "archived", 100)


def deleted(s: Story, answer: bool | None) -> None:
    s.produce(1)
    s.got(10, 1, 100)
    s.settle(20, "delete", 1, 100, answer)
    s.gone(1)


def undone_by_a_crash(s: Story, crash: float) -> None:
    redelivered(s, 60, 1)
    s.crash(crash, crash + 10)


def released(s: Story, answer: bool | None) -> None:
    s.produce(1)
    s.got(10, 1, 100)
    s.settle(20, "release", 1, 100, answer)
    s.got(40, 1, 101, 2)
    s.settle(50, "archive", 1, 101, True)
    s.put(1, "archived", 101, 2)


def extended(s: Story, at: float) -> None:
    s.produce(1)
    s.got(10, 1, 100)
    s.settle(20, "extend", 1, 100, True, 300_000)
    s.got(at, 1, 101, 2)
    s.settle(at + 10, "archive", 1, 101, True)
    s.put(1, "archived", 101, 2)


def dead(s: Story, read_ct: int) -> None:
    s.produce(1)
    s.fault(5, 6)
    s.put(1, "dead", 100, read_ct)


GOOD: dict[str, Callable[[Story], None]] = {
    "an archived message": Story.archived,
    "a deleted message": lambda s: deleted(s, True),
    "a delete whose answer was not written": lambda s: deleted(s, None),
    "a redelivery when the lease is over": lambda s: redelivered(s, 110, 2),
    "a redelivery after a release": lambda s: released(s, True),
    "a redelivery after a release whose answer is not known": lambda s: released(s, None),
    "a redelivery when the extended lease is over": lambda s: extended(s, 301),
    "a lost produce that was stored": lambda s: lost_produce(s, 2),
    "a lost produce that was not stored": lambda s: lost_produce(s, 0),
    "a lease that a crash forgot": lambda s: undone_by_a_crash(s, 30),
    "a dead message that nobody saw": lambda s: dead(s, MAX),
    "a lease that a killed program held": lambda s: (redelivered(s, 250, 3), s.fault(120, 130)),
}

BAD: dict[str, tuple[Callable[[Story], None], list[str]]] = {
    "an acknowledged message that is gone": (
        lambda s: (s.produce(1), s.gone(1)),
        ["lost"],
    ),
    "a delivered message that is gone": (
        lambda s: (s.produce(1), s.got(10, 1, 100), s.gone(1)),
        ["lost"],
    ),
    "a message that is gone though its delete was denied": (
        lambda s: deleted(s, False),
        ["delete denied", "lost"],
    ),
    "a message in the log alone": (lambda s: s.produce(1), ["in no row"]),
    "a message that ended twice": (
        lambda s: (s.archived(), s.put(1, "dead", 7, MAX)),
        ["ends twice"],
    ),
    "a message that is live and archived": (
        lambda s: (s.archived(), s.put(1, "live", 0)),
        ["ends twice", "left behind"],
    ),
    "a message that nobody handled": (
        lambda s: (s.produce(1), s.put(1, "live", 0, 0)),
        ["left behind"],
    ),
    "a message without payload": (
        lambda s: (s.archived(), s.tables.logged.clear()),
        ["without payload"],
    ),
    "a message that nobody produced": (
        lambda s: (s.tables.put(7, "x-9.0"), s.put(7, "dead", 1, MAX)),
        ["from nowhere"],
    ),
    "a message stored though its produce was refused": (
        lambda s: (
            s.say(0, "ask", "p-1", 1),
            s.say(1, "refused", "p-1", False, "PgqrsConnectionError: away"),
            s.tables.put(1, "p-1.0"),
            s.put(1, "dead", 1, MAX),
            s.fault(0, 1),
        ),
        ["refused and stored"],
    ),
    "half of a batch": (lambda s: lost_produce(s, 1), ["half of a batch"]),
    "an id given twice": (
        lambda s: (s.archived(), s.produce(1, key="p-2"), s.tables.put(1, "p-1.0")),
        ["id given twice"],
    ),
    "too few ids": (
        lambda s: (s.say(0, "ask", "p-1", 2), s.say(1, "stored", "p-1", [])),
        ["wrong number of ids"],
    ),
    "a payload of another message": (
        lambda s: (s.archived(), s.tables.put(1, "p-1.1")),
        ["payload of another"],
    ),
    "two holders": (lambda s: redelivered(s, 60, 2), ["two holders"]),
    "two holders within an extended lease": (lambda s: extended(s, 200), ["two holders"]),
    "two holders long before a crash": (
        lambda s: (redelivered(s, 60, 2), s.crash(1200, 1300)),
        ["two holders"],
    ),
    "two holders within a lease that survived the crash": (
        lambda s: (
            s.produce(1, 2),
            s.got(10, 1, 100),
            s.got(10, 2, 100, key="p-1.1"),
            s.settle(20, "archive", 2, 100, True),
            s.put(2, "archived", 100),
            s.crash(30, 35),
            s.got(60, 1, 101, 2),
            s.settle(70, "archive", 1, 101, True),
            s.put(1, "archived", 101, 2),
        ),
        ["two holders"],
    ),
    "an extension by a late holder": (
        lambda s: (redelivered(s, 150, 2), s.settle(160, "extend", 1, 100, True, 200_000)),
        ["extend by a late holder"],
    ),
    "a read count that fell": (lambda s: redelivered(s, 110, 1), ["read count fell"]),
    "a gap in read counts": (lambda s: redelivered(s, 250, 3), ["gap in read counts"]),
    "a gap that another fault does not explain": (
        lambda s: (redelivered(s, 250, 3), s.fault(400, 410)),
        ["gap in read counts"],
    ),
    "an archive that was told and is not": (
        lambda s: (
            s.produce(1),
            s.got(10, 1, 100),
            s.settle(20, "archive", 1, 100, True),
            s.put(1, "dead", 100, MAX),
        ),
        ["not archived"],
    ),
    "a delete that was told and is not": (
        lambda s: (
            s.produce(1),
            s.got(10, 1, 100),
            s.settle(20, "delete", 1, 100, True),
            s.put(1, "dead", 100, MAX),
        ),
        ["not deleted"],
    ),
    "an archive that nobody asked for": (
        lambda s: (s.produce(1), s.got(10, 1, 100), s.put(1, "archived", 100)),
        ["archived by nobody"],
    ),
    "an archive of a lease that nobody had": (
        lambda s: (s.archived(), s.tables.places.clear(), s.put(1, "archived", 99)),
        ["archived by nobody", "not archived"],
    ),
    "an archive denied within the lease": (
        lambda s: (
            s.produce(1),
            s.got(10, 1, 100),
            s.settle(20, "archive", 1, 100, False),
            s.got(120, 1, 101, 2),
            s.settle(130, "archive", 1, 101, True),
            s.put(1, "archived", 101, 2),
        ),
        ["archive denied"],
    ),
    "an archive that was told twice": (
        lambda s: (s.archived(), s.settle(30, "archive", 1, 100, True)),
        ["settled twice"],
    ),
    "an extension behind the end": (
        lambda s: (s.archived(), s.settle(30, "extend", 1, 100, True, 300_000)),
        ["extended after its end"],
    ),
    "a death too early": (lambda s: dead(s, 2), ["dead too early"]),
    "a delivery too many": (
        lambda s: (redelivered(s, 250, MAX + 1), s.fault(120, 130)),
        ["delivered too often"],
    ),
}


@pytest.mark.parametrize("what", GOOD)
def test_the_checker_finds_nothing_in(what):
    assert rules(GOOD[what]) == []


@pytest.mark.parametrize("what", BAD)
def test_the_checker_finds(what):
    tell, want = BAD[what]
    assert rules(tell) == want


def test_overlaps_at_crashes_are_counted():
    story = Story()
    undone_by_a_crash(story, 30)
    verdict = check(History(story.lines), story.tables, max_read_ct=MAX)
    assert verdict.counts["overlaps at crashes"] == 1
    assert verdict.counts["read counts undone by crashes"] == 1


def test_a_torn_last_line_counts_as_not_written(tmp_path):
    path = tmp_path / "p1.ledger"
    path.write_bytes(b'["ask",1,"p-1",1]\n["stored",2,"p-1",[')
    assert [line.verb for line in read(path)] == ["ask"]
    path.write_bytes(b'["ask",1,"p-1\n["bye",2]\n')
    with pytest.raises(TornLedgerError, match="line 1"):
        list(read(path))
