"""Metrics: the numbers of queues, and the part of Admin that is about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _types
from ._asking import Asking
from ._moment import moment_or_none

PAGE = 1000
"""How many queues one request measures at most."""


@dataclass(frozen=True, kw_only=True)
class QueueMetrics:
    """The numbers of one queue. What they cost does not grow with its messages."""

    queue_id: int
    queue_name: str
    paused_at: datetime | None
    """Since when it gives no messages; None: it is not paused."""
    depth: int
    """Every live message: ready, delayed or leased."""
    ready: int
    delayed: int
    leased: int
    archived: int
    """How many archived messages are kept."""
    dead: int
    """How many dead messages are kept."""
    produced: int
    """How many messages were ever produced; only grows."""
    acked: int
    """How many were archived or deleted by whoever held the lease; only grows."""
    oldest_ready_age_seconds: float
    """How long the first ready message has been ready; 0 where there is none."""
    produce_rate: float
    """Messages a second in the last minute."""
    ack_rate: float
    """Messages a second, archived or deleted, in the last minute."""

    @classmethod
    def _of(cls, record: dict[str, Any]) -> QueueMetrics:
        values = dict(record)
        values["paused_at"] = moment_or_none(values.pop("paused_at_us"))
        values["oldest_ready_age_seconds"] = values.pop("oldest_ready_age_us") / 1_000_000
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class SystemStats:
    """The numbers of all queues together; see QueueMetrics."""

    queues: int
    paused_queues: int
    workers: int
    active_workers: int
    """Workers that have not stopped."""
    depth: int
    ready: int
    delayed: int
    leased: int
    archived: int
    dead: int
    produced: int
    acked: int
    produce_rate: float
    ack_rate: float
    log_bytes: int
    """The table of messages with its indexes, on the disk; 0 on memory://."""
    spans_bytes: int
    """The table of what becomes of live messages."""
    done_bytes: int
    """The table of archived and dead messages."""
    schema_version: int
    """0 on memory://."""

    @classmethod
    def _of(cls, record: dict[str, Any]) -> SystemStats:
        return cls(**{name: record[name] for name in cls.__dataclass_fields__})


async def queue_metrics(source: Asking, name: str) -> QueueMetrics:
    """The numbers of one queue; QueueNotFoundError where there is none."""
    _types.queue_name(name)
    return QueueMetrics._of(await source._request("metrics_get", name=name))


async def all_metrics(source: Asking) -> AsyncIterator[QueueMetrics]:
    """The numbers of each queue, by name, fetched in pages."""
    after, page = "", [None] * PAGE
    while len(page) == PAGE:
        page = await source._request("metrics_list", after=after, limit=PAGE)
        for record in page:
            metrics = QueueMetrics._of(record)
            after = metrics.queue_name
            yield metrics


class MetricsAdmin(Asking):
    """Metrics, as Admin has them."""

    async def queue_metrics(self, name: str) -> QueueMetrics:
        """The numbers of one queue; QueueNotFoundError where there is none."""
        return await queue_metrics(self, name)

    async def all_queues_metrics(self) -> list[QueueMetrics]:
        """The numbers of each queue, by name."""
        return [metrics async for metrics in all_metrics(self)]

    async def system_stats(self) -> SystemStats:
        """The numbers of all queues together."""
        return SystemStats._of(await self._request("metrics_system"))
