"""Workers: the table of workers, and what can be done with one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

from . import _types
from ._asking import Asking
from ._worker_info import WorkerHealth, WorkerInfo, WorkerLeases, WorkerStatus

PAGE = 1000
"""How many workers one request lists at most."""

Healths: TypeAlias = list[WorkerHealth]
"""In the class `list` is a method."""

Leases: TypeAlias = list[WorkerLeases]
"""The same."""


class Workers:
    """The table of workers: what Store.get_workers() and Admin.get_workers() return.

    WorkerNotFoundError, of all that name a worker: there is none of that id.
    StateTransitionError, of all that change its state: it is in a state that does not
    allow it. A worker of another process follows at its next heartbeat."""

    def __init__(self, source: Asking) -> None:
        self._source = source

    async def list(
        self, queue: str | None = None, status: WorkerStatus | str | None = None
    ) -> list[WorkerInfo]:
        """All workers, the newest first; of one queue, or in one state."""
        return [worker async for worker in self.iterate(queue, status)]

    async def iterate(
        self, queue: str | None = None, status: WorkerStatus | str | None = None
    ) -> AsyncIterator[WorkerInfo]:
        """The same, fetched in pages: for a database with very many."""
        wanted = None if status is None else _types.member(status, "status", WorkerStatus).value
        queue = _queue_or_none(queue)
        before, page = None, [None] * PAGE
        while len(page) == PAGE:
            page = await self._source._request(
                "worker_list", queue=queue, status=wanted, before=before, limit=PAGE
            )
            for record in page:
                worker = WorkerInfo._of(record)
                before = worker.id
                yield worker

    async def get(self, worker_id: int) -> WorkerInfo:
        """The worker of that id."""
        return await self._worker("worker_get", worker_id)

    async def count(self, queue: str | None = None) -> int:
        """How many rows of workers there are, those that have stopped included."""
        return (await self.health_stats(queue=queue)).total

    async def health_stats(
        self, timeout_seconds: float = 60, *, queue: str | None = None
    ) -> WorkerHealth:
        """How many workers are in which state, and how many are stale: not stopped, and
        not heard of for timeout_seconds."""
        return (await self._health(timeout_seconds, queue=_queue_or_none(queue)))[0]

    async def health_by_queue(self, timeout_seconds: float = 60) -> Healths:
        """The same for each queue that has workers, ordered by its id."""
        return await self._health(timeout_seconds, by_queue=True)

    async def leases(self, queue: str | None = None) -> Leases:
        """What workers hold, those that hold anything, from one queue or from all: one for
        each worker and queue. It reads no messages."""
        records = await self._source._request("worker_leases", queue=_queue_or_none(queue))
        return [WorkerLeases._of(record) for record in records]

    async def _health(self, timeout_seconds: float, **arguments: Any) -> Healths:
        stale_after = max(1, _types.age_us(timeout_seconds, "timeout_seconds"))  # 0: the default
        records = await self._source._request(
            "worker_health", stale_after_us=stale_after, **arguments
        )
        return [WorkerHealth._of(record) for record in records]

    async def suspend(self, worker_id: int) -> WorkerInfo:
        """Makes it fetch, or produce, nothing until resume(). What it holds it keeps."""
        return await self._worker("worker_suspend", worker_id)

    async def resume(self, worker_id: int) -> WorkerInfo:
        """Ends a suspension."""
        return await self._worker("worker_resume", worker_id)

    async def interrupt(self, worker_id: int) -> WorkerInfo:
        """Ends its consume() and consume_iter() with StateTransitionError, and suspends
        it. Only a worker that is polling can be interrupted."""
        return await self._worker("worker_interrupt", worker_id)

    async def shutdown(self, worker_id: int) -> WorkerInfo:
        """Stops it for good. What it holds it can still settle."""
        return await self._worker("worker_stop", worker_id)

    async def release_messages(self, worker_id: int) -> int:
        """Makes ready at once what is leased to it; how many messages that were, 0 where
        there is no such worker. It cannot settle them any more."""
        number: int = await self._source._request(
            "worker_release", worker_id=_types.worker_id(worker_id)
        )
        return number

    async def purge_stale(self, older_than: float) -> int:
        """Deletes the rows of workers that stopped, or were not heard of, that many
        seconds ago or more; how many. Messages go on naming them."""
        number: int = await self._source._request(
            "worker_purge", older_than_us=_types.age_us(older_than, "older_than")
        )
        return number

    async def _worker(self, request: str, worker_id: int) -> WorkerInfo:
        return WorkerInfo._of(
            await self._source._request(request, worker_id=_types.worker_id(worker_id))
        )


def _queue_or_none(queue: str | None) -> str | None:
    if queue is not None:
        _types.queue_name(queue)
    return queue
