"""The part of Admin that is about the archive and the dead letters."""

from __future__ import annotations

from datetime import datetime

from ._archive import Archive
from ._archive_info import ArchivedMessage, Outcome
from ._asking import Asking


class ArchiveAdmin(Asking):
    """The archive and the dead letters, as Admin has them."""

    async def get_archive(self) -> Archive:
        """The archive and the dead letters."""
        return Archive(self)

    async def dlq(self, queue: str | None = None, limit: int = 1000) -> list[ArchivedMessage]:
        """The dead letters, of one queue or of all, the latest first: at most limit, 1 to
        1000. Archive.iterate() gives all."""
        return await Archive(self).list(queue, Outcome.DEAD, limit=limit)

    async def replay_message(self, message_id: int) -> None:
        """Archive.replay(): makes a done message ready again."""
        await Archive(self).replay(message_id)

    async def replay_dlq(
        self,
        queue: str | None = None,
        *,
        worker_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        per_second: float | None = None,
    ) -> int:
        """Archive.replay_all() of dead letters: how many were made ready again."""
        return await Archive(self).replay_all(
            queue,
            worker_id=worker_id,
            since=since,
            until=until,
            limit=limit,
            per_second=per_second,
        )

    async def purge_archive(self, older_than: float, queue: str | None = None) -> int:
        """Archive.purge(): deletes what was done with at least older_than seconds ago."""
        return await Archive(self).purge(older_than, queue)
