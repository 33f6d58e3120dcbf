"""python -m bench: see the package."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from . import machine, report
from .results import Results
from .runner import beside_before, choose, measure
from .subjects import BEFORE, DRIVERS, SUBJECTS
from .workloads import FULL, GROUPS, QUICK

FIGURES = machine.BUILD / "results.json"
COMPARISON = machine.BUILD / "comparison.json"
PAGE = machine.PROJECT / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="the benchmark of pgqrs")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure")
    run.add_argument("--long", action="store_true", help="with what takes ten minutes each")
    run.add_argument("--subjects", metavar="ID,…", help=", ".join(SUBJECTS))
    compare = commands.add_parser("compare", help="measure ours beside an older version")
    compare.add_argument("commit")
    for measuring in (run, compare):
        measuring.add_argument("--quick", action="store_true", help="fast, and less exact")
        measuring.add_argument("--rounds", type=int)
        measuring.add_argument(
            "--only",
            default="",
            metavar="NAME,…",
            help=f"groups, or ids of workloads, that begin so: {', '.join(GROUPS)}",
        )
    commands.add_parser("show", help="print the tables")
    publish = commands.add_parser("publish", help="put them into the docs")
    publish.add_argument(
        "--more", type=Path, nargs="*", default=[], help="runs of other workloads, of their own"
    )
    for name, parser_of_one in commands.choices.items():
        file = COMPARISON if name == "compare" else FIGURES
        parser_of_one.add_argument("--figures", type=Path, default=file, help="the JSON file")
    options = parser.parse_args()
    if options.command in ("run", "compare"):
        _measure(options).save(options.figures)
    results = Results.load(options.figures)
    if options.command == "publish":
        for path in options.more:
            results.add_run(Results.load(path))
        report.publish(results, PAGE)
        results.save(PAGE.with_suffix("") / "results.json")
    elif "before" in results.about:
        print(report.comparison(results))
    else:
        print(report.markdown(results))


def _measure(options: argparse.Namespace) -> Results:
    scale = QUICK if options.quick else FULL
    if options.rounds:
        scale = replace(scale, rounds=options.rounds)
    if options.command == "compare":
        before = machine.check_out(options.commit)
        DRIVERS[BEFORE] = replace(DRIVERS[BEFORE], packages=(before,))
        chosen = beside_before(choose(scale, only=options.only, subjects=None, with_long=False))
    else:
        subjects = set(options.subjects.split(",")) if options.subjects else None
        chosen = choose(scale, only=options.only, subjects=subjects, with_long=options.long)
    if not chosen:
        raise SystemExit("there is no such workload")
    results = measure(scale, chosen)
    if options.command == "compare":
        results.about["before"] = Path(before).name
    return results


if __name__ == "__main__":
    main()
