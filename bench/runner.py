"""The rounds: every subject of every workload once in each, in turns."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, closing
from dataclasses import asdict
from time import monotonic
from typing import Any

from . import machine
from .procedures import PROCEDURES, Turn
from .results import Results
from .subjects import BEFORE, DRIVERS, SUBJECTS
from .workloads import GROUPS, Scale, Workload, workloads

Chosen = list[tuple[Workload, list[str]]]


def choose(scale: Scale, *, only: str, subjects: set[str] | None, with_long: bool) -> Chosen:
    """The workloads whose group or id begins with one of `only`, with these subjects.
    Long ones are among them when they are named, or all are wanted."""
    names = tuple(name for name in only.split(",") if name)
    chosen = []
    for workload in workloads(scale):
        named = workload.group.startswith(names) or workload.id.startswith(names)
        if names and not named:
            continue
        if GROUPS[workload.group].is_long and not (names or with_long):
            continue
        those = [s for s in workload.subjects if subjects is None or s in subjects]
        if those:
            chosen.append((workload, those))
    return chosen


def beside_before(chosen: Chosen) -> Chosen:
    """The same of ours in Python alone, beside its older version."""
    return [(workload, ["pgqrs", BEFORE]) for workload, those in chosen if "pgqrs" in those]


def measure(scale: Scale, chosen: Chosen) -> Results:
    """All rounds."""
    names = sorted({SUBJECTS[s].driver for _, those in chosen for s in those})
    with ExitStack() as stack:
        server = stack.enter_context(closing(machine.Server()))
        run = _Run(scale, server, stack)
        for name in names:
            run.start(name)
        run.results = Results(
            {
                "machine": machine.describe(),
                "server": server.describe(),
                "scale": asdict(scale),
                "versions": {name: driver.versions for name, driver in run.drivers.items()},
                "workloads": [asdict(w) for w, _ in chosen],
                "absent": run.absent,
                "failed": run.failed,
            }
        )
        began = monotonic()
        for turn in range(scale.rounds):
            spent: dict[str, float] = {}
            for workload, those in chosen:
                if turn < workload.rounds:
                    start = monotonic()
                    run.all(workload, those, turn)
                    spent[workload.group] = spent.get(workload.group, 0) + monotonic() - start
            groups = ", ".join(f"{group} {seconds:.0f}" for group, seconds in spent.items())
            total = monotonic() - began
            print(f"round {turn + 1} of {scale.rounds}: {total:.0f} s ({groups})", flush=True)
        return run.results


class _Run:
    """What one run holds."""

    results: Results

    def __init__(self, scale: Scale, server: machine.Server, stack: ExitStack) -> None:
        self._scale = scale
        self._server = server
        self._stack = stack
        self.drivers: dict[str, machine.DriverProcess] = {}
        self.absent: dict[str, str] = {}
        """Peers that could not be measured at all, and why."""
        self.failed: dict[str, str] = {}
        """Measurements that peers did not get through, as WORKLOAD/SUBJECT, and why."""

    def start(self, name: str) -> None:
        """Prepares and starts a driver."""
        driver = DRIVERS[name]
        try:
            machine.prepare_driver(driver)
            process = machine.DriverProcess(driver, self._server.database(name))
        except (RuntimeError, subprocess.CalledProcessError) as error:
            if not driver.is_peer:
                raise
            self.absent[name] = str(error)
            print(f"without {name}: {error}", file=sys.stderr, flush=True)
            return
        self.drivers[name] = self._stack.enter_context(closing(process))

    def all(self, workload: Workload, those: list[str], turn: int) -> None:
        """One workload by all subjects. Each round begins with another of them, so that
        none always follows the same neighbour."""
        there = [s for s in those if SUBJECTS[s].driver in self.drivers]
        first = turn % max(1, len(there))
        for subject in there[first:] + there[:first]:
            try:
                parts = self._one(workload, subject)
            except RuntimeError as error:
                if not DRIVERS[SUBJECTS[subject].driver].is_peer:
                    raise
                self.failed[f"{workload.id}/{subject}"] = str(error)
                print(f"{workload.id}: {error}", file=sys.stderr, flush=True)
                continue
            for part, answer in parts:
                id = f"{workload.id}-{part}" if part else workload.id
                self.results.add(id, subject, turn, answer)

    def _one(self, workload: Workload, subject: str) -> list[tuple[str, dict[str, Any]]]:
        turn = Turn(
            self._server,
            self.drivers[SUBJECTS[subject].driver],
            workload,
            subject,
            self._scale,
            lambda: self.results.median("through", subject),
        )
        return PROCEDURES[workload.procedure](turn)
