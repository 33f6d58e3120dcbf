"""The figures of one run: a JSON file, and what is computed from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from .goals import GOALS, Goal
from .subjects import SUBJECTS


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
    client_us: float | None = None
    """CPU time for one message, in microseconds, median: of the driver's processes."""
    server_us: float | None = None
    """The same of all processes of the server."""
    rate: float | None = None
    """Messages a second that were produced, where that was given."""

    @property
    def spread(self) -> float:
        """From the lowest to the highest round, as a part of the median."""
        return (self.high - self.low) / self.median


@dataclass(frozen=True)
class Outcome:
    """A goal, and what was reached, if that was measured."""

    goal: Goal
    ratio: float | None

    @property
    def is_met(self) -> bool:
        return self.ratio is not None and self.ratio >= self.goal.factor


class Results:
    """One run. `add` measurements, then `save`; or `load`."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about
        self.measurements: list[dict[str, Any]] = []

    def add(self, workload: str, subject: str, turn: int, answer: dict[str, Any]) -> None:
        self.measurements.append(
            {"workload": workload, "subject": subject, "round": turn, **answer}
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

    def add_run(self, other: Results) -> None:
        """Takes in a run of other workloads, with what is said about it."""
        mine = {workload["id"] for workload in self.about["workloads"]}
        theirs = [w for w in other.about["workloads"] if w["id"] not in mine]
        ids = {id for w in theirs for id in ([f"{w['id']}-{p}" for p in w["parts"]] or [w["id"]])}
        self.about["workloads"] += theirs
        self.about["failed"] |= other.about["failed"]
        self.measurements += [m for m in other.measurements if m["workload"] in ids]
        named = {"groups": sorted({w["group"] for w in theirs})}
        self.about.setdefault("runs", []).append(other.about | named)

    def figures(self) -> dict[tuple[str, str], Figure]:
        """By workload and subject."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for measurement in self.measurements:
            key = measurement["workload"], measurement["subject"]
            found.setdefault(key, []).append(measurement)
        return {key: _figure(rounds) for key, rounds in found.items()}

    def median(self, workload: str, subject: str) -> float | None:
        figure = self.figures().get((workload, subject))
        return figure.median if figure else None

    def ratio(self, workload: str, subject: str, than: str) -> Figure:
        """Of two subjects, round by round: what the machine did to a round it did to both."""
        of: dict[str, dict[int, float]] = {subject: {}, than: {}}
        for each in self.measurements:
            if each["workload"] == workload and each["subject"] in of:
                of[each["subject"]][each["round"]] = _figure([each]).median
        ratios = [value / of[than][turn] for turn, value in of[subject].items() if turn in of[than]]
        return Figure(median(ratios), min(ratios), max(ratios))

    def outcomes(self) -> list[Outcome]:
        """All goals."""
        return [Outcome(goal, self._ratio(goal)) for goal in GOALS]

    def _ratio(self, goal: Goal) -> float | None:
        ours = self.median(goal.workload, goal.subject)
        theirs = goal.than_rate or self.median(goal.than_workload, goal.than_subject)
        return ours / theirs if ours is not None and theirs else None

    def groups(self) -> dict[str, tuple[dict[str, str], list[str]]]:
        """By group: the titles of its lines by id, and the subjects that have figures
        there or should have, each in the order of the tables."""
        figures = self.figures()
        absent = self.about.get("absent", {})
        groups: dict[str, tuple[dict[str, str], list[str]]] = {}
        for workload in self.about["workloads"]:
            there = {s for s in workload["subjects"] if SUBJECTS[s].driver in absent}
            for id, title in (
                {f"{workload['id']}-{part}": title for part, title in workload["parts"].items()}
                or {workload["id"]: workload["title"]}
            ).items():
                measured = {subject for of, subject in figures if of == id}
                if not measured:
                    continue
                rows, columns = groups.setdefault(workload["group"], ({}, []))
                rows[id] = title
                columns[:] = [s for s in SUBJECTS if s in {*columns, *there, *measured}]
        return groups


def _figure(rounds: list[dict[str, Any]]) -> Figure:
    if "value" in rounds[0]:
        values = [each["value"] for each in rounds]
        return Figure(median(values), min(values), max(values))
    rates = [each["rate"] for each in rounds if "rate" in each]
    if "samples_ms" in rounds[0]:
        samples = [sample for each in rounds for sample in each["samples_ms"]]
        # Those that were not handled in time are the slowest, whatever they would be.
        samples += [max(samples)] * sum(each.get("missing", 0) for each in rounds)
        medians = [median(each["samples_ms"]) for each in rounds]
        p99 = quantiles(samples, n=100, method="inclusive")[98]
        return Figure(
            median(samples),
            min(medians),
            max(medians),
            p99=p99,
            rate=median(rates) if rates else None,
        )
    per_second = [each["messages"] / each["seconds"] for each in rounds]
    return Figure(
        median(per_second),
        min(per_second),
        max(per_second),
        wal_bytes=_per_message(rounds, "wal_bytes", 1),
        client_us=_per_message(rounds, "client_seconds", 1e6),
        server_us=_per_message(rounds, "server_seconds", 1e6),
    )


def _per_message(rounds: list[dict[str, Any]], what: str, unit: float) -> float | None:
    found = [
        unit * each[what] / each["messages"] for each in rounds if what in each and each["messages"]
    ]
    return median(found) if found else None


def _compact(document: dict[str, Any]) -> str:
    """JSON with one measurement a line."""
    head = {key: value for key, value in document.items() if key != "measurements"}
    lines = ",\n".join("  " + json.dumps(each) for each in document["measurements"])
    text = json.dumps(head, indent=1, ensure_ascii=False)
    return text.removesuffix("\n}") + f',\n "measurements": [\n{lines}\n ]\n}}\n'
