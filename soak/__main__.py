"""python -m soak: see the package."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from .faults import FAULTS
from .faults_root import on_small_disk
from .run import Outcome, Plan, capacity, choose, fresh_seed, run
from .server import PROJECT, Server

FOLDER = Path(os.environ.get("SOAK_FOLDER", PROJECT / "build" / "soak"))


def main() -> int:
    """The program: its exit status is 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="python -m soak", description="the soak bench of pgqrs")
    parser.add_argument("--seconds", type=float, default=30, help="of each run")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=1, help="runs of each plan")
    parser.add_argument(
        "--faults",
        default="mix",
        help="mix (default), each (one run for each kind), none, or names: "
        + ", ".join(FAULTS.kinds),
    )
    parser.add_argument("--rate", type=float, default=60, help="messages a second and producer")
    parser.add_argument(
        "--load", type=float, help="instead: the part of what the programs can do here"
    )
    parser.add_argument("--figures", type=Path, default=FOLDER / "results.json")
    options = parser.parse_args()
    seed = fresh_seed() if options.seed is None else options.seed
    plans = []
    for round_number in range(options.rounds):
        plans += plans_of(options.faults, seed + round_number, options.seconds, options.rate)
    outcomes = asyncio.run(run_all(plans, options.figures, options.load))
    return 1 if any(outcome.problems for outcome in outcomes) else 0


def plans_of(names: str, seed: int, seconds: float, rate: float) -> list[Plan]:
    """One plan for a mix, or one for each kind of fault."""
    if names == "none":
        return [Plan("none", (), seed, seconds, rate=rate)]
    kinds = choose(names, root=os.geteuid() == 0)
    if names == "each":
        return [Plan(k.name, (k,), seed, seconds, rate=rate) for k in kinds]
    plain = tuple(k for k in kinds if not k.root)
    return [Plan(names, plain or tuple(kinds), seed, seconds, rate=rate, mixed=len(kinds) > 1)]


async def run_all(plans: list[Plan], figures: Path, load: float | None) -> list[Outcome]:
    """One after the other, on one server."""
    outcomes: list[Outcome] = []
    server = await asyncio.to_thread(Server)
    try:
        if load is not None:
            most = await capacity(server, plans[0], FOLDER / "capacity")
            rate = load * most / plans[0].producers
            print(f"{most:,.0f} messages a second go through here; {load:.0%} of that", flush=True)
            plans = [replace(plan, rate=rate) for plan in plans]
        for plan in plans:
            print(f"{plan.name}, seed {plan.seed}", flush=True)
            if any(kind.small_disk for kind in plan.kinds):
                await asyncio.to_thread(server.close)
                server = await asyncio.to_thread(Server, on_small_disk)
            outcome = await run(server, plan, FOLDER / plan.name.replace(",", "+")[:60])
            outcomes.append(outcome)
            save(outcome, figures)
            show(outcome)
    finally:
        await asyncio.to_thread(server.close)
    return outcomes


def save(outcome: Outcome, figures: Path) -> None:
    """Adds a run to the file of figures."""
    figures.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(figures.read_text()) if figures.exists() else []
    figures.write_text(json.dumps([*known, outcome.as_json()], indent=1) + "\n")


def show(outcome: Outcome) -> None:
    """Prints what a run did."""
    counts = ", ".join(f"{name} {n}" for name, n in outcome.counts.items() if n)
    slowest = max(outcome.slowest_recovery.values(), default=0)
    lines = max(outcome.most_log_lines.values(), default=0)
    print(f"  {outcome.seconds:.0f} s; {counts}")
    print(f"  slowest recovery {slowest:.1f} s, most log lines {lines}; errors {outcome.errors}")
    for problem in outcome.problems[:20]:
        print(f"  * {problem}")
    if len(outcome.problems) > 20:
        print(f"  * … and {len(outcome.problems) - 20} more")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
