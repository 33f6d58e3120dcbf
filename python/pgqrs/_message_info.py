"""Records about messages that nobody delivers: MessageInfo, MessageState."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from ._moment import moment, moment_or_none


class MessageState(str, Enum):
    """Where a live message is in its life. Each equals its name in small letters."""

    READY = "ready"
    DELAYED = "delayed"
    LEASED = "leased"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class MessageInfo:
    """One live message, as it was when it was asked for. It is not leased by that."""

    id: int
    queue_id: int
    state: MessageState
    payload: Any
    enqueued_at: datetime
    vt: datetime
    """When it becomes ready, or became so."""
    read_ct: int
    """How many times it was delivered."""
    dequeued_at: datetime | None
    """When it was leased last; None: never, or it was given back."""
    producer_worker_id: int | None
    consumer_worker_id: int | None
    """To which worker it was leased last, likewise."""

    @classmethod
    def _of(cls, record: dict[str, Any]) -> MessageInfo:
        from ._decoder import decode

        return cls(
            id=record["id"],
            queue_id=record["queue_id"],
            state=MessageState(record["state"]),
            payload=decode(record["payload"].encode()),
            enqueued_at=moment(record["enqueued_at_us"]),
            vt=moment(record["vt_us"]),
            read_ct=record["read_ct"],
            dequeued_at=moment_or_none(record["dequeued_at_us"]),
            producer_worker_id=record["producer_worker_id"],
            consumer_worker_id=record["consumer_worker_id"],
        )
