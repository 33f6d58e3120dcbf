"""The part of Admin that is about queues: the methods of Queues under the names that
administrators know."""

from __future__ import annotations

from typing import Any

from ._asking import Asking
from ._queue_info import QueueInfo, QueueSettings, RetryPolicy
from ._queues import Queues


class QueueAdmin(Asking):
    """Queues, as Admin has them."""

    async def get_queues(self) -> Queues:
        """The table of queues."""
        return Queues(self)

    async def create_queue(
        self,
        name: str,
        *,
        default_vt: float | None = None,
        max_read_ct: int | None = None,
        retention_seconds: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> QueueInfo:
        """Queues.create(): QueueAlreadyExistsError when the name is taken."""
        return await Queues(self).create(
            name,
            default_vt=default_vt,
            max_read_ct=max_read_ct,
            retention_seconds=retention_seconds,
            retry=retry,
        )

    async def delete_queue(self, name: str, force: bool = False) -> bool:
        """Queues.delete(): with messages only by force."""
        return await Queues(self).delete(name, force)

    async def purge_queue(self, name: str) -> int:
        """Queues.purge(): deletes every live message, and says how many."""
        return await Queues(self).purge(name)

    async def pause_queue(self, name: str) -> QueueInfo:
        """Queues.pause(): it gives no messages until resume_queue()."""
        return await Queues(self).pause(name)

    async def resume_queue(self, name: str) -> QueueInfo:
        """Queues.resume()."""
        return await Queues(self).resume(name)

    async def queue_settings(self, name: str) -> QueueSettings:
        """Queues.settings()."""
        return await Queues(self).settings(name)

    async def update_queue(self, name: str, **settings: Any) -> QueueInfo:
        """Queues.update(): changes the settings that are named."""
        return await Queues(self).update(name, **settings)
