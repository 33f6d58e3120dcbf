"""docs/soak.md: the figures of runs, as tables.

python -m soak.report FIGURES.json…
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from .faults import FAULTS
from .server import PROJECT

PAGE = PROJECT / "docs" / "soak.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
COLUMNS = (
    "runs",
    "faults",
    "messages",
    "redelivered",
    "lost answers",
    "unseen leases",
    "at crashes",
    "slowest s",
    "log lines",
    "problems",
)


def row(name: str, runs: list[dict[str, Any]]) -> str:
    """One line of the table: the runs of one plan together."""

    def total(what: str) -> int:
        return sum(r["counts"].get(what, 0) for r in runs)

    slowest = max((s for r in runs for s in r["slowest_recovery"].values()), default=0.0)
    lines = max((n for r in runs for n in r["most_log_lines"].values()), default=0)
    cells: list[object] = [
        len(runs),
        sum(sum(r["faults"].values()) for r in runs),
        f"{total('produced'):,}",
        f"{total('redeliveries'):,}",
        total("produces with lost answers"),
        total("leases that no handler saw"),
        total("overlaps at crashes"),
        f"{slowest:.1f}",
        lines,
        sum(len(r["problems"]) for r in runs),
    ]
    return f"| {name} | " + " | ".join(map(str, cells)) + " |"


def table(runs: list[dict[str, Any]]) -> str:
    """All runs, by plan."""
    by_name = defaultdict(list)
    for r in runs:
        by_name[r["name"]].append(r)
    order = ["none", *FAULTS.kinds, "mix"]
    names = sorted(by_name, key=lambda name: order.index(name) if name in order else len(order))
    head = ["| run | " + " | ".join(COLUMNS) + " |", "|---" + "|--:" * len(COLUMNS) + "|"]
    seeds = "Seeds: " + "; ".join(
        f"{name} {', '.join(str(r['seed']) for r in by_name[name])}" for name in names
    )
    return "\n".join([*head, *(row(name, by_name[name]) for name in names), "", seeds + ".", ""])


def main() -> None:
    """Puts the figures into the page."""
    runs = [r for path in sys.argv[1:] for r in json.loads(Path(path).read_text())]
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n" + table(runs) + "\n" + END + after)


if __name__ == "__main__":
    main()
