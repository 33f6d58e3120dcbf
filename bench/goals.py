"""What pgqrs wants to reach, and what is to be said where it is not first."""

from __future__ import annotations

from dataclasses import dataclass

from .subjects import SUBJECTS
from .workloads import FULL, SIZES, workloads


@dataclass(frozen=True)
class Goal:
    """A ratio of two medians of one run that we want to reach, at least."""

    title: str
    workload: str
    subject: str
    factor: float
    than_workload: str = ""
    than_subject: str = ""
    than_rate: float | None = None
    """Instead of another's median: so many a second."""


TITLES = {id: f"{w.group}, {title}" for w in workloads(FULL) for id, title in w.rows().items()}
"""Of every line of every table."""


def _goal(workload: str, subject: str, factor: float, than: str, than_workload: str = "") -> Goal:
    ours, theirs = SUBJECTS[subject].label, SUBJECTS[than].label
    title = f"{TITLES[workload]}: {ours}, {factor:g} times {theirs}"
    if than_workload:
        title += f" ({TITLES[than_workload]})"
    return Goal(title, workload, subject, factor, than_workload or workload, than)


GOALS = [
    _goal("produce-t1-b1", "pgqrs", 2, "upstream"),
    _goal("produce-t1-b1", "pgqrs", 0.7, "insert"),
    _goal("produce-t1-b1", "pgqrs-go", 0.8, "insert"),
    _goal("produce-t100-b1", "pgqrs", 12, "upstream"),
    _goal("produce-t1000-b1", "pgqrs", 25, "pgqrs", "produce-t1-b1"),
    _goal("produce-t1-b1000", "pgqrs", 6, "upstream"),
    _goal("produce-t1-b1000", "pgqrs", 0.75, "copy"),
    _goal("drain-c1-b1", "pgqrs", 1.1, "rows"),
    _goal("drain-c1-b50", "pgqrs", 1.5, "rows"),
    _goal("drain-c1-b50", "pgqrs", 15, "upstream"),
    _goal("drain-c1-b1000", "pgqrs", 3.5, "rows"),
    _goal("drain-c1-b1000", "pgqrs-go", 2.5, "rows"),
    _goal("drain-c4-b50", "pgqrs", 1.7, "rows"),
    _goal("consume", "pgqrs", 3, "pgqueuer"),
    _goal("consume", "pgqrs", 5, "awa"),
    _goal("consume", "pgqrs", 25, "upstream"),
    Goal(
        f"{TITLES['consume']}: {SUBJECTS['pgqrs'].label}, 35,000 a second",
        "consume",
        "pgqrs",
        1,
        than_rate=35_000,
    ),
    *(
        Goal(
            f"backlog: {SUBJECTS[subject].label}, dequeue at 10,000,000 at most 1.2 times "
            "the time at 10,000",
            "backlog-10000000",
            subject,
            1 / 1.2,
            "backlog-10000",
            subject,
        )
        for subject in ("pgqrs-go", "pgqrs")
    ),
    *(
        Goal(
            f"snapshot: {SUBJECTS[subject].label}, 0.85 of the rate before",
            "snapshot-after",
            subject,
            0.85,
            "snapshot-before",
            subject,
        )
        for subject in ("pgqrs-go", "pgqrs")
    ),
    *(
        Goal(
            f"steady: {SUBJECTS[subject].label}, {what} flat (early over late, 0.9)",
            f"steady-{part}-early",
            subject,
            0.9,
            f"steady-{part}-late",
            subject,
        )
        for subject in ("pgqrs-go", "pgqrs")
        for part, what in (("memory", "memory"), ("tables", "tables without log and archive"))
    ),
    *(
        Goal(
            f"retention: {SUBJECTS[subject].label}, log and archive flat (early over late, 0.9)",
            "retention-kept-early",
            subject,
            0.9,
            "retention-kept-late",
            subject,
        )
        for subject in ("pgqrs-go", "pgqrs")
    ),
]

_WRITES_LESS = {
    "pgq": (
        "It writes bare events by COPY into a table with one index, keeps no state of a "
        "message, and gives no ids back."
    ),
    "rows": "Its rows are their own state; pgqrs writes a span of 250 messages beside them.",
    "river": "It uses COPY, and gives no ids back.",
    "awa": "It uses COPY, and gives no ids back.",
}
_BATCH_OF_ONE = {
    "rows": (
        "A batch of one costs two transactions, whatever the storage. Spans are split at "
        "each of them; the row model updates one row and moves it."
    ),
}
_READS_ONLY = {
    "pgq": (
        "It has no leases and settles no single message: it reads what lies between two "
        "ticks, and one row says how far the consumer is."
    ),
}

_SHARE_OF_LITTLE = dict.fromkeys(
    ("pgqueuer", "procrastinate"),
    "It is given a share of what it can do itself, which is a small part of the messages "
    "that pgqrs handles in that time on the same two cores.",
)
_TELLS_AT_ONCE = dict.fromkeys(
    ("pgqueuer", "river"),
    "It tells of each insert in the transaction that makes it. pgqrs looks after the "
    "commit whether anybody sleeps, which is a round trip more, and tells nobody "
    "otherwise.",
)

EXPLANATIONS: dict[str, dict[str, str]] = {
    "produce-t1-b1": {
        "pgq": "One message waits for one commit; PgQ writes one row, pgqrs a span as well.",
    },
    **{f"produce-t1-b{batch}": _WRITES_LESS for batch in (10, 100, 1000, 10_000)},
    **{f"payload-{size}-produce": _WRITES_LESS for size in SIZES},
    **{f"drain-c{consumers}-b1": _BATCH_OF_ONE for consumers in (1, 2, 4)},
    **{f"drain-c1-b{batch}": _READS_ONLY for batch in (50, 1000)},
    "consume": _READS_ONLY,
    "wake": _TELLS_AT_ONCE,
    "load-common": _TELLS_AT_ONCE,
    **{f"load-{percent}": _SHARE_OF_LITTLE for percent in (10, 50, 90)},
    "cost-dead": {"awa": "It appends everything, and truncates whole partitions."},
}
"""By workload and by who is ahead of pgqrs there: why that may be."""
