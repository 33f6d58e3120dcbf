"""Queues: the table of queues, and what can be done with one."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from typing import Any

from . import _types
from ._asking import Asking
from ._errors import ValidationError
from ._metrics import QueueMetrics, all_metrics, queue_metrics
from ._queue_info import QueueInfo, QueueSettings, RetryPolicy, settings_arguments

PAGE = 1000
"""How many queues one request lists at most."""


class Queues:
    """The table of queues: what Store.get_queues() and Admin.get_queues() return.

    QueueNotFoundError, of all that name a queue: there is none of that name."""

    def __init__(self, source: Asking) -> None:
        self._source = source

    async def create(
        self,
        name: str,
        *,
        default_vt: float | None = None,
        max_read_ct: int | None = None,
        retention_seconds: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> QueueInfo:
        """Makes a queue with settings of its own (see QueueSettings);
        QueueAlreadyExistsError when the name is taken."""
        settings = settings_arguments(
            default_vt=default_vt,
            max_read_ct=max_read_ct,
            retention_seconds=retention_seconds,
            retry=retry,
        )
        return await self._queue("queue_create", name, **settings)

    async def get(self, name: str) -> QueueInfo:
        """The queue of that name."""
        return await self._queue("queue_get", name)

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

    async def metrics(self, name: str) -> QueueMetrics:
        """The numbers of a queue."""
        return await queue_metrics(self._source, name)

    async def list_metrics(self) -> builtins.list[QueueMetrics]:
        """The numbers of each queue, by name."""
        return [metrics async for metrics in all_metrics(self._source)]

    async def settings(self, name: str) -> QueueSettings:
        """The settings of a queue."""
        return (await self.get(name)).settings

    async def update(self, name: str, **settings: Any) -> QueueInfo:
        """Changes the settings that are named (see QueueSettings), and leaves the
        others; None takes one back to its default. Whoever dequeues next follows."""
        return await self._queue("queue_update", name, **settings_arguments(**settings))

    async def pause(self, name: str) -> QueueInfo:
        """Makes it give no messages until resume(). It takes messages as before, and
        what is leased can be settled; consume() and consume_iter() wait."""
        return await self._queue("queue_pause", name)

    async def resume(self, name: str) -> QueueInfo:
        """Makes a paused queue give messages again, at once."""
        return await self._queue("queue_resume", name)

    async def purge(self, name: str) -> int:
        """Deletes every message that is not archived or dead, leased ones included;
        how many there were."""
        _types.queue_name(name)
        number: int = await self._source._request("queue_purge", name=name)
        return number

    async def delete(self, name: str, force: bool = False) -> bool:
        """Deletes a queue and its workers, and returns True. With messages, archived
        and dead ones included, only by force; else ValidationError."""
        _types.queue_name(name)
        force = _types.boolean(force, "force")
        try:
            await self._source._request("queue_delete", name=name, force=force)
        except ValidationError as error:  # it has messages
            raise ValidationError(f"{error}: use force=True") from None
        return True

    async def _queue(self, request: str, name: str, **arguments: Any) -> QueueInfo:
        _types.queue_name(name)
        return QueueInfo._of(await self._source._request(request, name=name, **arguments))
