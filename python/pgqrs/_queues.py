"""Queues: the table of queues, and the records in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _types
from ._asking import Asking
from ._moment import moment

PAGE = 1000
"""How many queues one request lists at most."""


@dataclass(frozen=True, kw_only=True)
class QueueInfo:
    """One queue, as it was when it was asked for."""

    id: int
    """Unique in the schema; what Message.queue_id says."""
    queue_name: str
    created_at: datetime

    @classmethod
    def _of(cls, record: dict[str, Any]) -> QueueInfo:
        return cls(
            id=record["id"],
            queue_name=record["queue_name"],
            created_at=moment(record["created_at_us"]),
        )


class Queues:
    """The table of queues: what Store.get_queues() and Admin.get_queues() return."""

    def __init__(self, source: Asking) -> None:
        self._source = source

    async def get(self, name: str) -> QueueInfo:
        """The queue of that name; QueueNotFoundError where there is none."""
        _types.queue_name(name)
        return QueueInfo._of(await self._source._request("queue_get", name=name))

    async def list(self) -> list[QueueInfo]:
        """All queues, by name (by its bytes)."""
        return [queue async for queue in self.iterate()]

    async def iterate(self) -> AsyncIterator[QueueInfo]:
        """All queues, by name, fetched in pages: for a database with very many."""
        after, page = "", [None] * PAGE
        while len(page) == PAGE:
            page = await self._source._request("queue_list", after=after, limit=PAGE)
            for record in page:
                queue = QueueInfo._of(record)
                after = queue.queue_name
                yield queue

    async def count(self) -> int:
        """How many queues there are."""
        number: int = await self._source._request("queue_count")
        return number
