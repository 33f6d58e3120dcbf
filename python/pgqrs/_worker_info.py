"""Records about workers: WorkerStatus, WorkerInfo, WorkerHealth, WorkerLeases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from ._moment import moment, moment_or_none


class WorkerStatus(str, Enum):
    """The state of a worker: docs/state-machine.md says what each means, and what may
    follow what. Each equals its name in small letters; Ready is another name of READY,
    and so on."""

    READY = "ready"
    POLLING = "polling"
    SUSPENDED = "suspended"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"

    Ready = READY
    Polling = POLLING
    Suspended = SUSPENDED
    Interrupted = INTERRUPTED
    Stopped = STOPPED

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """One worker, as it was when it was asked for."""

    id: int
    """Unique in the schema, and never given again; what messages name."""
    name: str
    queue_id: int
    hostname: str
    port: int
    status: WorkerStatus
    started_at: datetime
    heartbeat_at: datetime
    """When it was last heard of."""
    heartbeat_age: timedelta
    """How long ago that was, by the server's clock."""
    shutdown_at: datetime | None
    """When it stopped; None: it has not."""

    @classmethod
    def _of(cls, record: dict[str, Any]) -> WorkerInfo:
        return cls(
            id=record["id"],
            name=record["name"],
            queue_id=record["queue_id"],
            hostname=record["hostname"],
            port=record["port"],
            status=WorkerStatus(record["status"]),
            started_at=moment(record["started_at_us"]),
            heartbeat_at=moment(record["heartbeat_at_us"]),
            heartbeat_age=timedelta(microseconds=record["heartbeat_age_us"]),
            shutdown_at=moment_or_none(record["shutdown_at_us"]),
        )


@dataclass(frozen=True, kw_only=True)
class WorkerHealth:
    """How many workers are in which state."""

    queue_id: int | None
    """Of which queue; None: of all that were asked for."""
    total: int
    ready: int
    polling: int
    suspended: int
    interrupted: int
    stopped: int
    stale: int
    """How many have not stopped, and were not heard of for too long."""

    @classmethod
    def _of(cls, record: dict[str, Any]) -> WorkerHealth:
        return cls(
            queue_id=record["queue_id"],
            total=record["total"],
            ready=record["ready"],
            polling=record["polling"],
            suspended=record["suspended"],
            interrupted=record["interrupted"],
            stopped=record["stopped"],
            stale=record["stale"],
        )


@dataclass(frozen=True, kw_only=True)
class WorkerLeases:
    """What one worker holds from one queue. Leases that ran out do not count."""

    worker_id: int
    queue_id: int
    leased: int
    """How many messages."""
    longest: timedelta
    """How long ago it was given the one that it has longest."""

    @classmethod
    def _of(cls, record: dict[str, Any]) -> WorkerLeases:
        return cls(
            worker_id=record["worker_id"],
            queue_id=record["queue_id"],
            leased=record["leased"],
            longest=timedelta(microseconds=record["longest_us"]),
        )
