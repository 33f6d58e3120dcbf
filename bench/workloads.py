"""What is measured, of whom, and which goals there are. Tables, no code that runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Subject:
    """Something that is measured."""

    id: str
    label: str
    driver: str
    """The process that measures it; a process may measure several subjects."""
    kind: str | None = None
    """What its driver is asked for, where that is not the kind of the workload."""
    is_floor: bool = False
    """A yardstick: what the server can do without a queue."""


@dataclass(frozen=True)
class Driver:
    """How to start one process: the Go driver with an argument, or a file of peers/
    in an environment with these packages (none: the project's own .venv)."""

    id: str
    go: str | None = None
    packages: tuple[str, ...] = ()


DRIVERS = {
    driver.id: driver
    for driver in (
        Driver("floor", go="floor"),
        Driver("rows", go="rows"),
        Driver("pgqrs-go", go="pgqrs"),
        Driver("pgqrs"),
        Driver("upstream", packages=("pgqrs==0.15.3",)),
        Driver("pgqueuer", packages=("pgqueuer[asyncpg]==1.6.0",)),
    )
}

SUBJECTS = {
    subject.id: subject
    for subject in (
        Subject("copy", "COPY", "floor", kind="copy", is_floor=True),
        Subject("unnest", "insert … unnest", "floor", kind="unnest", is_floor=True),
        Subject("insert", "one insert", "floor", kind="insert", is_floor=True),
        Subject("select", "select", "floor", kind="select", is_floor=True),
        Subject("fdatasync", "fdatasync", "floor", kind="fdatasync", is_floor=True),
        Subject("rows", "row model (Go)", "rows"),
        Subject("pgqrs-go", "pgqrs (Go)", "pgqrs-go"),
        Subject("pgqrs", "pgqrs (Python)", "pgqrs"),
        Subject("upstream", "pgqrs 0.15.3 (Rust)", "upstream"),
        Subject("pgqueuer", "pgqueuer", "pgqueuer"),
    )
}

OURS = ("pgqrs-go", "pgqrs")
PEERS = ("upstream", "pgqueuer")


@dataclass(frozen=True)
class Scale:
    """How long a run takes, and how exact it is."""

    rounds: int
    produce_seconds: float
    drain_seconds: float
    consume_seconds: float
    backlog: int
    samples: int


FULL = Scale(
    rounds=5,
    produce_seconds=0.7,
    drain_seconds=1.0,
    consume_seconds=2.0,
    backlog=50_000,
    samples=20,
)
QUICK = Scale(
    rounds=2,
    produce_seconds=0.25,
    drain_seconds=0.3,
    consume_seconds=0.7,
    backlog=10_000,
    samples=5,
)


@dataclass(frozen=True)
class Workload:
    """One line of a table. Its parameters go to the drivers as they are."""

    id: str
    group: str
    title: str
    kind: str
    subjects: tuple[str, ...]
    params: dict[str, Any] = field(default_factory=dict)


GROUPS = {
    "produce": "Produce: messages a second",
    "drain": "Drain a backlog, dequeue and archive: messages a second",
    "consume": "Consume a backlog with a handler that reads the payload: messages a second",
    "wake": "Wake-up of an idle consumer in another process: milliseconds",
    "floor": "What the machine can do: a second",
}


def workloads(scale: Scale) -> list[Workload]:
    """All that is measured, in the order of the tables."""
    every = [
        _produce(scale, "one at a time", 1, 1, ("fdatasync", "insert", *OURS, *PEERS)),
        _produce(scale, "100 tasks", 100, 1, (*OURS, *PEERS)),
        _produce(scale, "1000 tasks", 1000, 1, (*OURS, *PEERS)),
        _produce(scale, "batches of 10", 1, 10, (*OURS, *PEERS)),
        _produce(scale, "batches of 100", 1, 100, (*OURS, *PEERS)),
        _produce(scale, "batches of 1000", 1, 1000, ("copy", "unnest", "rows", *OURS, *PEERS)),
        _produce(scale, "batches of 10000", 1, 10_000, ("copy", "unnest", *OURS, *PEERS)),
    ]
    for consumers in (1, 4):
        for batch in (1, 50, 1000):
            every.append(_drain(scale, consumers, batch))
    every.append(
        Workload(
            "consume",
            "consume",
            "one process",
            "consume",
            (*OURS, *PEERS),
            {"backlog": scale.backlog, "seconds": scale.consume_seconds},
        )
    )
    every.append(
        Workload(
            "wake", "wake", "produce to handler", "wake", ("pgqrs",), {"samples": scale.samples}
        )
    )
    every.append(
        Workload(
            "read",
            "floor",
            "payloads read, 1000 at a time",
            "select",
            ("select",),
            {"batch": 1000, "backlog": scale.backlog, "seconds": scale.drain_seconds},
        )
    )
    return every


def _produce(
    scale: Scale, title: str, tasks: int, batch: int, subjects: tuple[str, ...]
) -> Workload:
    params = {"tasks": tasks, "batch": batch, "seconds": scale.produce_seconds}
    return Workload(f"produce-t{tasks}-b{batch}", "produce", title, "produce", subjects, params)


def _drain(scale: Scale, consumers: int, batch: int) -> Workload:
    title = f"{consumers} consumer{'s' * (consumers > 1)}, batches of {batch}"
    params = {
        "consumers": consumers,
        "batch": batch,
        "backlog": scale.backlog,
        "seconds": scale.drain_seconds,
    }
    subjects = ("rows", *OURS, "upstream")
    return Workload(f"drain-c{consumers}-b{batch}", "drain", title, "drain", subjects, params)


@dataclass(frozen=True)
class Goal:
    """A ratio of two medians of one run that we want to reach."""

    title: str
    workload: str
    subject: str
    factor: float
    than_workload: str
    than_subject: str


def _goal(workload: str, subject: str, factor: float, than: str, than_workload: str = "") -> Goal:
    ours, theirs = SUBJECTS[subject].label, SUBJECTS[than].label
    title = f"{_TITLES[workload]}: {ours}, {factor:g} times {theirs}"
    if than_workload:
        title += f" ({_TITLES[than_workload]})"
    return Goal(title, workload, subject, factor, than_workload or workload, than)


_TITLES = {w.id: f"{w.group}, {w.title}" for w in workloads(QUICK)}

GOALS = [
    _goal("produce-t1-b1000", "pgqrs", 0.75, "copy"),
    _goal("produce-t1-b1000", "pgqrs", 6, "upstream"),
    _goal("produce-t1-b1", "pgqrs", 2, "upstream"),
    _goal("produce-t1-b1", "pgqrs", 0.7, "insert"),
    _goal("produce-t1-b1", "pgqrs-go", 0.8, "insert"),
    _goal("produce-t100-b1", "pgqrs", 12, "upstream"),
    _goal("produce-t1000-b1", "pgqrs", 25, "pgqrs", "produce-t1-b1"),
    _goal("drain-c1-b1", "pgqrs", 1.1, "rows"),
    _goal("drain-c1-b50", "pgqrs", 1.5, "rows"),
    _goal("drain-c1-b50", "pgqrs", 15, "upstream"),
    _goal("drain-c1-b1000", "pgqrs", 3.5, "rows"),
    _goal("drain-c1-b1000", "pgqrs-go", 2.5, "rows"),
    _goal("drain-c4-b50", "pgqrs", 1.7, "rows"),
    _goal("consume", "pgqrs", 3, "pgqueuer"),
    _goal("consume", "pgqrs", 25, "upstream"),
]
