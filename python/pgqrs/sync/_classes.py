"""The classes of pgqrs.sync.

Written by scripts/make_sync.py (`make sync`); do not edit.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, cast, overload

import pgqrs
from pgqrs import (
    ArchivedMessage,
    Attempt,
    Config,
    MessageInfo,
    MessageState,
    Outcome,
    ProducedId,
    QueueInfo,
    QueueMetrics,
    QueueSettings,
    RetryPolicy,
    SystemStats,
    WorkerHealth,
    WorkerInfo,
    WorkerLeases,
    WorkerStatus,
)
from pgqrs._payload_type import Payload

from ._facade import BatchHandler, Facade, Handler, handler_of, inner
from ._loop import iterate, run


class Message(Facade[pgqrs.Message[Payload]], Generic[Payload]):
    """One delivery of one message, made by pgqrs alone. Message[Order] is one whose
    payload is an Order: see payload_type of consume().

    archive(), delete(), extend_vt() and release() are about this delivery: each
    answers False once its lease is no longer ours, because it ended and the
    message was given to somebody again, or because it was settled already."""

    __slots__ = ()

    @property
    def id(self) -> int:
        """Unique in the database."""
        return self._inner.id

    @property
    def settled(self) -> bool:
        """Whether archive(), delete() or release() of this object have had an answer."""
        return self._inner.settled

    @property
    def handed_over(self) -> bool:
        """Whether archive() or delete() were called with tx: then it is settled if that
        transaction commits."""
        return self._inner.handed_over

    @property
    def payload(self) -> Payload:
        """What was produced; decoded on first read, the same object afterwards.
        SerializationError: it does not fit the payload_type."""
        return self._inner.payload

    @property
    def queue_id(self) -> int:
        """The queue it was dequeued from."""
        return self._inner.queue_id

    @property
    def enqueued_at(self) -> datetime:
        """When it was produced, in UTC."""
        return self._inner.enqueued_at

    @property
    def vt(self) -> datetime:
        """When the lease ends, in UTC: as of its delivery, or of extend_vt()."""
        return self._inner.vt

    @property
    def read_ct(self) -> int:
        """How many times it was delivered, this time included."""
        return self._inner.read_ct

    @property
    def dequeued_at(self) -> datetime:
        """When it was leased, in UTC."""
        return self._inner.dequeued_at

    @property
    def producer_worker_id(self) -> int | None:
        """The Producer that made it; None when it came from produce() or SQL."""
        return self._inner.producer_worker_id

    @property
    def consumer_worker_id(self) -> int | None:
        """The worker to which it is leased."""
        return self._inner.consumer_worker_id

    @property
    def consumer(self) -> Consumer[Payload]:
        """A Consumer that may settle this message by its id."""
        return Consumer(self._inner.consumer)

    def archive(self, *, tx: object = None) -> bool:
        """Moves it to the archive. False: it is not ours any more.

        With tx, a connection or session of the caller to the same database, it is
        archived in the transaction that is open there, which must be READ
        COMMITTED. From then on the message belongs to that transaction: its lease
        is kept alive no more, and is as before when that rolls back. Inside
        consume() what the handler returns then counts, as if it had not been
        called."""
        return run(self._inner.archive(tx=tx))

    def delete(self, *, tx: object = None) -> bool:
        """Removes it without a trace. False: it is not ours any more. With tx, in
        the caller's transaction, as archive() does."""
        return run(self._inner.delete(tx=tx))

    def release(self, delay_seconds: float = 0) -> bool:
        """Gives it back, ready for anyone that many seconds from now. False: it
        is not ours any more."""
        return run(self._inner.release(delay_seconds))

    def fail(
        self, error: BaseException | str | None = None, *, delay_seconds: float | None = None
    ) -> bool:
        """Gives it back as failed, as consume() does when a handler raises: the error is
        kept in its history, and it is dead when this was its last delivery. It comes
        again after delay_seconds; None: when the policy of its queue says, else after the
        vt that it was leased for. False: it is not ours any more."""
        return run(self._inner.fail(error, delay_seconds=delay_seconds))

    def extend_vt(self, seconds: float) -> bool:
        """Makes the lease end that many seconds later. False: it is not ours any
        more."""
        return run(self._inner.extend_vt(seconds))

    @property
    def lease(self) -> int:
        """The number of the lease: with the id, the name of this delivery."""
        return self._inner.lease


class Producer(Facade[pgqrs.Producer]):
    """Puts messages into one queue; they bear its worker's id. Made by
    pgqrs.sync.producer() or Store.producer()."""

    __slots__ = ()

    @property
    def queue(self) -> str:
        """The name of its queue."""
        return self._inner.queue

    @classmethod
    def new_producer(
        cls, source: Admin | Store, queue: str, hostname: str | None = None, port: int = 0
    ) -> Producer:
        """Another name of pgqrs.sync.producer()."""
        return Producer(pgqrs.Producer.new_producer(inner(source), queue, hostname, port))

    @overload
    def enqueue(
        self,
        payload: Any,
        *,
        dedup_key: None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int: ...

    @overload
    def enqueue(
        self, payload: Any, *, dedup_key: str, dedup_seconds: float | None = None, tx: object = None
    ) -> ProducedId: ...

    def enqueue(
        self,
        payload: Any,
        *,
        dedup_key: str | None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int:
        """Stores one message and returns its id; committed when it returns. With
        dedup_key it is not stored when another message has that key; with tx, it is
        in the caller's transaction: as pgqrs.sync.produce() does."""
        return run(
            self._inner.enqueue(payload, dedup_key=dedup_key, dedup_seconds=dedup_seconds, tx=tx)
        )

    @overload
    def enqueue_delayed(
        self,
        payload: Any,
        delay_seconds: float,
        *,
        dedup_key: None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int: ...

    @overload
    def enqueue_delayed(
        self,
        payload: Any,
        delay_seconds: float,
        *,
        dedup_key: str,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> ProducedId: ...

    def enqueue_delayed(
        self,
        payload: Any,
        delay_seconds: float,
        *,
        dedup_key: str | None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> int:
        """Stores one message that becomes ready that many seconds from now (0 to
        ten years), and returns its id. With dedup_key, as enqueue(). With tx, in the
        caller's transaction; the seconds count from now, not from the commit."""
        return run(
            self._inner.enqueue_delayed(
                payload, delay_seconds, dedup_key=dedup_key, dedup_seconds=dedup_seconds, tx=tx
            )
        )

    @overload
    def enqueue_batch(
        self,
        payloads: Iterable[Any],
        *,
        dedup_keys: None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> builtins.list[int]: ...

    @overload
    def enqueue_batch(
        self,
        payloads: Iterable[Any],
        *,
        dedup_keys: Iterable[str | None],
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> builtins.list[ProducedId]: ...

    def enqueue_batch(
        self,
        payloads: Iterable[Any],
        *,
        dedup_keys: Iterable[str | None] | None = None,
        dedup_seconds: float | None = None,
        tx: object = None,
    ) -> builtins.list[int] | builtins.list[ProducedId]:
        """Stores all of them or none, in one transaction, and returns their ids
        in order. An error names the index of the bad payload. With dedup_keys, one for
        each or None where it has none, those whose key is taken are left out; with tx,
        in the caller's transaction: as pgqrs.sync.produce_batch() does."""
        return cast(
            "builtins.list[int] | builtins.list[ProducedId]",
            run(
                self._inner.enqueue_batch(
                    payloads, dedup_keys=dedup_keys, dedup_seconds=dedup_seconds, tx=tx
                )
            ),
        )

    @property
    def worker_id(self) -> int | None:
        """The id of its row in pgqrs_workers; None before its first use."""
        return self._inner.worker_id

    def status(self) -> WorkerStatus:
        """Its state: docs/state-machine.md draws them all."""
        return run(self._inner.status())

    def suspend(self) -> None:
        """Makes a Consumer fetch nothing, and a Producer refuse to enqueue, until
        resume(). What a Consumer holds it keeps, and can settle.

        StateTransitionError, of all that change the state: it does not allow it."""
        run(self._inner.suspend())

    def resume(self) -> None:
        """Ends a suspension."""
        run(self._inner.resume())

    def interrupt(self) -> None:
        """Ends what polls with it with StateTransitionError, and suspends it. Only a
        worker that is polling can be interrupted."""
        run(self._inner.interrupt())

    def shutdown(self) -> None:
        """Stops it for good. What it holds stays leased until its vt, and can still be
        settled. A second call does nothing."""
        run(self._inner.shutdown())

    def heartbeat(self) -> None:
        """Tells at once that it is alive, which happens by itself every
        Config.heartbeat_interval_seconds. WorkerNotFoundError: its row was purged;
        StateTransitionError: it has stopped."""
        run(self._inner.heartbeat())

    def is_healthy(self, max_age_seconds: float | None = None) -> bool:
        """Whether it has not stopped and was heard of in the last max_age_seconds; None:
        three times Config.heartbeat_interval_seconds. By the server's clock."""
        return run(self._inner.is_healthy(max_age_seconds))


class Consumer(Facade[pgqrs.Consumer[Payload]], Generic[Payload]):
    """Takes messages from one queue and settles them by id. Made by
    pgqrs.sync.consumer() or Store.consumer().

    By id means the newest delivery of that id to this consumer; or else to a
    consume() or consume_iter() of this process on the same queue."""

    __slots__ = ()

    @property
    def queue(self) -> str:
        """The name of its queue."""
        return self._inner.queue

    @classmethod
    def new_consumer(
        cls, source: Admin | Store, queue: str, hostname: str | None = None, port: int = 0
    ) -> Consumer:
        """Another name of pgqrs.sync.consumer()."""
        return Consumer(pgqrs.Consumer.new_consumer(inner(source), queue, hostname, port))

    def dequeue(self, batch_size: int | None = None) -> builtins.list[Message[Payload]]:
        """Leases up to batch_size ready messages (None: Config.default_max_batch_size;
        0: none) for the store's default time, in delivery order. Does not wait: an empty
        list means that none was ready."""
        return [Message(one) for one in run(self._inner.dequeue(batch_size))]

    def dequeue_batch(self, batch_size: int | None = None) -> builtins.list[Message[Payload]]:
        """Another name of dequeue()."""
        return [Message(one) for one in run(self._inner.dequeue_batch(batch_size))]

    def dequeue_many_with_delay(self, limit: int, vt: float) -> builtins.list[Message[Payload]]:
        """Like dequeue(), for vt seconds."""
        return [Message(one) for one in run(self._inner.dequeue_many_with_delay(limit, vt))]

    def consume_batch(self, batch_size: int, handler: BatchHandler) -> None:
        """pgqrs.sync.consume_batch(), of what is leased to this consumer: until it is cancelled,
        the store is closed, or this consumer is interrupted or shut down, which is
        StateTransitionError."""
        run(self._inner.consume_batch(batch_size, handler_of(handler)))

    def extend_vt(self, message_id: int, seconds: float) -> bool:
        """Makes the lease end that many seconds later, and never earlier. False:
        the message is not ours any more."""
        return run(self._inner.extend_vt(message_id, seconds))

    def archive(self, message_id: int, *, tx: object = None) -> bool:
        """Moves it to the archive. False: it is not ours any more. With tx, in the
        caller's transaction, as Message.archive() does."""
        return run(self._inner.archive(message_id, tx=tx))

    def delete(self, message_id: int, *, tx: object = None) -> bool:
        """Removes it without a trace. False: it is not ours any more. With tx, in
        the caller's transaction, as Message.archive() does."""
        return run(self._inner.delete(message_id, tx=tx))

    def archive_batch(
        self, message_ids: Iterable[int], *, tx: object = None
    ) -> builtins.list[bool]:
        """Like archive(), for many: one answer per id, in order."""
        return run(self._inner.archive_batch(message_ids, tx=tx))

    def archive_many(self, message_ids: Iterable[int], *, tx: object = None) -> builtins.list[bool]:
        """Another name of archive_batch()."""
        return run(self._inner.archive_many(message_ids, tx=tx))

    def delete_batch(self, message_ids: Iterable[int], *, tx: object = None) -> builtins.list[bool]:
        """Like delete(), for many: one answer per id, in order."""
        return run(self._inner.delete_batch(message_ids, tx=tx))

    def delete_many(self, message_ids: Iterable[int], *, tx: object = None) -> builtins.list[bool]:
        """Another name of delete_batch()."""
        return run(self._inner.delete_many(message_ids, tx=tx))

    def release_messages(self, message_ids: Iterable[int]) -> int:
        """Gives messages back, ready at once for anyone; how many were still ours."""
        return run(self._inner.release_messages(message_ids))

    def release_with_visibility(self, message_id: int, visible_at: datetime | str) -> bool:
        """Gives a message back, ready at that moment (a datetime with a time zone, or what
        fromisoformat() reads as one) by the clock of this machine, and at once where that
        has passed. False: it is not ours any more."""
        return run(self._inner.release_with_visibility(message_id, visible_at))

    @property
    def worker_id(self) -> int | None:
        """The id of its row in pgqrs_workers; None before its first use."""
        return self._inner.worker_id

    def status(self) -> WorkerStatus:
        """Its state: docs/state-machine.md draws them all."""
        return run(self._inner.status())

    def suspend(self) -> None:
        """Makes a Consumer fetch nothing, and a Producer refuse to enqueue, until
        resume(). What a Consumer holds it keeps, and can settle.

        StateTransitionError, of all that change the state: it does not allow it."""
        run(self._inner.suspend())

    def resume(self) -> None:
        """Ends a suspension."""
        run(self._inner.resume())

    def interrupt(self) -> None:
        """Ends what polls with it with StateTransitionError, and suspends it. Only a
        worker that is polling can be interrupted."""
        run(self._inner.interrupt())

    def shutdown(self) -> None:
        """Stops it for good. What it holds stays leased until its vt, and can still be
        settled. A second call does nothing."""
        run(self._inner.shutdown())

    def heartbeat(self) -> None:
        """Tells at once that it is alive, which happens by itself every
        Config.heartbeat_interval_seconds. WorkerNotFoundError: its row was purged;
        StateTransitionError: it has stopped."""
        run(self._inner.heartbeat())

    def is_healthy(self, max_age_seconds: float | None = None) -> bool:
        """Whether it has not stopped and was heard of in the last max_age_seconds; None:
        three times Config.heartbeat_interval_seconds. By the server's clock."""
        return run(self._inner.is_healthy(max_age_seconds))


class ConsumerIterator(Facade[pgqrs.ConsumerIterator[Payload]], Generic[Payload]):
    """Yields the messages of a queue, one at a time, and never ends by itself.

    What it has fetched and not yielded is given back when the loop over it is
    left, by break, return or an exception, because nothing refers to it then;
    at once by close() or the end of `with`; and by store.close(), which
    ends it normally."""

    __slots__ = ()

    def close(self) -> None:
        """Another name of close()."""
        run(self._inner.close())

    def archive(self, message_id: int) -> bool:
        """Moves a message that it yielded to the archive. False: it is not ours any more.
        msg.archive() does the same, of that very delivery."""
        return run(self._inner.archive(message_id))

    def delete(self, message_id: int) -> bool:
        """Removes a message that it yielded without a trace, likewise."""
        return run(self._inner.delete(message_id))

    def __iter__(self) -> ConsumerIterator[Payload]:
        return self

    def __next__(self) -> Message[Payload]:
        try:
            return Message(run(self._inner.__anext__()))
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> ConsumerIterator[Payload]:
        run(self._inner.__aenter__())
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class DequeueBuilder(Facade[pgqrs.DequeueBuilder]):
    """What dequeue() without arguments returns: says where messages come from, and what
    is done with them; poll() does it.

        pgqrs.sync.dequeue().from_queue("tasks").handle(handler).poll(store)"""

    __slots__ = ()

    def from_queue(self, queue: str) -> DequeueBuilder:
        """From that queue."""
        return DequeueBuilder(self._inner.from_queue(queue))

    def worker(self, consumer: Consumer) -> DequeueBuilder:
        """Leased to that consumer, from its queue: its interrupt(), suspend() and
        shutdown() are about the loop, and it settles by id what is delivered."""
        return DequeueBuilder(self._inner.worker(inner(consumer)))

    def batch(self, size: int) -> DequeueBuilder:
        """At most so many messages for one call of the handler of handle_batch()."""
        return DequeueBuilder(self._inner.batch(size))

    def poll_interval(self, milliseconds: int) -> DequeueBuilder:
        """Taken for the sake of programs of the original: see Store.consume_iter()."""
        return DequeueBuilder(self._inner.poll_interval(milliseconds))

    def handle(self, handler: Handler) -> DequeueBuilder:
        """Calls that with one message, as consume() does."""
        return DequeueBuilder(self._inner.handle(handler_of(handler)))

    def handle_batch(self, handler: BatchHandler) -> DequeueBuilder:
        """Calls that with a list of messages, as consume_batch() does."""
        return DequeueBuilder(self._inner.handle_batch(handler_of(handler)))

    @property
    def queue(self) -> str | None:
        """From which queue; None: not said yet."""
        return self._inner.queue

    @property
    def batch_size(self) -> int:
        """Messages for one call of the handler."""
        return self._inner.batch_size

    @property
    def poll_interval_ms(self) -> int:
        """What poll_interval() said."""
        return self._inner.poll_interval_ms

    def has_worker(self) -> bool:
        """Whether worker() was called."""
        return self._inner.has_worker()

    def poll(self, store: Store) -> None:
        """Handles messages until Ctrl-C, the store is closed, or the worker is
        interrupted or shut down, which is StateTransitionError. A handler that fails ends
        nothing: its messages come again, as with consume()."""
        run(self._inner.poll(inner(store)))


class Queues(Facade[pgqrs.Queues]):
    """The table of queues: what Store.get_queues() and Admin.get_queues() return.

    QueueNotFoundError, of all that name a queue: there is none of that name."""

    __slots__ = ()

    def create(
        self,
        name: str,
        *,
        default_vt: float | None = None,
        max_read_ct: int | None = None,
        retention_seconds: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> QueueInfo:
        """Makes a queue with settings of its own (see QueueSettings);
        QueueAlreadyExistsError when the name is taken."""
        return run(
            self._inner.create(
                name,
                default_vt=default_vt,
                max_read_ct=max_read_ct,
                retention_seconds=retention_seconds,
                retry=retry,
            )
        )

    def get(self, name: str) -> QueueInfo:
        """The queue of that name."""
        return run(self._inner.get(name))

    def list(self) -> builtins.list[QueueInfo]:
        """All queues, by name (by its bytes)."""
        return run(self._inner.list())

    def iterate(self) -> Iterator[QueueInfo]:
        """All queues, by name, fetched in pages: for a database with very many."""
        return iterate(self._inner.iterate())

    def count(self) -> int:
        """How many queues there are."""
        return run(self._inner.count())

    def metrics(self, name: str) -> QueueMetrics:
        """The numbers of a queue."""
        return run(self._inner.metrics(name))

    def list_metrics(self) -> builtins.list[QueueMetrics]:
        """The numbers of each queue, by name."""
        return run(self._inner.list_metrics())

    def settings(self, name: str) -> QueueSettings:
        """The settings of a queue."""
        return run(self._inner.settings(name))

    def update(self, name: str, **settings: Any) -> QueueInfo:
        """Changes the settings that are named (see QueueSettings), and leaves the
        others; None takes one back to its default. Whoever dequeues next follows."""
        return run(self._inner.update(name, **settings))

    def pause(self, name: str) -> QueueInfo:
        """Makes it give no messages until resume(). It takes messages as before, and
        what is leased can be settled; consume() and consume_iter() wait."""
        return run(self._inner.pause(name))

    def resume(self, name: str) -> QueueInfo:
        """Makes a paused queue give messages again, at once."""
        return run(self._inner.resume(name))

    def purge(self, name: str) -> int:
        """Deletes every message that is not archived or dead, leased ones included;
        how many there were."""
        return run(self._inner.purge(name))

    def delete(self, name: str, force: bool = False) -> bool:
        """Deletes a queue and its workers, and returns True. With messages, archived
        and dead ones included, only by force; else ValidationError."""
        return run(self._inner.delete(name, force))


class Messages(Facade[pgqrs.Messages]):
    """The table of live messages, what Store.get_messages() and Admin.get_messages()
    return. To look leases nothing; to settle by id needs no lease.

    QueueNotFoundError, of all that name a queue: there is none of that name."""

    __slots__ = ()

    def get(self, message_id: int) -> MessageInfo:
        """The message of that id; MessageNotFoundError where there is none, or it is not
        alive any more."""
        return run(self._inner.get(message_id))

    def delete(self, message_id: int, *, force: bool = False) -> None:
        """Deletes a live message by its id, without a trace: cancels it, where it is ready
        or delayed. One that is leased is StateTransitionError, since somebody may be working
        on it; with force it is deleted all the same, and its holder settles nothing
        afterwards. MessageNotFoundError: there is no such message, or it is not alive."""
        run(self._inner.delete(message_id, force=force))

    def release(self, message_id: int) -> None:
        """Makes a live message ready now, by its id: one that is delayed, or leased to whom
        ever, who settles nothing afterwards. What is ready stays as it is.
        MessageNotFoundError: there is no such message, or it is not alive."""
        run(self._inner.release(message_id))

    def list(
        self, queue: str | None = None, state: MessageState | str | None = None
    ) -> builtins.list[MessageInfo]:
        """All messages, by id; of one queue or, where none is named, queue by queue; in
        one state or, where none is named, in any."""
        return run(self._inner.list(queue, state))

    def iterate(
        self, queue: str | None = None, state: MessageState | str | None = None
    ) -> Iterator[MessageInfo]:
        """The same, fetched in pages: for a queue with very many. What is produced,
        settled or leased meanwhile may be among them or not."""
        return iterate(self._inner.iterate(queue, state))

    def count(self, queue: str | None = None, state: MessageState | str | None = None) -> int:
        """How many there are, in all queues or one, in any state or one. What it costs
        does not grow with their number."""
        return run(self._inner.count(queue, state))


class Workers(Facade[pgqrs.Workers]):
    """The table of workers: what Store.get_workers() and Admin.get_workers() return.

    WorkerNotFoundError, of all that name a worker: there is none of that id.
    StateTransitionError, of all that change its state: it is in a state that does not
    allow it. A worker of another process follows at its next heartbeat."""

    __slots__ = ()

    def list(
        self, queue: str | None = None, status: WorkerStatus | str | None = None
    ) -> builtins.list[WorkerInfo]:
        """All workers, the newest first; of one queue, or in one state."""
        return run(self._inner.list(queue, status))

    def iterate(
        self, queue: str | None = None, status: WorkerStatus | str | None = None
    ) -> Iterator[WorkerInfo]:
        """The same, fetched in pages: for a database with very many."""
        return iterate(self._inner.iterate(queue, status))

    def get(self, worker_id: int) -> WorkerInfo:
        """The worker of that id."""
        return run(self._inner.get(worker_id))

    def count(self, queue: str | None = None) -> int:
        """How many rows of workers there are, those that have stopped included."""
        return run(self._inner.count(queue))

    def health_stats(
        self, timeout_seconds: float = 60, *, queue: str | None = None
    ) -> WorkerHealth:
        """How many workers are in which state, and how many are stale: not stopped, and
        not heard of for timeout_seconds."""
        return run(self._inner.health_stats(timeout_seconds, queue=queue))

    def health_by_queue(self, timeout_seconds: float = 60) -> builtins.list[WorkerHealth]:
        """The same for each queue that has workers, ordered by its id."""
        return run(self._inner.health_by_queue(timeout_seconds))

    def leases(self, queue: str | None = None) -> builtins.list[WorkerLeases]:
        """What workers hold, those that hold anything, from one queue or from all: one for
        each worker and queue. It reads no messages."""
        return run(self._inner.leases(queue))

    def suspend(self, worker_id: int) -> WorkerInfo:
        """Makes it fetch, or produce, nothing until resume(). What it holds it keeps."""
        return run(self._inner.suspend(worker_id))

    def resume(self, worker_id: int) -> WorkerInfo:
        """Ends a suspension."""
        return run(self._inner.resume(worker_id))

    def interrupt(self, worker_id: int) -> WorkerInfo:
        """Ends its consume() and consume_iter() with StateTransitionError, and suspends
        it. Only a worker that is polling can be interrupted."""
        return run(self._inner.interrupt(worker_id))

    def shutdown(self, worker_id: int) -> WorkerInfo:
        """Stops it for good. What it holds it can still settle."""
        return run(self._inner.shutdown(worker_id))

    def release_messages(self, worker_id: int) -> int:
        """Makes ready at once what is leased to it; how many messages that were, 0 where
        there is no such worker. It cannot settle them any more."""
        return run(self._inner.release_messages(worker_id))

    def purge_stale(self, older_than: float) -> int:
        """Deletes the rows of workers that stopped, or were not heard of, that many
        seconds ago or more; how many. Messages go on naming them."""
        return run(self._inner.purge_stale(older_than))


class Archive(Facade[pgqrs.Archive]):
    """The archive and the dead letters: what Store.get_archive() and Admin.get_archive()
    return.

    The filters are the same everywhere: queue, by its name; outcome, "archived" or
    "dead"; worker_id, of the worker to which they were leased last; since and until, in
    datetimes with a time zone, the moment at which they were archived or became dead,
    from since on, before until. None: all.

    MessageNotFoundError, of what names a message: there is none of that id that is done.
    QueueNotFoundError: there is no such queue."""

    __slots__ = ()

    def list(
        self,
        queue: str | None = None,
        outcome: Outcome | str | None = None,
        *,
        worker_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: ArchivedMessage | None = None,
    ) -> builtins.list[ArchivedMessage]:
        """At most limit messages, 1 to 1000, the latest first: those behind `after`, which
        is the last of the page before."""
        return run(
            self._inner.list(
                queue,
                outcome,
                worker_id=worker_id,
                since=since,
                until=until,
                limit=limit,
                after=after,
            )
        )

    def iterate(
        self,
        queue: str | None = None,
        outcome: Outcome | str | None = None,
        *,
        worker_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[ArchivedMessage]:
        """All of them, fetched in pages."""
        return iterate(
            self._inner.iterate(queue, outcome, worker_id=worker_id, since=since, until=until)
        )

    def count(
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
        return run(self._inner.count(queue, outcome, worker_id=worker_id, since=since, until=until))

    def get(self, message_id: int) -> ArchivedMessage:
        """The message of that id."""
        return run(self._inner.get(message_id))

    def history(self, message_id: int) -> builtins.list[Attempt]:
        """The deliveries of a message, a live one too, the first one first: what became of
        each. Of those that did not end in the archive the newest 100 are kept."""
        return run(self._inner.history(message_id))

    def replay(self, message_id: int) -> None:
        """Makes a message ready again, under its id and with a read_ct of 0. Its history
        stays."""
        run(self._inner.replay(message_id))

    def replay_all(
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
        return run(
            self._inner.replay_all(
                queue,
                outcome,
                worker_id=worker_id,
                since=since,
                until=until,
                limit=limit,
                per_second=per_second,
            )
        )

    def delete(self, message_id: int) -> None:
        """Deletes a message, with its history."""
        run(self._inner.delete(message_id))

    def purge(self, older_than: float, queue: str | None = None) -> int:
        """Deletes what was archived, or became dead, at least older_than seconds ago, of
        one queue or of all; how many. It works in pieces and keeps nobody waiting."""
        return run(self._inner.purge(older_than, queue))

    def list_by_worker(
        self, worker_id: int, limit: int = 100, offset: int = 0
    ) -> builtins.list[ArchivedMessage]:
        """What was last leased to a worker, the latest first, without the first `offset`;
        list() with `after` is faster for later pages."""
        return run(self._inner.list_by_worker(worker_id, limit, offset))

    def count_by_worker(self, worker_id: int) -> int:
        """How many messages were last leased to a worker."""
        return run(self._inner.count_by_worker(worker_id))

    def dlq_count(self, queue: str | None = None) -> int:
        """How many messages are dead."""
        return run(self._inner.dlq_count(queue))


class Store(Facade[pgqrs.Store]):
    """What connect() returns; everything else takes it as its first argument.

    Any thread may use it. close() it, or use it
    with `with`; one that is merely dropped is closed then, silently when
    nothing was in flight."""

    __slots__ = ()

    @property
    def config(self) -> Config:
        """The options with which it was connected."""
        return self._inner.config

    def producer(self, queue: str, hostname: str | None = None, port: int = 0) -> Producer:
        """A Producer on that queue, registered as a worker."""
        return Producer(run(self._inner.producer(queue, hostname, port)))

    @overload
    def consumer(
        self, queue: str, hostname: str | None = None, port: int = 0, *, payload_type: None = None
    ) -> Consumer: ...

    @overload
    def consumer(
        self, queue: str, hostname: str | None = None, port: int = 0, *, payload_type: type[Payload]
    ) -> Consumer[Payload]: ...

    def consumer(
        self,
        queue: str,
        hostname: str | None = None,
        port: int = 0,
        *,
        payload_type: type[Any] | None = None,
    ) -> Consumer:
        """A Consumer on that queue, registered as a worker."""
        return Consumer(run(self._inner.consumer(queue, hostname, port, payload_type=payload_type)))

    @overload
    def consume_iter(
        self,
        queue: str,
        poll_interval_ms: int | None = None,
        *,
        batch_size: int | None = None,
        vt: float | None = None,
        payload_type: None = None,
    ) -> ConsumerIterator: ...

    @overload
    def consume_iter(
        self,
        queue: str,
        poll_interval_ms: int | None = None,
        *,
        batch_size: int | None = None,
        vt: float | None = None,
        payload_type: type[Payload],
    ) -> ConsumerIterator[Payload]: ...

    def consume_iter(
        self,
        queue: str,
        poll_interval_ms: int | None = None,
        *,
        batch_size: int | None = None,
        vt: float | None = None,
        payload_type: type[Any] | None = None,
    ) -> ConsumerIterator:
        """consume_iter() of this store. poll_interval_ms is taken for the sake of programs
        of the original: who waits is woken when a message is there, and the time between
        polls, where that is not possible, finds itself."""
        return ConsumerIterator(
            self._inner.consume_iter(
                queue, poll_interval_ms, batch_size=batch_size, vt=vt, payload_type=payload_type
            )
        )

    def queue(self, name: str) -> QueueInfo:
        """Makes a queue; QueueAlreadyExistsError when the name is taken."""
        return run(self._inner.queue(name))

    def get_queues(self) -> Queues:
        """The table of queues."""
        return Queues(run(self._inner.get_queues()))

    def get_messages(self) -> Messages:
        """The table of live messages."""
        return Messages(run(self._inner.get_messages()))

    def get_workers(self) -> Workers:
        """The table of workers."""
        return Workers(run(self._inner.get_workers()))

    def get_archive(self) -> Archive:
        """The archive and the dead letters."""
        return Archive(run(self._inner.get_archive()))

    def bootstrap(self) -> None:
        """Admin.install(): makes the tables, which connecting has done already unless
        auto_install is off."""
        run(self._inner.bootstrap())

    def close(self) -> None:
        """Ends it: consume() ends as if cancelled, but normally, its handlers
        having the time of its shutdown_timeout; consume_iter() ends normally;
        every other operation in flight ends with PgqrsConnectionError. What was
        leased and not delivered is given back. A second call does nothing."""
        run(self._inner.close())

    def __enter__(self) -> Store:
        run(self._inner.__aenter__())
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Admin(Facade[pgqrs.Admin]):
    """What admin() returns: a Store, or the DSN of one that is connected at the first of
    something that needs it. A store that it connected itself is closed with it."""

    __slots__ = ()

    def get_messages(self) -> Messages:
        """The table of live messages."""
        return Messages(run(self._inner.get_messages()))

    def close(self) -> None:
        """Closes the store that it connected; one that it was given stays open."""
        run(self._inner.close())

    def install(self) -> None:
        """Makes the tables, or brings them to the version of this library; again, it
        does nothing. Connecting does so too, unless auto_install is off."""
        run(self._inner.install())

    def grant_roles(
        self,
        *,
        owner: str | None = None,
        producers: Sequence[str] = (),
        consumers: Sequence[str] = (),
        viewers: Sequence[str] = (),
    ) -> None:
        """Gives roles of the database, which exist, exactly the rights that their kind of
        work needs, all or nothing; what they had before on the tables of pgqrs they lose.
        docs/security.md says what each may do. For the user who owns the tables, or a
        superuser, and again after an upgrade. ConfigError: there is no such role, or not
        the right to do it."""
        run(
            self._inner.grant_roles(
                owner=owner, producers=producers, consumers=consumers, viewers=viewers
            )
        )

    def verify(self) -> None:
        """Returns when the tables, columns, indexes and functions are as this library
        made them; what others have added is not looked at. ConfigError names what is
        missing or different, and says so where nothing is installed. Installs nothing."""
        run(self._inner.verify())

    def uninstall(self) -> None:
        """Removes the tables with every queue and message, and nothing else; the schema
        itself stays. Stores that are connected are of no use afterwards."""
        run(self._inner.uninstall())

    def get_queues(self) -> Queues:
        """The table of queues."""
        return Queues(run(self._inner.get_queues()))

    def create_queue(
        self,
        name: str,
        *,
        default_vt: float | None = None,
        max_read_ct: int | None = None,
        retention_seconds: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> QueueInfo:
        """Queues.create(): QueueAlreadyExistsError when the name is taken."""
        return run(
            self._inner.create_queue(
                name,
                default_vt=default_vt,
                max_read_ct=max_read_ct,
                retention_seconds=retention_seconds,
                retry=retry,
            )
        )

    def delete_queue(self, name: str, force: bool = False) -> bool:
        """Queues.delete(): with messages only by force."""
        return run(self._inner.delete_queue(name, force))

    def purge_queue(self, name: str) -> int:
        """Queues.purge(): deletes every live message, and says how many."""
        return run(self._inner.purge_queue(name))

    def pause_queue(self, name: str) -> QueueInfo:
        """Queues.pause(): it gives no messages until resume_queue()."""
        return run(self._inner.pause_queue(name))

    def resume_queue(self, name: str) -> QueueInfo:
        """Queues.resume()."""
        return run(self._inner.resume_queue(name))

    def queue_settings(self, name: str) -> QueueSettings:
        """Queues.settings()."""
        return run(self._inner.queue_settings(name))

    def update_queue(self, name: str, **settings: Any) -> QueueInfo:
        """Queues.update(): changes the settings that are named."""
        return run(self._inner.update_queue(name, **settings))

    def get_workers(self) -> Workers:
        """The table of workers."""
        return Workers(run(self._inner.get_workers()))

    def release_worker_messages(self, worker_id: int) -> int:
        """Workers.release_messages(): makes ready at once what is leased to it."""
        return run(self._inner.release_worker_messages(worker_id))

    def reclaim_messages(self, queue: str, older_than: float = 60) -> int:
        """Makes ready at once what is leased from a queue to workers that have not
        stopped and were not heard of for older_than seconds; how many messages. It need
        not be called: each comes again when its vt has passed."""
        return run(self._inner.reclaim_messages(queue, older_than))

    def get_archive(self) -> Archive:
        """The archive and the dead letters."""
        return Archive(run(self._inner.get_archive()))

    def dlq(self, queue: str | None = None, limit: int = 1000) -> builtins.list[ArchivedMessage]:
        """The dead letters, of one queue or of all, the latest first: at most limit, 1 to
        1000. Archive.iterate() gives all."""
        return run(self._inner.dlq(queue, limit))

    def replay_message(self, message_id: int) -> None:
        """Archive.replay(): makes a done message ready again."""
        run(self._inner.replay_message(message_id))

    def replay_dlq(
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
        return run(
            self._inner.replay_dlq(
                queue,
                worker_id=worker_id,
                since=since,
                until=until,
                limit=limit,
                per_second=per_second,
            )
        )

    def purge_archive(self, older_than: float, queue: str | None = None) -> int:
        """Archive.purge(): deletes what was done with at least older_than seconds ago."""
        return run(self._inner.purge_archive(older_than, queue))

    def queue_metrics(self, name: str) -> QueueMetrics:
        """The numbers of one queue; QueueNotFoundError where there is none."""
        return run(self._inner.queue_metrics(name))

    def all_queues_metrics(self) -> builtins.list[QueueMetrics]:
        """The numbers of each queue, by name."""
        return run(self._inner.all_queues_metrics())

    def system_stats(self) -> SystemStats:
        """The numbers of all queues together."""
        return run(self._inner.system_stats())

    def __enter__(self) -> Admin:
        run(self._inner.__aenter__())
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
