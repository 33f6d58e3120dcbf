"""The rounds: every subject of every workload once in each, in turns."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import asdict
from time import monotonic
from typing import Any

from . import machine
from .results import Results
from .workloads import DRIVERS, SUBJECTS, Scale, Workload, workloads


def measure(scale: Scale, *, only: str = "", subjects: set[str] | None = None) -> Results:
    """Runs all workloads whose id begins with `only`, with these subjects."""
    chosen = [w for w in workloads(scale) if w.id.startswith(only)]
    wanted = [(w, [s for s in w.subjects if subjects is None or s in subjects]) for w in chosen]
    names = {SUBJECTS[s].driver for _, those in wanted for s in those}
    for name in sorted(names):
        machine.prepare_driver(DRIVERS[name])
    with ExitStack() as stack:
        server = stack.enter_context(closing(machine.Server()))
        drivers = {
            name: stack.enter_context(
                closing(machine.DriverProcess(DRIVERS[name], server.database(name)))
            )
            for name in sorted(names)
        }
        results = Results(
            {
                "machine": machine.describe(),
                "server": server.describe(),
                "scale": asdict(scale),
                "versions": {name: driver.versions for name, driver in drivers.items()},
                "workloads": [asdict(w) for w, _ in wanted],
            }
        )
        began = monotonic()
        for turn in range(scale.rounds):
            for workload, those in wanted:
                # Each round begins with another subject, so that none always
                # follows the same neighbour.
                first = turn % max(1, len(those))
                for subject in those[first:] + those[:first]:
                    answer = _measure(server, drivers[SUBJECTS[subject].driver], workload, subject)
                    results.add(workload, subject, turn, answer)
            print(f"round {turn + 1} of {scale.rounds}: {monotonic() - began:.0f} s", flush=True)
    return results


def _measure(
    server: machine.Server, driver: machine.DriverProcess, workload: Workload, subject: str
) -> dict[str, Any]:
    request = {"kind": SUBJECTS[subject].kind or workload.kind, **workload.params}
    tables = ", ".join(driver.tables)
    driver.database.execute(f"truncate {tables}")
    driver.ask({"do": "prepare", **request})
    if workload.params.get("backlog"):
        driver.database.execute(f"analyze {tables}")  # as autovacuum would, some time later
    before = server.wal_position()
    answer = driver.ask({"do": "run", **request})
    return {**answer, "wal_bytes": server.wal_position() - before}
