"""dequeue(): messages of a consumer, or a builder of a loop over a queue."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, overload

from . import _types
from ._consume import Run
from ._consume_batch import BatchRun
from ._consumer import Consumer
from ._errors import ValidationError
from ._message import Message
from ._native import StreamOptions
from ._payload_type import Payload
from ._store import Store


class DequeueBuilder:
    """What dequeue() without arguments returns: says where messages come from, and what
    is done with them; poll() does it.

        await pgqrs.dequeue().from_queue("tasks").handle(handler).poll(store)
    """

    def __init__(self) -> None:
        self._queue: str | None = None
        self._consumer: Consumer | None = None
        self._batch_size = 1
        self._poll_interval_ms = 250
        self._handler: Any = None
        self._handles_batches = False

    def from_queue(self, queue: str) -> DequeueBuilder:
        """From that queue."""
        _types.queue_name(queue)
        self._queue = queue
        return self

    def worker(self, consumer: Consumer) -> DequeueBuilder:
        """Leased to that consumer, from its queue: its interrupt(), suspend() and
        shutdown() are about the loop, and it settles by id what is delivered."""
        if not isinstance(consumer, Consumer):
            raise ValidationError(f"a worker must be a Consumer, not {type(consumer).__name__}")
        self._consumer = consumer
        return self

    def batch(self, size: int) -> DequeueBuilder:
        """At most so many messages for one call of the handler of handle_batch()."""
        self._batch_size = _types.integer(size, "batch_size", 1, _types.MAX_BATCH_SIZE)
        return self

    def poll_interval(self, milliseconds: int) -> DequeueBuilder:
        """Taken for the sake of programs of the original: see Store.consume_iter()."""
        _types.poll_interval(milliseconds)
        self._poll_interval_ms = milliseconds
        return self

    def handle(self, handler: _types.Handler) -> DequeueBuilder:
        """Calls that with one message, as consume() does."""
        return self._handle(handler, batches=False)

    def handle_batch(self, handler: _types.BatchHandler) -> DequeueBuilder:
        """Calls that with a list of messages, as consume_batch() does."""
        return self._handle(handler, batches=True)

    def _handle(self, handler: Any, *, batches: bool) -> DequeueBuilder:
        if self._handler is not None:
            raise ValidationError("the handler is given already")
        self._handler, self._handles_batches = handler, batches
        return self

    @property
    def queue(self) -> str | None:
        """From which queue; None: not said yet."""
        return self._queue if self._consumer is None else self._consumer.queue

    @property
    def batch_size(self) -> int:
        """Messages for one call of the handler."""
        return self._batch_size

    @property
    def poll_interval_ms(self) -> int:
        """What poll_interval() said."""
        return self._poll_interval_ms

    def has_worker(self) -> bool:
        """Whether worker() was called."""
        return self._consumer is not None

    async def poll(self, store: Store) -> None:
        """Handles messages until it is cancelled, the store is closed, or the worker is
        interrupted or shut down, which is StateTransitionError. A handler that fails ends
        nothing: its messages come again, as with consume()."""
        if not isinstance(store, Store):
            raise ValidationError(f"poll needs a Store, not {type(store).__name__}")
        store._check_open()
        queue = self.queue
        if queue is None:
            raise ValidationError("dequeue() needs from_queue() or worker()")
        if self._handler is None:
            raise ValidationError("dequeue() needs handle() or handle_batch()")
        if self._batch_size > 1 and not self._handles_batches:
            raise ValidationError("handle() takes one message: use handle_batch() with batch()")
        options = await self._options(store, queue)
        run = (BatchRun if self._handles_batches else Run)(
            store,
            queue,
            self._handler,
            options,
            concurrency=1,
            retry=None,
            shutdown_timeout=30,
            handle_signals=False,
            consumer=self._consumer,
        )
        await run.run()

    async def _options(self, store: Store, queue: str) -> StreamOptions:
        worker_id = 0
        if self._consumer is not None:
            if self._queue not in (None, queue):
                raise ValidationError(f"the worker is one of the queue {queue!r}")
            if await self._consumer._registered() is not store._link:
                raise ValidationError("the worker is one of another store")
            worker_id = self._consumer._worker_id
        # For one message at a time what is fetched ahead adapts, as with consume().
        size = self._batch_size if self._handles_batches else 0
        return StreamOptions(batch_size=size, keep_delivered=True, worker_id=worker_id)

    def __repr__(self) -> str:
        return f"<pgqrs.DequeueBuilder queue={self.queue!r} batch_size={self._batch_size}>"


@overload
def dequeue() -> DequeueBuilder: ...


@overload
def dequeue(
    consumer: Consumer[Payload], batch_size: int | None = None
) -> Coroutine[Any, Any, list[Message[Payload]]]: ...


def dequeue(
    consumer: Consumer | None = None, batch_size: int | None = None
) -> DequeueBuilder | Coroutine[Any, Any, list[Message]]:
    """`await dequeue(consumer, batch_size)` is consumer.dequeue(batch_size). Without
    arguments: the builder of a loop."""
    if consumer is None:
        return DequeueBuilder()
    return consumer.dequeue(batch_size)
