"""python -m bench: see the package."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from . import machine, report
from .results import Results
from .runner import choose, measure
from .subjects import SUBJECTS
from .workloads import FULL, GROUPS, QUICK

FIGURES = machine.BUILD / "results.json"
PAGE = machine.PROJECT / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="the benchmark of pgqrs")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure")
    run.add_argument("--quick", action="store_true", help="three minutes, and less exact")
    run.add_argument("--long", action="store_true", help="with what takes ten minutes each")
    run.add_argument("--rounds", type=int)
    run.add_argument(
        "--only",
        default="",
        metavar="NAME,…",
        help=f"groups, or ids of workloads, that begin so: {', '.join(GROUPS)}",
    )
    run.add_argument("--subjects", metavar="ID,…", help=", ".join(SUBJECTS))
    commands.add_parser("show", help="print the tables")
    commands.add_parser("publish", help="put them into the docs")
    for parser_of_one in commands.choices.values():
        parser_of_one.add_argument("--figures", type=Path, default=FIGURES, help="the JSON file")
    options = parser.parse_args()
    if options.command == "run":
        scale = QUICK if options.quick else FULL
        if options.rounds:
            scale = replace(scale, rounds=options.rounds)
        subjects = set(options.subjects.split(",")) if options.subjects else None
        chosen = choose(scale, only=options.only, subjects=subjects, with_long=options.long)
        if not chosen:
            parser.error("there is no such workload")
        measure(scale, chosen).save(options.figures)
    results = Results.load(options.figures)
    if options.command == "publish":
        report.publish(results, PAGE)
        shutil.copy(options.figures, PAGE.with_suffix("") / "results.json")
    else:
        print(report.markdown(results))


if __name__ == "__main__":
    main()
