"""The bench itself: a short run with faults, and what it says of programs that do not go
on. `make soak` runs long ones."""

from __future__ import annotations

import asyncio
import os

from soak.faults import FAULTS, FaultKind
from soak.history import Fault
from soak.ledger import Line
from soak.recovery import Lives, judge_logs, judge_recovery
from soak.run import Plan, run


def kinds(*names: str) -> tuple[FaultKind, ...]:
    return tuple(FAULTS.kinds[name] for name in names)


def test_killed_programs_and_ended_servers_lose_nothing(tmp_path, server):
    """One round of each, with a seed that is printed when it fails."""
    seed = int(os.environ.get("PGQRS_SOAK_SEED", "0")) or os.getpid()
    some = kinds("kill-consumer", "backends-terminated", "restart-immediate")
    plan = Plan("short", some, seed, 0, producers=2, consumers=3, rate=60, vt=1, each_once=True)
    outcome = asyncio.run(run(server, plan, tmp_path / "run"))
    assert outcome.problems == [], f"seed {seed}"
    assert outcome.counts["produced"] > 100
    assert outcome.counts["archived"] > 0
    assert outcome.faults == {kind.name: 1 for kind in some}


def line(by: str, verb: str, seconds: float, *values: object) -> Line:
    return Line(by, verb, round(seconds * 1e6), values)


def test_who_does_not_go_on_within_five_seconds_is_named():
    lines = [
        line("bench", "started", 0, "p1", "producer"),
        line("bench", "started", 0, "c1", "consumer"),
        line("bench", "started", 0, "c2", "consumer"),
        line("bench", "ended", 12, "c2"),
        line("p1", "stored", 1, "p1-1", [1]),
        line("p1", "stored", 14.9, "p1-2", [2]),
        *(line(by, "got", 1, 1, 100, 1, 0, 0, "p1-1.0") for by in ("c1", "c2")),
        line("c1", "got", 15.1, 2, 101, 1, 0, 0, "p1-2.0"),
    ]
    fault = Fault("server-away", 5_000_000, 10_000_000)
    recovery = judge_recovery([fault], Lives(lines))
    assert recovery.late == ["c1, 5.1 s after server-away"]  # c2 was told to end
    assert recovery.judged == 2
    again = Fault("kill-producer", 14_000_000, 14_100_000)  # then nobody can tell
    assert "server-away" not in judge_recovery([fault, again], Lives(lines)).slowest


def test_who_logs_the_same_again_and_again_is_named():
    fault = Fault("server-away", 5_000_000, 10_000_000)
    logs = {"c1": [f"{6 + i / 100} WARNING away" for i in range(13)], "c2": ["6.5 WARNING away"]}
    recovery = judge_recovery([fault], Lives([]))
    judge_logs([fault], logs, recovery)
    assert recovery.talkative == ["c1, 13 lines about server-away"]
