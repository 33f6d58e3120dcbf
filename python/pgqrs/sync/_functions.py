"""The functions of pgqrs.sync.

Written by scripts/make_sync.py (`make sync`); do not edit.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from typing import Any, cast, overload

import pgqrs
from pgqrs import (
    Config,
    ProducedId,
)
from pgqrs._payload_type import Payload

from ._classes import (
    Admin,
    Consumer,
    ConsumerIterator,
    DequeueBuilder,
    Message,
    Producer,
    Store,
)
from ._facade import BatchHandler, Handler, Retry, handler_of, inner, retry_of
from ._loop import run


def admin(dsn_or_store: str | Store | None) -> Admin:
    """An Admin over a store, or over a DSN (None: that of PGQRS_DSN) that is
    connected at its first use."""
    return Admin(pgqrs.admin(inner(dsn_or_store)))


def archive(consumer: Consumer, message: Message | int) -> bool:
    """consumer.archive(id), of a message or its id."""
    return run(pgqrs.archive(inner(consumer), inner(message)))


def archive_batch(consumer: Consumer, messages: Iterable[Message | int]) -> bool:
    """Archives messages, given as such or by their ids. True: all of them; False: some
    are not ours any more, and consumer.archive_batch(ids) would tell which."""
    return run(pgqrs.archive_batch(inner(consumer), map(inner, messages)))


def connect(
    dsn: str | None = None,
    *,
    schema: str | None = None,
    max_connections: int | None = None,
    auto_install: bool | None = None,
    auto_create_queues: bool | None = None,
    connection_timeout_seconds: float | None = None,
    answer_timeout_seconds: float | None = None,
    default_lock_time_seconds: float | None = None,
    default_max_batch_size: int | None = None,
    max_read_ct: int | None = None,
    max_lease_seconds: float | None = None,
    heartbeat_interval_seconds: float | None = None,
    max_payload_size_bytes: int | None = None,
    max_pending_bytes: int | None = None,
    produce_timeout_seconds: float | None = None,
    max_prefetch_bytes: int | None = None,
    max_string_length: int | None = None,
    max_object_depth: int | None = None,
    forbidden_keys: Sequence[str] | None = None,
    required_keys: Sequence[str] | None = None,
    max_enqueue_per_second: float | None = None,
    max_enqueue_burst: int | None = None,
    rate_limit_waits: bool | None = None,
) -> Store:
    """Connects to the database of `dsn`, and installs or upgrades the tables where that
    is needed:

        store = pgqrs.sync.connect("postgresql://localhost/mydb")

        with pgqrs.sync.connect() as store: ...

    The options are those of Config, and what is not given comes from the environment:
    see Config.load(). ConfigError: one of them, or the DSN, is wrong.
    PgqrsConnectionError: the server was not reached within connection_timeout_seconds."""
    return Store(
        run(
            pgqrs.connect(
                dsn,
                schema=schema,
                max_connections=max_connections,
                auto_install=auto_install,
                auto_create_queues=auto_create_queues,
                connection_timeout_seconds=connection_timeout_seconds,
                answer_timeout_seconds=answer_timeout_seconds,
                default_lock_time_seconds=default_lock_time_seconds,
                default_max_batch_size=default_max_batch_size,
                max_read_ct=max_read_ct,
                max_lease_seconds=max_lease_seconds,
                heartbeat_interval_seconds=heartbeat_interval_seconds,
                max_payload_size_bytes=max_payload_size_bytes,
                max_pending_bytes=max_pending_bytes,
                produce_timeout_seconds=produce_timeout_seconds,
                max_prefetch_bytes=max_prefetch_bytes,
                max_string_length=max_string_length,
                max_object_depth=max_object_depth,
                forbidden_keys=forbidden_keys,
                required_keys=required_keys,
                max_enqueue_per_second=max_enqueue_per_second,
                max_enqueue_burst=max_enqueue_burst,
                rate_limit_waits=rate_limit_waits,
            )
        )
    )


def connect_with(config: Config) -> Store:
    """Like connect(), with the options in an object."""
    return Store(run(pgqrs.connect_with(config)))


def consume(
    store: Store,
    queue: str,
    handler: Handler,
    *,
    batch_size: int | None = None,
    vt: float | None = None,
    concurrency: int = 1,
    auto_extend: bool = True,
    until_empty: bool = False,
    retry: Retry | None = None,
    shutdown_timeout: float = 30,
    handle_signals: bool = False,
    payload_type: type[Any] | None = None,
) -> None:
    """Calls `handler(msg)`, or `handler(msg, consumer)`, for each message, until Ctrl-C, the
    store is closed or, with until_empty, the queue is empty.

    True or None archives the message. After False, or an exception, which is
    logged and kept in the message's history, it comes again: when `retry` says, a
    RetryPolicy or a function of the message and the exception that gives seconds;
    else by the policy of the queue; else vt seconds after that moment. After its
    last delivery (max_read_ct) it is dead. Any other value is logged as an error
    and counts as False. It runs in the thread that called.

    Up to `concurrency` handlers run at once, in threads of their own if not 1. While one
    runs its message is kept, unless auto_extend is False. When consume() ends, running
    handlers have shutdown_timeout seconds to end, and all that was done is committed;
    then those that still run are cancelled. With handle_signals SIGINT and SIGTERM end it
    normally, and a second one ends it at once.

    With payload_type, a dataclass, a msgspec struct, a pydantic model or a type made
    of those, the payload of a message is one. A message whose payload does not fit has
    failed, without a call of the handler."""
    run(
        pgqrs.consume(
            inner(store),
            queue,
            handler_of(handler),
            batch_size=batch_size,
            vt=vt,
            concurrency=concurrency,
            auto_extend=auto_extend,
            until_empty=until_empty,
            retry=retry_of(retry),
            shutdown_timeout=shutdown_timeout,
            handle_signals=False,
            payload_type=payload_type,
        ),
        handle_signals=handle_signals,
    )


def consume_batch(
    store: Store,
    queue: str,
    batch_size: int,
    handler: BatchHandler,
    *,
    vt: float | None = None,
    concurrency: int = 1,
    auto_extend: bool = True,
    until_empty: bool = False,
    retry: Retry | None = None,
    shutdown_timeout: float = 30,
    handle_signals: bool = False,
    payload_type: type[Any] | None = None,
) -> None:
    """Like consume(), with a handler that is called with a list of messages: with as
    many as are there, at least one and at most batch_size. It does not wait for a batch
    to fill.

    True or None archives them all. After False or an exception all have failed, but for
    those that the handler has settled itself: it may archive() the good ones, and return
    False for the rest. `retry`, a function, is asked about each."""
    run(
        pgqrs.consume_batch(
            inner(store),
            queue,
            batch_size,
            handler_of(handler),
            vt=vt,
            concurrency=concurrency,
            auto_extend=auto_extend,
            until_empty=until_empty,
            retry=retry_of(retry),
            shutdown_timeout=shutdown_timeout,
            handle_signals=False,
            payload_type=payload_type,
        ),
        handle_signals=handle_signals,
    )


@overload
def consume_iter(
    store: Store,
    queue: str,
    *,
    batch_size: int | None = None,
    vt: float | None = None,
    payload_type: None = None,
) -> ConsumerIterator: ...


@overload
def consume_iter(
    store: Store,
    queue: str,
    *,
    batch_size: int | None = None,
    vt: float | None = None,
    payload_type: type[Payload],
) -> ConsumerIterator[Payload]: ...


def consume_iter(
    store: Store,
    queue: str,
    *,
    batch_size: int | None = None,
    vt: float | None = None,
    payload_type: type[Any] | None = None,
) -> ConsumerIterator:
    """The messages of a queue, one at a time, for `for`; never ends by itself.

    What is fetched and not yet yielded is kept; what was yielded is not: vt is
    the time to work. What was not yielded is given back when the loop is left.

    With payload_type, a dataclass, a msgspec struct, a pydantic model or a type made
    of those, the payload of a message is one, and SerializationError when it does not fit."""
    return ConsumerIterator(
        pgqrs.consume_iter(
            inner(store), queue, batch_size=batch_size, vt=vt, payload_type=payload_type
        )
    )


@overload
def consumer(
    source: Admin | Store, queue: str, hostname: str, port: int, *, payload_type: None = None
) -> Consumer: ...


@overload
def consumer(
    source: Admin | Store, queue: str, hostname: str, port: int, *, payload_type: type[Payload]
) -> Consumer[Payload]: ...


def consumer(
    source: Admin | Store,
    queue: str,
    hostname: str,
    port: int,
    *,
    payload_type: type[Any] | None = None,
) -> Consumer:
    """A Consumer on that queue. It registers its worker, under that host name and
    port, on first use. With payload_type the payloads of what it dequeues are of that
    type, as consume_iter() has them."""
    return Consumer(pgqrs.consumer(inner(source), queue, hostname, port, payload_type=payload_type))


def delete(consumer: Consumer, message: Message | int) -> bool:
    """consumer.delete(id), of a message or its id."""
    return run(pgqrs.delete(inner(consumer), inner(message)))


def enqueue(producer: Producer, payload: Any) -> int:
    """producer.enqueue(payload)."""
    return run(pgqrs.enqueue(inner(producer), payload))


def enqueue_batch(producer: Producer, payloads: Iterable[Any]) -> builtins.list[int]:
    """producer.enqueue_batch(payloads)."""
    return run(pgqrs.enqueue_batch(inner(producer), payloads))


def enqueue_delayed(producer: Producer, payload: Any, delay_seconds: float) -> int:
    """producer.enqueue_delayed(payload, delay_seconds)."""
    return run(pgqrs.enqueue_delayed(inner(producer), payload, delay_seconds))


def extend_vt(consumer: Consumer, message: Message | int, seconds: float) -> bool:
    """consumer.extend_vt(id, seconds), of a message or its id."""
    return run(pgqrs.extend_vt(inner(consumer), inner(message), seconds))


@overload
def produce(
    store: Store,
    queue: str,
    payload: Any,
    *,
    delay_seconds: float = 0,
    dedup_key: None = None,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> int: ...


@overload
def produce(
    store: Store,
    queue: str,
    payload: Any,
    *,
    delay_seconds: float = 0,
    dedup_key: str,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> ProducedId: ...


def produce(
    store: Store,
    queue: str,
    payload: Any,
    *,
    delay_seconds: float = 0,
    dedup_key: str | None = None,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> int:
    """Stores one message and returns its id; it is committed then. The queue is
    made on first use. Calls that are in flight together are stored together, each
    with its own id or its own error.

    The payload is what JSON can hold: dict, list, str, int, float, bool, None; or a
    dataclass, a msgspec struct or a pydantic model, which is stored as its fields.

    With dedup_key, 1 to 255 characters, it is not stored when another message of the
    queue has that key: the id of that one comes back, and its `deduplicated` is True.
    A key is taken as long as its message lives (until it is archived, deleted or
    dead), or, with dedup_seconds, for that time from now whatever becomes of it. Where
    a transaction (tx) that has taken the key stays open this waits for its end, at most
    connection_timeout_seconds: TimeoutError.

    With tx, a connection or session of the caller to the same database, it is
    stored in the transaction that is open there: visible when that commits, gone
    when it rolls back. docs/transactions.md tells which libraries are known."""
    return run(
        pgqrs.produce(
            inner(store),
            queue,
            payload,
            delay_seconds=delay_seconds,
            dedup_key=dedup_key,
            dedup_seconds=dedup_seconds,
            tx=tx,
        )
    )


@overload
def produce_batch(
    store: Store,
    queue: str,
    payloads: Iterable[Any],
    *,
    delay_seconds: float = 0,
    dedup_keys: None = None,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> builtins.list[int]: ...


@overload
def produce_batch(
    store: Store,
    queue: str,
    payloads: Iterable[Any],
    *,
    delay_seconds: float = 0,
    dedup_keys: Iterable[str | None],
    dedup_seconds: float | None = None,
    tx: object = None,
) -> builtins.list[ProducedId]: ...


def produce_batch(
    store: Store,
    queue: str,
    payloads: Iterable[Any],
    *,
    delay_seconds: float = 0,
    dedup_keys: Iterable[str | None] | None = None,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> builtins.list[int] | builtins.list[ProducedId]:
    """Stores all payloads or none, in one transaction, and returns their ids in
    order. An error names the index of the bad payload. With dedup_keys, one for each
    payload or None where it has none, those whose key is taken are left out, and with
    tx it is done in the caller's transaction, as produce() does."""
    return cast(
        "builtins.list[int] | builtins.list[ProducedId]",
        run(
            pgqrs.produce_batch(
                inner(store),
                queue,
                payloads,
                delay_seconds=delay_seconds,
                dedup_keys=dedup_keys,
                dedup_seconds=dedup_seconds,
                tx=tx,
            )
        ),
    )


def producer(source: Admin | Store, queue: str, hostname: str, port: int) -> Producer:
    """A Producer on that queue. It registers its worker, under that host name and
    port, on first use."""
    return Producer(pgqrs.producer(inner(source), queue, hostname, port))


def schema_sql(schema: str = "public", from_version: int = 0) -> str:
    """The SQL that makes the tables in a schema, or upgrades them from that version, in
    one transaction: for those who run such things themselves. Needs no database."""
    return run(pgqrs.schema_sql(schema, from_version))


@overload
def dequeue() -> DequeueBuilder: ...


@overload
def dequeue(
    consumer: Consumer[Payload], batch_size: int | None = None
) -> list[Message[Payload]]: ...


def dequeue(
    consumer: Consumer | None = None, batch_size: int | None = None
) -> DequeueBuilder | list[Message]:
    """`dequeue(consumer, batch_size)` is consumer.dequeue(batch_size). Without
    arguments: the builder of a loop."""
    if consumer is None:
        return DequeueBuilder(pgqrs.dequeue())
    return consumer.dequeue(batch_size)
