"""run(): one run of the bench, with its figures."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import faults as ways
from .bench import Bench
from .checker import check
from .faults import FAULTS, OUTAGE, FaultKind
from .flatness import Course, courses
from .history import History
from .ledger import ENDED, STORED, Line, read_all
from .recovery import LIMIT_US, Lives, judge_logs, judge_recovery
from .server import PgBouncer, Server
from .tables import read_tables

WARM_UP_SECONDS = 1.0
REST_SECONDS = LIMIT_US / 1e6 + 0.5
SHORT_REST_SECONDS = 1.5
MAX_READ_CT = 5
MOST_MEMORY_KIB = 256 * 1024
"""What a program may take up that pushes: a Python with a thousand tasks and their
payloads, and max_pending_bytes several times, for each layer has a copy."""
CAPACITY_SECONDS = 10.0
CLOCK_DRIFT_SECONDS = 0.05
"""How much the two clocks of the machine may part in one run."""


@dataclass(frozen=True)
class Plan:
    """What a run is to do."""

    name: str
    kinds: tuple[FaultKind, ...]  # none: a run without faults
    seed: int
    seconds: float
    producers: int = 4
    consumers: int = 6
    rate: float = 60.0  # messages a second and producer
    vt: float = 2.0
    outage_seconds: float = 60.0
    mixed: bool = False  # short rests, and sometimes two faults at once
    each_once: bool = False  # one after the other, however long that takes

    @property
    def pushers(self) -> int:
        """How many producers produce more than there is room for."""
        return 2 if [k.name for k in self.kinds] == [OUTAGE] else 0


@dataclass
class Outcome:
    """What a run found: it is good when `problems` is empty."""

    name: str
    seed: int
    seconds: float
    problems: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    slowest_recovery: dict[str, float] = field(default_factory=dict)
    most_log_lines: dict[str, int] = field(default_factory=dict)
    recoveries_judged: int = 0
    footprints: list[str] = field(default_factory=list)
    idle_seconds: float = 0.0  # until all programs had begun, and after the last message
    lost_produces: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the file of figures."""
        return dict(self.__dict__, lost_produces=self.lost_produces[:50])


async def run(server: Server, plan: Plan, folder: Path) -> Outcome:
    """Runs it in a folder of its own, and judges."""
    shutil.rmtree(folder, ignore_errors=True)
    bench = Bench(server, folder, plan.seed, rate=plan.rate, vt=plan.vt)
    bench.outage_seconds = plan.outage_seconds
    routes = list(dict.fromkeys(k.route for k in plan.kinds)) or [ways.DIRECT]
    clocks = time.time() - time.monotonic()
    begin = time.monotonic()
    try:
        await bench.open(set(routes))
        await bench.man(routes, plan.producers, plan.consumers, plan.pushers)
        await asyncio.gather(*(bench.crew.await_work(m) for m in bench.crew.members))
        idle = time.monotonic() - begin
        await asyncio.sleep(WARM_UP_SECONDS)
        await _strike(bench, plan)
        await bench.drain()
        drained = time.monotonic()
        tables = await asyncio.to_thread(read_tables, bench.dsn)
        failures = list(bench.crew.failures)
    finally:
        await bench.close()
    outcome = _judge(plan, folder, tables, failures)
    outcome.seconds = round(time.monotonic() - begin, 1)
    outcome.idle_seconds = round(idle + time.monotonic() - drained, 1)
    if abs(time.time() - time.monotonic() - clocks) > CLOCK_DRIFT_SECONDS:
        outcome.problems.append("the machine's clock was set during the run: it proves nothing")
    return outcome


async def _strike(bench: Bench, plan: Plan) -> None:
    if plan.each_once:
        for kind in plan.kinds:
            await bench.strike(kind)
            await asyncio.sleep(SHORT_REST_SECONDS)
        return
    until = time.monotonic() + plan.seconds
    while time.monotonic() < until:
        if not plan.kinds:
            await asyncio.sleep(0.5)
            bench.crew.look()
            continue
        both = plan.mixed and bench.random.random() < 0.3
        some = bench.random.sample(plan.kinds, 2 if both else 1)
        await asyncio.gather(*(bench.strike(kind) for kind in some))
        await asyncio.sleep(bench.random.uniform(0.5, 8) if plan.mixed else REST_SECONDS)
    await asyncio.sleep(REST_SECONDS if plan.mixed else 0)


def _judge(plan: Plan, folder: Path, tables: Any, failures: list[str]) -> Outcome:
    lines = list(read_all(folder))
    history = History(lines)
    verdict = check(history, tables, max_read_ct=MAX_READ_CT)
    recovery = judge_recovery(history.faults, Lives(lines))
    logs = {p.stem: p.read_text(errors="replace").splitlines() for p in folder.glob("*.log")}
    judge_logs(history.faults, logs, recovery)
    outcome = Outcome(plan.name, plan.seed, 0)
    outcome.problems += [str(v) for v in verdict.violations]
    outcome.problems += [f"too late: {text}" for text in recovery.late]
    outcome.problems += [f"too many log lines: {text}" for text in recovery.talkative]
    outcome.problems += failures
    strange = ("InternalError", "ConfigError", "ValidationError", "LoopError")
    outcome.problems += [
        f"programs were told {count} times: {kind}"
        for kind, count in history.errors.items()
        if kind.startswith(strange)
    ]
    for fault in history.faults:
        outcome.faults[fault.name] = outcome.faults.get(fault.name, 0) + 1
    outcome.counts = dict(sorted(verdict.counts.items()))
    outcome.errors = dict(sorted(history.errors.items()))
    outcome.slowest_recovery = recovery.slowest
    outcome.most_log_lines = recovery.most_lines
    outcome.recoveries_judged = recovery.judged
    outcome.lost_produces = verdict.lost_produces
    _judge_footprints(plan, history, lines, outcome)
    return outcome


def _judge_footprints(plan: Plan, history: History, lines: list[Line], outcome: Outcome) -> None:
    """In a plain run nothing may grow. In one with an outage nothing may grow during it, and
    the programs that push fill the room that they have, and no more."""
    judged: list[Course] = []
    if not plan.kinds:
        judged = courses(lines, *_working_time(lines))
    elif plan.pushers:
        for fault in history.faults:
            judged += courses(lines, fault.begin, fault.end)
        outcome.problems += [
            f"more memory than there is room for: {course}, at most {course.most:,.0f}"
            for course in judged
            if course.kind == "memory KiB" and course.most > MOST_MEMORY_KIB
        ]
    outcome.footprints = [str(course) for course in judged]
    outcome.problems += [f"not flat: {course}" for course in judged if course.grows]


def _working_time(lines: list[Line]) -> tuple[int, int]:
    """From the first success to the moment when the first program was told to end."""
    begin = min((line.at for line in lines if line.verb == STORED), default=0)
    return begin, min((line.at for line in lines if line.verb == ENDED), default=0)


async def capacity(server: Server, plan: Plan, folder: Path) -> float:
    """How many messages a second these programs can produce and consume on this machine:
    so many are produced in some seconds as can be, and then all of them are consumed."""
    outcome = await run(server, replace(plan, kinds=(), seconds=CAPACITY_SECONDS, rate=1e6), folder)
    if outcome.counts["produced"] == 0:
        raise RuntimeError(f"nothing goes through: {outcome.problems}")
    return outcome.counts["produced"] / (outcome.seconds - outcome.idle_seconds)


def choose(names: str, *, root: bool) -> list[FaultKind]:
    """The kinds of those names, separated by commas; "each" and "mix" are all that can be
    made here."""
    able = [
        k
        for k in FAULTS.kinds.values()
        if (root or not k.root)
        and (k.route not in (ways.TRANSACTION, ways.SESSION) or os.path.exists(PgBouncer.PROGRAM))
    ]
    if names == "mix":  # of which it would be most
        return [kind for kind in able if kind.name != OUTAGE]
    if names == "each":
        return able
    return [FAULTS.kinds[name] for name in names.split(",")]


def fresh_seed() -> int:
    """A seed for who gave none."""
    return random.SystemRandom().randrange(1_000_000)
