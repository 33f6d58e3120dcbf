"""Messages: the table of live messages, to be looked at, and settled by their ids."""

from __future__ import annotations

from collections.abc import AsyncIterator

from . import _types
from ._asking import Asking
from ._errors import MessageNotFoundError
from ._message_info import MessageInfo, MessageState
from ._queues import Queues

PAGE = 100
"""How many messages one request lists at most."""


class Messages:
    """The table of live messages, what Store.get_messages() and Admin.get_messages()
    return. To look leases nothing; to settle by id needs no lease.

    QueueNotFoundError, of all that name a queue: there is none of that name."""

    def __init__(self, source: Asking) -> None:
        self._source = source

    async def get(self, message_id: int) -> MessageInfo:
        """The message of that id; MessageNotFoundError where there is none, or it is not
        alive any more."""
        number = _types.message_id(message_id)
        record = await self._source._request("message_get", message_id=number)
        if record["archived_at_us"] is not None:
            raise MessageNotFoundError(f"message {number} is {record['state']}, and not alive")
        return MessageInfo._of(record)

    async def delete(self, message_id: int, *, force: bool = False) -> None:
        """Deletes a live message by its id, without a trace: cancels it, where it is ready
        or delayed. One that is leased is StateTransitionError, since somebody may be working
        on it; with force it is deleted all the same, and its holder settles nothing
        afterwards. MessageNotFoundError: there is no such message, or it is not alive."""
        number = _types.message_id(message_id)
        await self._source._request("message_delete", message_id=number, force=bool(force))

    async def release(self, message_id: int) -> None:
        """Makes a live message ready now, by its id: one that is delayed, or leased to whom
        ever, who settles nothing afterwards. What is ready stays as it is.
        MessageNotFoundError: there is no such message, or it is not alive."""
        number = _types.message_id(message_id)
        await self._source._request("message_release", message_id=number)

    async def list(
        self, queue: str | None = None, state: MessageState | str | None = None
    ) -> list[MessageInfo]:
        """All messages, by id; of one queue or, where none is named, queue by queue; in
        one state or, where none is named, in any."""
        return [message async for message in self.iterate(queue, state)]

    async def iterate(
        self, queue: str | None = None, state: MessageState | str | None = None
    ) -> AsyncIterator[MessageInfo]:
        """The same, fetched in pages: for a queue with very many. What is produced,
        settled or leased meanwhile may be among them or not."""
        wanted = None if state is None else _types.member(state, "state", MessageState).value
        if queue is not None:
            _types.queue_name(queue)
            async for message in self._of_queue(queue, wanted):
                yield message
            return
        async for info in Queues(self._source).iterate():
            async for message in self._of_queue(info.queue_name, wanted):
                yield message

    async def _of_queue(self, queue: str, state: str | None) -> AsyncIterator[MessageInfo]:
        after = 0
        while page := await self._source._request(
            "message_list", queue=queue, state=state, after=after, limit=PAGE
        ):
            after = page[-1]["id"]
            for record in page:
                yield MessageInfo._of(record)

    async def count(self, queue: str | None = None, state: MessageState | str | None = None) -> int:
        """How many there are, in all queues or one, in any state or one. What it costs
        does not grow with their number."""
        wanted = "depth" if state is None else _types.member(state, "state", MessageState).value
        if queue is None:
            metrics = await self._source._request("metrics_system")
        else:
            _types.queue_name(queue)
            metrics = await self._source._request("metrics_get", name=queue)
        number: int = metrics[wanted]
        return number
