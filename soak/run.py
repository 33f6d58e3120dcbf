"""run(): one run of the bench, with its figures."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from . import faults as ways
from .bench import Bench
from .checker import check
from .faults import FAULTS, FaultKind
from .history import History
from .ledger import read_all
from .recovery import LIMIT_US, Lives, judge_logs, judge_recovery
from .server import PgBouncer, Server
from .tables import read_tables

WARM_UP_SECONDS = 1.0
REST_SECONDS = LIMIT_US / 1e6 + 0.5
SHORT_REST_SECONDS = 1.5
MAX_READ_CT = 5
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
    mixed: bool = False  # short rests, and sometimes two faults at once
    each_once: bool = False  # one after the other, however long that takes


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
    memory: dict[str, list[int]] = field(default_factory=dict)
    lost_produces: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the file of figures."""
        return dict(self.__dict__, lost_produces=self.lost_produces[:50])


async def run(server: Server, plan: Plan, folder: Path, *, inside: Any = None) -> Outcome:
    """Runs it in a folder of its own, and judges."""
    shutil.rmtree(folder, ignore_errors=True)
    bench = Bench(server, folder, plan.seed, rate=plan.rate, vt=plan.vt)
    routes = list(dict.fromkeys(k.route for k in plan.kinds)) or [ways.DIRECT]
    clocks = time.time() - time.monotonic()
    begin = time.monotonic()
    try:
        await bench.open(set(routes))
        await bench.man(routes, plan.producers, plan.consumers)
        await asyncio.gather(*(bench.crew.await_work(m) for m in bench.crew.members))
        await asyncio.sleep(WARM_UP_SECONDS)
        before = _footprints(bench)
        await _strike(bench, plan)
        after = _footprints(bench)
        await bench.drain()
        tables = await asyncio.to_thread(read_tables, bench.dsn)
        failures = list(bench.crew.failures)
    finally:
        await bench.close()
    outcome = _judge(plan, folder, tables, failures)
    outcome.seconds = round(time.monotonic() - begin, 1)
    outcome.memory = {n: [*before[n], *after[n]] for n in before if n in after}
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
    return outcome


def _footprints(bench: Bench) -> dict[str, tuple[int, int, int]]:
    """Of each program: its memory in KiB, its descriptors and its threads."""
    found = {}
    for m in bench.crew.members:
        if m.runs:
            try:
                process = psutil.Process(m.process.pid)
                rss = process.memory_info().rss // 1024
                found[m.name] = (rss, process.num_fds(), process.num_threads())
            except psutil.Error:
                continue
    return found


def choose(names: str, *, root: bool) -> list[FaultKind]:
    """The kinds of those names, separated by commas; "each" and "mix" are all that can be
    made here."""
    able = [
        k
        for k in FAULTS.kinds.values()
        if (root or not k.root)
        and (k.route not in (ways.TRANSACTION, ways.SESSION) or os.path.exists(PgBouncer.PROGRAM))
    ]
    if names in ("each", "mix"):
        return able
    return [FAULTS.kinds[name] for name in names.split(",")]


def fresh_seed() -> int:
    """A seed for who gave none."""
    return random.SystemRandom().randrange(1_000_000)
