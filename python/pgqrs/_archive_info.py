"""Records about messages that are done: ArchivedMessage, and Attempt, a delivery in the
history of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from ._moment import moment, moment_or_none


class Outcome(str, Enum):
    """How a message ended: archived by whoever held it, or dead, delivered max_read_ct
    times and never settled."""

    ARCHIVED = "archived"
    DEAD = "dead"


class AttemptOutcome(str, Enum):
    """How a delivery ended."""

    ARCHIVED = "archived"
    FAILED = "failed"
    """The handler failed: error says how."""
    RELEASED = "released"
    """Whoever held it gave it back."""
    EXPIRED = "expired"
    """The lease ran out, and the message was given to somebody else or is dead."""
    LEASED = "leased"
    """It has not ended."""


@dataclass(frozen=True, kw_only=True)
class ArchivedMessage:
    """A message that was archived or is dead, as it was when it was asked for."""

    id: int
    queue_id: int
    payload: Any
    enqueued_at: datetime
    vt: datetime
    """When its last lease would have ended."""
    read_ct: int
    """How many times it was delivered."""
    dequeued_at: datetime | None
    """When it was delivered last."""
    archived_at: datetime
    """When it was archived, or became dead."""
    producer_worker_id: int | None
    consumer_worker_id: int | None
    """The worker to which it was leased last."""
    outcome: Outcome
    error: str | None
    """What its last failed delivery said, the first 2000 characters."""

    @property
    def original_msg_id(self) -> int:
        """Its id: a message keeps it in the archive."""
        return self.id

    @classmethod
    def _of(cls, record: dict[str, Any]) -> ArchivedMessage:
        from ._decoder import decode

        return cls(
            id=record["id"],
            queue_id=record["queue_id"],
            payload=decode(record["payload"].encode()),
            enqueued_at=moment(record["enqueued_at_us"]),
            vt=moment(record["vt_us"]),
            read_ct=record["read_ct"],
            dequeued_at=moment_or_none(record["dequeued_at_us"]),
            archived_at=moment(record["archived_at_us"]),
            producer_worker_id=record["producer_worker_id"],
            consumer_worker_id=record["consumer_worker_id"],
            outcome=Outcome(record["outcome"]),
            error=record["error"],
        )


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One delivery of a message."""

    attempt: int
    """The read_ct of that delivery: it begins with 1 again after a replay."""
    consumer_worker_id: int | None
    started_at: datetime
    ended_at: datetime | None
    """None while it is leased."""
    outcome: AttemptOutcome
    error: str | None

    @classmethod
    def _of(cls, record: dict[str, Any]) -> Attempt:
        return cls(
            attempt=record["attempt"],
            consumer_worker_id=record["consumer_worker_id"],
            started_at=moment(record["started_at_us"]),
            ended_at=moment_or_none(record["ended_at_us"]),
            outcome=AttemptOutcome(record["outcome"]),
            error=record["error"],
        )
