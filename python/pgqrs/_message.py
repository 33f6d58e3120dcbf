"""Message: one delivery of one message."""

from __future__ import annotations

import traceback
from array import array
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic

from . import _transaction, _types
from ._errors import ValidationError
from ._link import Link
from ._moment import moment
from ._native import Deliveries, Header
from ._payload_type import Payload

if TYPE_CHECKING:
    from ._consumer import Consumer

_UNREAD: Any = object()

ERROR_CHARACTERS = 2000
"""What is kept of an error: the library cuts what is longer; this spares it the work."""


class Lease:
    """What the messages of one batch have in common."""

    __slots__ = ("dequeued_at_us", "link", "number", "queue_id", "worker_id")

    def __init__(
        self, link: Link, queue_id: int, number: int, dequeued_at_us: int, worker_id: int
    ) -> None:
        self.link: Link = link
        self.queue_id: int = queue_id
        self.number: int = number
        self.dequeued_at_us: int = dequeued_at_us
        self.worker_id: int = worker_id


class Message(Generic[Payload]):
    """One delivery of one message, made by pgqrs alone. Message[Order] is one whose
    payload is an Order: see payload_type of consume().

    archive(), delete(), extend_vt() and release() are about this delivery: each
    answers False once its lease is no longer ours, because it ended and the
    message was given to somebody again, or because it was settled already.
    """

    __slots__ = (
        "_consumer",
        "_header",
        "_lease",
        "_payload",
        "_text",
        "_vt_us",
        "handed_over",
        "id",
        "settled",
    )

    id: int
    """Unique in the database."""
    settled: bool
    """Whether archive(), delete() or release() of this object have had an answer."""
    handed_over: bool
    """Whether archive() or delete() were called with tx: then it is settled if that
    transaction commits."""

    def __init__(
        self, consumer: Consumer[Payload], lease: Lease, header: Header, memory: Any, vt_us: int
    ) -> None:
        self.id = header[0]
        self.settled = False
        self.handed_over = False
        self._consumer = consumer
        self._lease = lease
        self._header = header
        self._text: bytes = memory[header[4] : header[4] + header[5]]
        self._vt_us = vt_us
        self._payload = _UNREAD

    @property
    def payload(self) -> Payload:
        """What was produced; decoded on first read, the same object afterwards.
        SerializationError: it does not fit the payload_type."""
        if self._payload is _UNREAD:
            self._payload = self._consumer._read_payload(self._text)
        payload: Payload = self._payload
        return payload

    @property
    def queue_id(self) -> int:
        """The queue it was dequeued from."""
        return self._lease.queue_id

    @property
    def enqueued_at(self) -> datetime:
        """When it was produced, in UTC."""
        return moment(self._header[1])

    @property
    def vt(self) -> datetime:
        """When the lease ends, in UTC: as of its delivery, or of extend_vt()."""
        return moment(self._vt_us)

    @property
    def read_ct(self) -> int:
        """How many times it was delivered, this time included."""
        return self._header[3]

    @property
    def dequeued_at(self) -> datetime:
        """When it was leased, in UTC."""
        return moment(self._lease.dequeued_at_us)

    @property
    def producer_worker_id(self) -> int | None:
        """The Producer that made it; None when it came from produce() or SQL."""
        return self._header[2] or None

    @property
    def consumer_worker_id(self) -> int | None:
        """The worker to which it is leased."""
        return self._lease.worker_id or None

    @property
    def consumer(self) -> Consumer[Payload]:
        """A Consumer that may settle this message by its id."""
        return self._consumer

    async def archive(self, *, tx: object = None) -> bool:
        """Moves it to the archive. False: it is not ours any more.

        With tx, a connection or session of the caller to the same database, it is
        archived in the transaction that is open there, which must be READ
        COMMITTED. From then on the message belongs to that transaction: its lease
        is kept alive no more, and is as before when that rolls back. Inside
        consume() what the handler returns then counts, as if it had not been
        called."""
        if tx is not None:
            return await self._settle_in(tx, "archive")
        return await self._settle(self._lease.link.native.archive)

    async def delete(self, *, tx: object = None) -> bool:
        """Removes it without a trace. False: it is not ours any more. With tx, in
        the caller's transaction, as archive() does."""
        if tx is not None:
            return await self._settle_in(tx, "delete")
        return await self._settle(self._lease.link.native.delete)

    async def release(self, delay_seconds: float = 0) -> bool:
        """Gives it back, ready for anyone that many seconds from now. False: it
        is not ours any more."""
        return await self._settle(self._lease.link.native.release, _types.delay_us(delay_seconds))

    async def fail(
        self, error: BaseException | str | None = None, *, delay_seconds: float | None = None
    ) -> bool:
        """Gives it back as failed, as consume() does when a handler raises: the error is
        kept in its history, and it is dead when this was its last delivery. It comes
        again after delay_seconds; None: when the policy of its queue says, else after the
        vt that it was leased for. False: it is not ours any more."""
        delay_us = None if delay_seconds is None else _types.delay_us(delay_seconds)
        answers = await self._lease.link.request(
            "message_fail", queue_id=self.queue_id, failures=[self._failure(error, delay_us)]
        )
        self.settled = True
        return bool(answers[0])

    async def extend_vt(self, seconds: float) -> bool:
        """Makes the lease end that many seconds later. False: it is not ours any
        more."""
        lease = self._lease
        by_us = _types.extension_us(seconds)
        moments = await lease.link.call(
            lease.link.native.extend_vt, lease.queue_id, 0, self._deliveries(), by_us
        )
        if moments[0]:
            self._vt_us = moments[0]
        return bool(moments[0])

    async def _settle_in(self, tx: object, verb: str) -> bool:
        lease = self._lease
        self.handed_over = True
        answers = await _transaction.settle(
            lease.link, tx, verb, lease.queue_id, 0, self._deliveries()
        )
        return answers[0]

    async def _settle(self, operation: Any, *options: int) -> bool:
        lease = self._lease
        answers: list[bool] = await lease.link.call(
            operation, lease.queue_id, 0, self._deliveries(), *options
        )
        self.settled = True
        return answers[0]

    def _failure(self, error: BaseException | str | None, delay_us: int | None) -> dict[str, Any]:
        """Why this delivery failed, as the request message_fail takes it."""
        return {
            "lease": self.lease,
            "message_id": self.id,
            "error": _error_text(error),
            "delay_us": delay_us,
        }

    def _deliveries(self) -> Deliveries:
        return Deliveries(array("q", [self._lease.number]), array("q", [self.id]))

    @property
    def lease(self) -> int:
        """The number of the lease: with the id, the name of this delivery."""
        return self._lease.number

    def __repr__(self) -> str:
        return f"<pgqrs.Message id={self.id} queue_id={self.queue_id} read_ct={self.read_ct}>"


QueueMessage = Message
"""The name that the original has for it."""


def _error_text(error: BaseException | str | None) -> str | None:
    """What is kept of an error: its type and what it says."""
    if isinstance(error, BaseException):
        error = "".join(traceback.format_exception_only(error)).strip()
    if error is None:
        return None
    if not isinstance(error, str):
        raise ValidationError(f"error must be an exception or a str, not {type(error).__name__}")
    text = error[: ERROR_CHARACTERS + 1]
    return text.encode("utf-8", "replace").decode()  # lone surrogates are no characters
