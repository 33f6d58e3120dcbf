"""Rows: queues and workers as the cells of tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from rich.color import Color
from rich.text import Text
from textual.renderables.sparkline import Sparkline

from ..._metrics import QueueMetrics, SystemStats
from ..._worker_info import WorkerInfo, WorkerLeases
from .._output import age, shown
from .._worker import STYLES
from ._watch import Rates

Cell: TypeAlias = Text | Sparkline[float]
"""What a cell shows."""

TREND = 16
"""The width of a sparkline: the latest so many looks."""

QUEUES = (
    *("queue", "state", "depth", "ready", "delayed", "leased", "dead", "oldest"),
    *("in/s", "in", "out/s", "out"),
)

WORKERS = ("id", "queue", "status", "leased", "longest", "name", "heard of")


def queue_row(queue: QueueMetrics, rates: Rates) -> list[Cell]:
    """The cells of a queue."""
    numbers = (queue.depth, queue.ready, queue.delayed, queue.leased)
    return [
        Text(queue.queue_name, "bold"),
        Text("paused", "yellow") if queue.paused_at else Text(""),
        *(_right(shown(number)) for number in numbers),
        _right(shown(queue.dead), "bold red" if queue.dead else ""),
        _right(age(queue.oldest_ready_age_seconds)),
        _right(f"{rates.produced[-1] if rates.produced else queue.produce_rate:,.0f}"),
        _trend(rates.produced, "cyan"),
        _right(f"{rates.acked[-1] if rates.acked else queue.ack_rate:,.0f}"),
        _trend(rates.acked, "green"),
    ]


def worker_row(worker: WorkerInfo, queue: str, leases: WorkerLeases | None) -> list[Cell]:
    """The cells of a worker, and of what it holds, if anything."""
    return [
        _right(str(worker.id), "bold"),
        Text(queue),
        Text(worker.status.value, STYLES.get(worker.status, "")),
        _right(shown(leases.leased) if leases else "", "green"),
        _right(age(leases.longest.total_seconds()) if leases else ""),
        Text(worker.name),
        _right(age(worker.heartbeat_age.total_seconds()) + " ago"),
    ]


def summary(schema: str, stats: SystemStats) -> str:
    """One line about all together."""
    size = (stats.log_bytes + stats.spans_bytes + stats.done_bytes) / 2**20
    return (
        f" pgqrs · schema {schema} · {stats.queues:,} queues · {stats.depth:,} live · "
        f"{stats.leased:,} leased · {stats.dead:,} dead · {stats.archived:,} archived · "
        f"{stats.active_workers:,} workers · {size:,.0f} MiB"
    )


def _right(text: str, style: str = "") -> Text:
    return Text(text, style, justify="right")


def _trend(rates: Iterable[float], colour: str) -> Cell:
    values = list(rates)[-TREND:]
    if not any(values):
        return Text(" " * TREND)
    padded = [0.0] * (TREND - len(values)) + values
    shade = Color.parse(colour)
    return Sparkline(padded, width=TREND, min_color=shade, max_color=shade)
