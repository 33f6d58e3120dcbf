"""The figures of one run: a JSON file, and what is computed from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from .workloads import GOALS, SUBJECTS, Goal, Workload


@dataclass(frozen=True)
class Figure:
    """What one subject did in one workload, over all rounds."""

    median: float
    low: float
    high: float
    wal_bytes: float | None = None
    """Bytes of WAL for one message, median."""
    p99: float | None = None
    """Of samples: over all rounds."""

    @property
    def spread(self) -> float:
        """From the lowest to the highest round, as a part of the median."""
        return (self.high - self.low) / self.median


@dataclass(frozen=True)
class Outcome:
    """A goal, and what was reached."""

    goal: Goal
    ratio: float


class Results:
    """One run. `add` measurements, then `save`; or `load`."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about
        self.measurements: list[dict[str, Any]] = []

    def add(self, workload: Workload, subject: str, turn: int, answer: dict[str, Any]) -> None:
        self.measurements.append(
            {"workload": workload.id, "subject": subject, "round": turn, **answer}
        )

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        summary: dict[str, dict[str, Any]] = {}
        for (workload, subject), figure in self.figures().items():
            summary.setdefault(workload, {})[subject] = asdict(figure)
        document = {**self.about, "summary": summary, "measurements": self.measurements}
        path.write_text(_compact(document))

    @classmethod
    def load(cls, path: Path) -> Results:
        document = json.loads(path.read_text())
        measurements = document.pop("measurements")
        del document["summary"]  # is computed
        results = cls(document)
        results.measurements = measurements
        return results

    def figures(self) -> dict[tuple[str, str], Figure]:
        """By workload and subject."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for measurement in self.measurements:
            key = measurement["workload"], measurement["subject"]
            found.setdefault(key, []).append(measurement)
        return {key: _figure(rounds) for key, rounds in found.items()}

    def outcomes(self) -> list[Outcome]:
        """The goals for which there are figures."""
        figures = self.figures()
        outcomes = []
        for goal in GOALS:
            ours = figures.get((goal.workload, goal.subject))
            theirs = figures.get((goal.than_workload, goal.than_subject))
            if ours and theirs:
                outcomes.append(Outcome(goal, ours.median / theirs.median))
        return outcomes

    def groups(self) -> dict[str, tuple[list[dict[str, str]], list[str]]]:
        """By group: its workloads, and the subjects that have figures there, each in
        the order of the tables."""
        figures = self.figures()
        groups: dict[str, tuple[list[dict[str, str]], list[str]]] = {}
        for workload in self.about["workloads"]:
            there = {subject for of, subject in figures if of == workload["id"]}
            if not there:
                continue
            rows, columns = groups.setdefault(workload["group"], ([], []))
            rows.append(workload)
            columns[:] = [s for s in SUBJECTS if s in columns or s in there]
        return groups


def _figure(rounds: list[dict[str, Any]]) -> Figure:
    if "samples_ms" in rounds[0]:
        medians = [median(each["samples_ms"]) for each in rounds]
        samples = [sample for each in rounds for sample in each["samples_ms"]]
        p99 = quantiles(samples, n=100, method="inclusive")[98]
        return Figure(median(samples), min(medians), max(medians), p99=p99)
    rates = [each["messages"] / each["seconds"] for each in rounds]
    wal = [each["wal_bytes"] / each["messages"] for each in rounds if each["messages"]]
    return Figure(median(rates), min(rates), max(rates), wal_bytes=median(wal) if wal else None)


def _compact(document: dict[str, Any]) -> str:
    """JSON with one measurement a line."""
    head = {key: value for key, value in document.items() if key != "measurements"}
    lines = ",\n".join("  " + json.dumps(each) for each in document["measurements"])
    text = json.dumps(head, indent=1, ensure_ascii=False)
    return text.removesuffix("\n}") + f',\n "measurements": [\n{lines}\n ]\n}}\n'
