"""Archive: the messages that are done, archived or dead, and what can be done with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, TypeAlias

from . import _types
from ._archive_info import ArchivedMessage, Attempt, Outcome
from ._asking import Asking
from ._moment import microseconds

PAGE = 1000
"""How many messages one request lists at most."""

Page: TypeAlias = list[ArchivedMessage]
Attempts: TypeAlias = list[Attempt]
"""In the class `list` is a method."""


class Archive:
    """The archive and the dead letters: what Store.get_archive() and Admin.get_archive()
    return.

    The filters are the same everywhere: queue, by its name; outcome, "archived" or
    "dead"; worker_id, of the worker to which they were leased last; since and until, in
    datetimes with a time zone, the moment at which they were archived or became dead,
    from since on, before until. None: all.

    MessageNotFoundError, of what names a message: there is none of that id that is done.
    QueueNotFoundError: there is no such queue."""

    def __init__(self, source: Asking) -> None:
        self._source = source

    async def list(
        self,
        queue: str | None = None,
        outcome: Outcome | str | None = None,
        *,
        worker_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: ArchivedMessage | None = None,
    ) -> Page:
        """At most limit messages, 1 to 1000, the latest first: those behind `after`, which
        is the last of the page before."""
        filter = _filter(queue, outcome, worker_id, since, until)
        return await self._page(filter, _types.integer(limit, "limit", 1, PAGE), after)

    async def iterate(
        self,
        queue: str | None = None,
        outcome: Outcome | str | None = None,
        *,
        worker_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[ArchivedMessage]:
        """All of them, fetched in pages."""
        filter = _filter(queue, outcome, worker_id, since, until)
        after: ArchivedMessage | None = None
        while True:
            page = await self._page(filter, PAGE, after)
            for message in page:
                yield message
            if len(page) < PAGE:
                return
            after = page[-1]

    async def count(
        self,
        queue: str | None = None,
        outcome: Outcome | str | None = None,
        *,
        worker_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """How many messages. This reads the records of what it counts; the counters of
        queue_metrics() cost nothing."""
        filter = _filter(queue, outcome, worker_id, since, until)
        number: int = await self._source._request("archive_count", filter=filter)
        return number

    async def get(self, message_id: int) -> ArchivedMessage:
        """The message of that id."""
        return ArchivedMessage._of(await self._message("archive_get", message_id))

    async def history(self, message_id: int) -> Attempts:
        """The deliveries of a message, a live one too, the first one first: what became of
        each. Of those that did not end in the archive the newest 100 are kept."""
        records = await self._message("message_history", message_id)
        return [Attempt._of(record) for record in records]

    async def replay(self, message_id: int) -> None:
        """Makes a message ready again, under its id and with a read_ct of 0. Its history
        stays."""
        await self._message("archive_replay", message_id)

    async def replay_all(
        self,
        queue: str | None = None,
        outcome: Outcome | str | None = Outcome.DEAD,
        *,
        worker_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        per_second: float | None = None,
    ) -> int:
        """The same with many, the latest first: dead ones, unless outcome says otherwise;
        at most limit, and per_second of them a second. How many there were."""
        most = None if limit is None else _types.integer(limit, "limit", 0, 2**62)
        if most == 0:
            return 0
        if per_second is not None:
            per_second = _types.bounded(per_second, "per_second", 0.001, 1e9)
        number: int = await self._source._request(
            "archive_replay_all",
            filter=_filter(queue, outcome, worker_id, since, until),
            most=most,
            per_second=per_second,
        )
        return number

    async def delete(self, message_id: int) -> None:
        """Deletes a message, with its history."""
        await self._message("archive_delete", message_id)

    async def purge(self, older_than: float, queue: str | None = None) -> int:
        """Deletes what was archived, or became dead, at least older_than seconds ago, of
        one queue or of all; how many. It works in pieces and keeps nobody waiting."""
        if queue is not None:
            _types.queue_name(queue)
        number: int = await self._source._request(
            "archive_purge", older_than_us=_types.age_us(older_than, "older_than"), queue=queue
        )
        return number

    async def list_by_worker(self, worker_id: int, limit: int = 100, offset: int = 0) -> Page:
        """What was last leased to a worker, the latest first, without the first `offset`;
        list() with `after` is faster for later pages."""
        limit = _types.integer(limit, "limit", 0, 2**31)
        offset = _types.integer(offset, "offset", 0, 2**31)
        page: Page = []
        async for message in self.iterate(worker_id=worker_id):
            if len(page) == limit:
                break
            if offset:
                offset -= 1
            else:
                page.append(message)
        return page

    async def count_by_worker(self, worker_id: int) -> int:
        """How many messages were last leased to a worker."""
        return await self.count(worker_id=worker_id)

    async def dlq_count(self, queue: str | None = None) -> int:
        """How many messages are dead."""
        return await self.count(queue, Outcome.DEAD)

    async def _page(
        self, filter: dict[str, Any], limit: int, after: ArchivedMessage | None
    ) -> Page:
        place = {} if after is None else _place(after)
        records = await self._source._request("archive_list", filter=filter, limit=limit, **place)
        return [ArchivedMessage._of(record) for record in records]

    async def _message(self, request: str, message_id: int) -> Any:
        return await self._source._request(request, message_id=_types.message_id(message_id))


def _place(message: ArchivedMessage) -> dict[str, int]:
    return {"after_us": microseconds(message.archived_at), "after_id": message.id}


def _filter(
    queue: str | None,
    outcome: Outcome | str | None,
    worker_id: int | None,
    since: datetime | None,
    until: datetime | None,
) -> dict[str, Any]:
    if queue is not None:
        _types.queue_name(queue)
    return {
        "queue": queue,
        "outcome": None if outcome is None else _types.member(outcome, "outcome", Outcome).value,
        "worker_id": None if worker_id is None else _types.worker_id(worker_id),
        "since_us": None if since is None else _types.moment_us(since, "since"),
        "until_us": None if until is None else _types.moment_us(until, "until"),
    }
