"""consume_batch(): calls a handler for several messages of a queue at once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ._consume import Run
from ._message import Message
from ._native import StreamOptions
from ._types import BatchHandler

if TYPE_CHECKING:
    from ._store import Store

logger = logging.getLogger("pgqrs")


class BatchRun(Run):
    """One call of consume_batch(): a Run whose handler takes lists, of at most as many
    messages as the batch_size of its options."""

    def __init__(
        self, store: Store, queue: str, handler: BatchHandler, options: StreamOptions, **others: Any
    ) -> None:
        super().__init__(store, queue, handler, options, **others)
        self._batch_size = options.batch_size

    async def _work(self) -> None:
        while True:
            batch = self._take()
            if not batch:
                if not await self._stream.wait():
                    return
                continue
            try:
                result = await self._caller.call(batch)
            except asyncio.CancelledError:
                aborted = self._cancelled(batch[0])
                if not aborted or self._keeps:
                    self._fail_all(batch[1:], "the handler was cancelled")
                if aborted:
                    raise
            except Exception as error:
                logger.exception(
                    "the handler failed on %d messages of queue %r, of which %r is the first",
                    len(batch),
                    self._queue,
                    batch[0],
                )
                self._fail_all(batch, error)
            else:
                self._settle(batch, result)
            await self._give_turn()

    def _take(self) -> list[Message]:
        """What is in hand, up to a batch; it does not wait for more."""
        batch: list[Message] = []
        while len(batch) < self._batch_size:
            message = self._stream.take(self._consumer)
            if message is None:
                break
            if not self._consumer._typed or self._fits(message):
                batch.append(message)
        return batch

    def _settle(self, batch: list[Message], result: object) -> None:
        """What the handler settled itself is done; the rest is, or is not, together."""
        rest = [message for message in batch if not message.settled]
        if result is True or result is None:
            for message in rest:
                self._archive.add(message)
            return
        for message in rest[:1]:  # says what else it was, and once is enough
            self._not_done(message, result)
        self._fail_all(rest[1:], f"the handler returned {result!r:.40}")

    def _fail_all(self, messages: list[Message], error: BaseException | str) -> None:
        for message in messages:
            self._fail(message, error)
