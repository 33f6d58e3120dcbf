"""Settler: archives, or gives back, in the background what consume() has done
with, many messages a call."""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

from ._errors import PgqrsError
from ._link import Link, wake
from ._message import Message
from ._native import Deliveries

logger = logging.getLogger("pgqrs")

MAX_WAITING = 4096
"""How many messages may wait for the call that is on its way."""


class Settler:
    """Carries out one operation for one queue: one call at a time, and what is
    added meanwhile goes into the next. It is made of callbacks and not of a task,
    so that asyncio.run(), which cancels all tasks at its end, cannot cut it off.
    """

    piece = 2 * MAX_WAITING
    """How many messages go into one call at most."""

    def __init__(self, link: Link, operation: Callable[..., int], done: str) -> None:
        self._link = link
        self._operation = operation
        self._done = done  # "archived" or "given back", for the log
        self._queue_id = 0
        self._leases = array("q")
        self._ids = array("q")
        self._handed_over: set[int] = set()  # ids; their answers do not matter
        self._busy = False
        self._waiters: list[asyncio.Future[None]] = []

    def add(self, message: Message) -> None:
        """Settles this delivery soon."""
        self._queue_id = message.queue_id
        self._leases.append(message.lease)
        self._ids.append(message.id)
        if message.handed_over:
            self._handed_over.add(message.id)
        if not self._busy:
            # Not at once: what ends in the same turn of the loop goes along.
            self._busy = True
            self._link.loop.call_soon(self._flush)

    @property
    def crowded(self) -> bool:
        """Whether so much waits that idle() should be awaited first."""
        return len(self._ids) >= MAX_WAITING

    def idle(self) -> asyncio.Future[None]:
        """Done when all that was added has been committed."""
        waiter = self._link.loop.create_future()
        if self._busy:
            self._waiters.append(waiter)
        else:
            waiter.set_result(None)
        return waiter

    def _flush(self) -> None:
        if not self._ids:
            self._busy = False
            while self._waiters:
                wake(self._waiters.pop())
            return
        deliveries = Deliveries(self._leases[: self.piece], self._ids[: self.piece])
        try:
            submitted = self._submit(deliveries)
        except PgqrsError as error:
            self._failed(deliveries, error)
            self._drop(len(deliveries.ids))
            self._flush()
            return
        if submitted is None:
            self._link.when_room(self._flush)
            return
        self._drop(len(deliveries.ids))
        submitted[1].add_done_callback(partial(self._answered, deliveries))

    def _submit(self, deliveries: Deliveries) -> Any:
        """Link.submit() for these, which were added first of those that wait."""
        return self._link.submit(self._operation, self._queue_id, 0, deliveries)

    def _drop(self, number: int) -> None:
        """The first so many do not wait any more."""
        del self._leases[:number], self._ids[:number]

    def _answered(self, deliveries: Deliveries, answers: asyncio.Future[Any]) -> None:
        if error := answers.exception():
            self._failed(deliveries, error)
        elif not all(answers.result()):
            self._warn(deliveries, answers.result())
        if self._handed_over:
            self._handed_over.difference_update(deliveries.ids)
        self._flush()

    def _warn(self, deliveries: Deliveries, answers: list[bool]) -> None:
        """Tells what was lost. False is right for what a transaction has settled."""
        held = zip(deliveries.ids, answers, strict=True)
        lost = [number for number, answer in held if not answer and number not in self._handed_over]
        if lost:
            logger.warning(
                "%d handled messages were not %s, because their lease was no longer ours; they may "
                "be handled again: %s",
                len(lost),
                self._done,
                _some(lost),
            )

    def _failed(self, deliveries: Deliveries, error: BaseException) -> None:
        logger.error(
            "%d handled messages could not be %s and will be handled again: %s: %s",
            len(deliveries.ids),
            self._done,
            _some(list(deliveries.ids)),
            error,
        )


def _some(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:10])) + (", …" if len(ids) > 10 else "")
