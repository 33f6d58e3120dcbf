"""The part of Admin that is about workers and what they hold."""

from __future__ import annotations

from . import _types
from ._asking import Asking
from ._workers import Workers


class WorkerAdmin(Asking):
    """Workers, as Admin has them."""

    async def get_workers(self) -> Workers:
        """The table of workers."""
        return Workers(self)

    async def release_worker_messages(self, worker_id: int) -> int:
        """Workers.release_messages(): makes ready at once what is leased to it."""
        return await Workers(self).release_messages(worker_id)

    async def reclaim_messages(self, queue: str, older_than: float = 60) -> int:
        """Makes ready at once what is leased from a queue to workers that have not
        stopped and were not heard of for older_than seconds; how many messages. It need
        not be called: each comes again when its vt has passed."""
        _types.queue_name(queue)
        older_than_us = max(1, _types.age_us(older_than, "older_than"))  # 0: the default
        number: int = await self._request(
            "worker_reclaim", queue=queue, older_than_us=older_than_us
        )
        return number
