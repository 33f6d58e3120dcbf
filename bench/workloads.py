"""What is measured, of whom. Tables, no code that runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .subjects import LOOPS, OURS, PEERS


@dataclass(frozen=True)
class Scale:
    """How long a run takes, and how exact it is."""

    rounds: int
    produce_seconds: float
    drain_seconds: float
    consume_seconds: float
    load_seconds: float
    backlog: int
    samples: int
    cost_backlog: int
    backlogs: tuple[int, ...]
    window_seconds: float
    """Of a rate before and after something long."""
    snapshot_seconds: float
    steady_seconds: float


FULL = Scale(
    rounds=5,
    produce_seconds=0.7,
    drain_seconds=1.0,
    consume_seconds=2.0,
    load_seconds=1.5,
    backlog=50_000,
    samples=20,
    cost_backlog=10_000,
    backlogs=(10_000, 100_000, 1_000_000, 10_000_000),
    window_seconds=10,
    snapshot_seconds=600,
    steady_seconds=600,
)
QUICK = Scale(
    rounds=1,
    produce_seconds=0.25,
    drain_seconds=0.3,
    consume_seconds=0.7,
    load_seconds=0.4,
    backlog=10_000,
    samples=5,
    cost_backlog=2_000,
    backlogs=(10_000, 100_000),
    window_seconds=2,
    snapshot_seconds=20,
    steady_seconds=20,
)


@dataclass(frozen=True)
class Group:
    """One table."""

    title: str
    is_long: bool = False
    """Takes so long that it is measured only when it is asked for."""
    is_plotted: bool = False
    has_cpu: bool = False
    """A second table shows the CPU time of a message."""
    has_wal: bool = False
    decimals: int = 0


GROUPS = {
    "produce": Group("Produce: messages a second", is_plotted=True, has_cpu=True),
    "drain": Group(
        "Drain a backlog, dequeue and archive: messages a second",
        is_plotted=True,
        has_cpu=True,
        has_wal=True,
    ),
    "consume": Group(
        "Consume a backlog with a handler that reads the payload: messages a second",
        is_plotted=True,
        has_cpu=True,
    ),
    "payload": Group("Payloads of other sizes: messages a second"),
    "through": Group(
        "Produce and consume at once, a process each: messages a second",
        is_plotted=True,
        has_cpu=True,
    ),
    "load": Group("From due to handled, under load: milliseconds", decimals=1),
    "wake": Group("Wake-up of an idle consumer in another process: milliseconds", decimals=1),
    "cost": Group("What a message costs, produced and consumed", decimals=2),
    "backlog": Group(
        "Dequeue and archive in front of a deep backlog: messages a second", is_long=True
    ),
    "metrics": Group("Metrics of a deep backlog: milliseconds", is_long=True, decimals=1),
    "snapshot": Group(
        "Produce, dequeue and archive while an old snapshot is held: messages a second",
        is_long=True,
    ),
    "steady": Group("2,000 messages a second for long", is_long=True, decimals=1),
    "retention": Group(
        "5,000 messages a second for long, each kept for 30 s", is_long=True, decimals=1
    ),
    "floor": Group("What the machine can do: a second"),
}


@dataclass(frozen=True)
class Workload:
    """One line of a table, or several: its parts. Its parameters go to the drivers as
    they are."""

    id: str
    group: str
    title: str
    kind: str
    subjects: tuple[str, ...]
    params: dict[str, Any] = field(default_factory=dict)
    procedure: str = "plain"
    """How it is measured: a function of procedures.py."""
    rounds: int = 99
    """At most."""
    parts: dict[str, str] = field(default_factory=dict)
    """What a procedure gives more than one figure of: titles by suffix of the id."""

    def rows(self) -> dict[str, str]:
        """The titles of its lines, by id."""
        if not self.parts:
            return {self.id: self.title}
        return {f"{self.id}-{part}": title for part, title in self.parts.items()}


def workloads(scale: Scale) -> list[Workload]:
    """All that there is to measure, in the order of the tables."""
    return [
        *_produce_all(scale),
        *(_drain(scale, consumers, batch) for consumers in (1, 2, 4) for batch in (1, 50, 1000)),
        _consume(scale),
        *_payloads(scale),
        *_through_and_load(scale),
        Workload(
            "wake",
            "wake",
            "produce to handler",
            "wake",
            (*OURS, *LOOPS),
            {"samples": scale.samples},
        ),
        _cost(scale),
        *(_deep(scale, n) for n in scale.backlogs),
        _metrics(scale, "pgqrs", "in batches"),
        _metrics(scale, "singles", "one by one, not yet merged"),
        _snapshot(scale),
        _steady(scale),
        _retention(scale),
        Workload(
            "read",
            "floor",
            "payloads read, 1000 at a time",
            "select",
            ("select",),
            {"batch": 1000, "backlog": scale.backlog, "seconds": scale.drain_seconds},
        ),
    ]


def _produce_all(scale: Scale) -> list[Workload]:
    return [
        _produce(scale, "one at a time", 1, 1, ("fdatasync", "insert", *OURS, *PEERS, "pgq")),
        _produce(scale, "100 tasks", 100, 1, (*OURS, *PEERS)),
        _produce(scale, "1000 tasks", 1000, 1, (*OURS, *PEERS)),
        _produce(scale, "batches of 10", 1, 10, (*OURS, *PEERS, "pgq")),
        _produce(scale, "batches of 100", 1, 100, (*OURS, *PEERS, "pgq")),
        _produce(
            scale, "batches of 1000", 1, 1000, ("copy", "unnest", "rows", *OURS, *PEERS, "pgq")
        ),
        _produce(scale, "batches of 10000", 1, 10_000, ("copy", "unnest", *OURS, *PEERS, "pgq")),
    ]


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
    subjects: tuple[str, ...] = ("rows", *OURS, "upstream")
    if consumers == 1 and batch > 1:
        subjects += ("pgq",)
    return Workload(f"drain-c{consumers}-b{batch}", "drain", title, "drain", subjects, params)


def _consume(scale: Scale) -> Workload:
    params = {"backlog": scale.backlog, "seconds": scale.consume_seconds}
    return Workload("consume", "consume", "one process", "consume", (*OURS, *PEERS, "pgq"), params)


SIZES = {"1k": ("1 kB", 1024), "64k": ("64 kB", 65_536), "1m": ("1 MB", 1_048_576)}
"""Of payloads; 80 bytes is every other workload."""


def _payloads(scale: Scale) -> list[Workload]:
    found = []
    for name, (words, size) in SIZES.items():
        batch = max(2, min(100, 4_000_000 // size))
        backlog = max(20, min(scale.backlog, 40_000_000 // size))
        found += [
            Workload(
                f"payload-{name}-produce",
                "payload",
                f"produce {words}, batches of {batch}",
                "produce",
                ("copy", *OURS, *PEERS),
                {"tasks": 1, "batch": batch, "bytes": size, "seconds": scale.produce_seconds},
                rounds=3,
            ),
            Workload(
                f"payload-{name}-consume",
                "payload",
                f"consume {words}",
                "consume",
                (*OURS, *PEERS),
                {"backlog": backlog, "bytes": size, "seconds": scale.consume_seconds},
                rounds=3,
            ),
        ]
    return found


COMMON_RATE = 200
"""Messages a second that every peer can do."""


def _through_and_load(scale: Scale) -> list[Workload]:
    subjects = (*OURS, *LOOPS)
    seconds = {"seconds": scale.load_seconds}
    through = Workload(
        "through",
        "through",
        "100 tasks produce, one process consumes",
        "through",
        subjects,
        {"tasks": 100, **seconds},
        rounds=3,
    )
    common = Workload(
        "load-common",
        "load",
        f"{COMMON_RATE} messages a second",
        "load",
        subjects,
        {"rate": COMMON_RATE, **seconds},
        rounds=3,
    )
    shares = [
        Workload(
            f"load-{percent}",
            "load",
            f"{percent} % of what it can do",
            "load",
            subjects,
            {"share": percent / 100, **seconds},
            procedure="at_share",
            rounds=3,
        )
        for percent in (10, 50, 90)
    ]
    return [through, common, *shares]


def _cost(scale: Scale) -> Workload:
    return Workload(
        "cost",
        "cost",
        "",
        "memory",
        ("rows", *OURS, *LOOPS),
        {"backlog": scale.cost_backlog, "seconds": 10},
        procedure="cost",
        rounds=1,
        parts={
            "wal": "bytes of WAL a message",
            "dead": "dead tuples a message",
            "rss": f"memory of the consumer after {scale.cost_backlog:,} messages, MiB",
        },
    )


def _deep(scale: Scale, backlog: int) -> Workload:
    return Workload(
        f"backlog-{backlog}",
        "backlog",
        f"backlog of {backlog:,}, 1 consumer, batches of 50",
        "drain",
        ("rows", *OURS),
        {"consumers": 1, "batch": 50, "backlog": backlog, "seconds": scale.drain_seconds},
        procedure="deep",
        rounds=3,
    )


def _metrics(scale: Scale, filled_by: str, words: str) -> Workload:
    backlog = scale.backlogs[-1]
    return Workload(
        f"metrics-{filled_by}",
        "metrics",
        "",
        "metrics",
        ("pgqrs",),
        {"backlog": backlog, "filled_by": filled_by, "samples": scale.samples},
        procedure="metrics",
        rounds=1,
        parts={
            part: f"{call}, {backlog:,} messages produced {words}"
            for part, call in (("queue", "queue_metrics"), ("all", "all_queues_metrics"))
        },
    )


def _snapshot(scale: Scale) -> Workload:
    return Workload(
        "snapshot",
        "snapshot",
        "",
        "cycle",
        ("rows", *OURS),
        {"consumers": 1, "batch": 50},
        procedure="snapshot",
        rounds=1,
        parts={
            "before": "before",
            "after": f"after {scale.snapshot_seconds:g} s of it with a snapshot held",
        },
    )


STEADY_RATE = 2000
RETENTION_RATE = 5000


def _steady(scale: Scale) -> Workload:
    return Workload(
        "steady",
        "steady",
        "",
        "load",
        OURS,
        {"rate": STEADY_RATE, "seconds": scale.steady_seconds, "every": 20},
        procedure="steady",
        rounds=1,
        parts={
            "latency": "from due to handled, ms",
            "memory-early": "memory of producer and consumer, second fifth, MiB",
            "memory-late": "the same, last fifth",
            "tables-early": "tables without log and archive, second fifth, MiB",
            "tables-late": "the same, last fifth",
            "log": "log and archive, bytes a message",
        },
    )


def _retention(scale: Scale) -> Workload:
    return Workload(
        "retention",
        "retention",
        "",
        "load",
        OURS,
        {"rate": RETENTION_RATE, "seconds": scale.steady_seconds, "every": 50},
        procedure="retention",
        rounds=1,
        parts={
            "latency": "from due to handled, ms",
            "kept-early": "log and archive, second fifth, MiB",
            "kept-late": "the same, last fifth",
        },
    )
