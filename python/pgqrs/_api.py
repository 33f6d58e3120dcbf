"""The functions of pgqrs: thin, over the classes."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any, overload

from . import _codec, _dedup, _keyed, _transaction, _types
from ._admin import Admin
from ._config import Config
from ._consume import Run
from ._consume_batch import BatchRun
from ._consumer import Consumer
from ._dedup import ProducedId
from ._errors import ValidationError
from ._failure import Retry
from ._iterate import ConsumerIterator, iterate
from ._native import StreamOptions
from ._payload_type import Payload
from ._producer import Producer
from ._store import Store, open_store


class Connecting(Coroutine[Any, Any, Store]):
    """What connect() returns: await it for a Store, or use it with `async with`,
    which closes the store at its end."""

    def __init__(self, opening: Coroutine[Any, Any, Store]) -> None:
        self._opening = opening
        self._store: Store | None = None

    def __await__(self) -> Generator[Any, Any, Store]:
        return self._opening.__await__()

    def send(self, value: Any) -> Any:
        return self._opening.send(value)

    def throw(self, *error: Any) -> Any:
        return self._opening.throw(*error)

    def close(self) -> None:
        self._opening.close()

    async def __aenter__(self) -> Store:
        self._store = await self._opening
        return self._store

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._store is not None
        await self._store.close()


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
) -> Connecting:
    """Connects to the database of `dsn`, and installs or upgrades the tables where that
    is needed:

        store = await pgqrs.connect("postgresql://localhost/mydb")

        async with pgqrs.connect() as store: ...

    The options are those of Config, and what is not given comes from the environment:
    see Config.load(). ConfigError: one of them, or the DSN, is wrong.
    PgqrsConnectionError: the server was not reached within connection_timeout_seconds.
    """
    return Connecting(_connect(locals()))


async def _connect(options: dict[str, Any]) -> Store:
    return await open_store(Config.load(**options))


def connect_with(config: Config) -> Connecting:
    """Like connect(), with the options in an object."""
    if not isinstance(config, Config):
        raise ValidationError(f"config must be a Config, not {type(config).__name__}")
    return Connecting(open_store(config))


def admin(dsn_or_store: str | Store | None) -> Admin:
    """An Admin over a store, or over a DSN (None: that of PGQRS_DSN) that is
    connected at the first await."""
    return Admin(dsn_or_store)


def producer(source: Admin | Store, queue: str, hostname: str, port: int) -> Producer:
    """A Producer on that queue. It registers its worker, under that host name and
    port, on first use."""
    return Producer(source, queue, hostname, port)


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
    return Consumer(source, queue, hostname, port, payload_type=payload_type)


@overload
async def produce(
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
async def produce(
    store: Store,
    queue: str,
    payload: Any,
    *,
    delay_seconds: float = 0,
    dedup_key: str,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> ProducedId: ...


async def produce(
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
    when it rolls back. docs/transactions.md tells which libraries are known.
    """
    link = _open(store)._link
    name = _types.queue_name(queue)
    delay_us = _types.delay_us(delay_seconds)
    text = _codec.encode(payload)
    if dedup_key is not None or dedup_seconds is not None:
        claims = _dedup.claim(dedup_key, dedup_seconds)
        return (await _keyed.produce(link, tx, name, [text], claims, delay_us, batch=False))[0]
    if tx is not None:
        return (await _transaction.produce(link, tx, name, [text], delay_us, batch=False))[0]
    number: int = await link.produce(link.native.produce, name, text, delay_us, 0)
    return number


@overload
async def produce_batch(
    store: Store,
    queue: str,
    payloads: Iterable[Any],
    *,
    delay_seconds: float = 0,
    dedup_keys: None = None,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> list[int]: ...


@overload
async def produce_batch(
    store: Store,
    queue: str,
    payloads: Iterable[Any],
    *,
    delay_seconds: float = 0,
    dedup_keys: Iterable[str | None],
    dedup_seconds: float | None = None,
    tx: object = None,
) -> list[ProducedId]: ...


async def produce_batch(
    store: Store,
    queue: str,
    payloads: Iterable[Any],
    *,
    delay_seconds: float = 0,
    dedup_keys: Iterable[str | None] | None = None,
    dedup_seconds: float | None = None,
    tx: object = None,
) -> list[int] | list[ProducedId]:
    """Stores all payloads or none, in one transaction, and returns their ids in
    order. An error names the index of the bad payload. With dedup_keys, one for each
    payload or None where it has none, those whose key is taken are left out, and with
    tx it is done in the caller's transaction, as produce() does."""
    link = _open(store)._link
    name = _types.queue_name(queue)
    delay_us = _types.delay_us(delay_seconds)
    if dedup_keys is not None or dedup_seconds is not None:
        texts = await _codec.encode_all(payloads)
        claims = _dedup.claims(dedup_keys, dedup_seconds, len(texts))
        return await _keyed.produce(link, tx, name, texts, claims, delay_us, batch=True)
    if tx is not None:
        texts = await _codec.encode_all(payloads)
        return await _transaction.produce(link, tx, name, texts, delay_us, batch=True)
    array = await _codec.encode_array(payloads)
    if array == b"[]":
        return []
    ids: list[int] = await link.produce(link.native.produce_array, name, array, delay_us, 0)
    return ids


async def consume(
    store: Store,
    queue: str,
    handler: _types.Handler,
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
    """Calls `handler(msg)`, or `handler(msg, consumer)`, for each message, until it
    is cancelled, the store is closed or, with until_empty, the queue is empty.

    True or None archives the message. After False, or an exception, which is
    logged and kept in the message's history, it comes again: when `retry` says, a
    RetryPolicy or a function of the message and the exception that gives seconds;
    else by the policy of the queue; else vt seconds after that moment. After its
    last delivery (max_read_ct) it is dead. Any other value is logged as an error
    and counts as False. A plain function runs in a thread.

    Up to `concurrency` handlers run at once. While one runs its message is kept,
    unless auto_extend is False. When consume() ends, running handlers have
    shutdown_timeout seconds to end, and all that was done is committed; then
    those that still run are cancelled. With handle_signals SIGINT and SIGTERM end
    it normally, and a second one ends it at once.

    With payload_type, a dataclass, a msgspec struct, a pydantic model or a type made
    of those, the payload of a message is one. A message whose payload does not fit has
    failed, without a call of the handler.
    """
    await _run(
        Run,
        _open(store),
        queue,
        handler,
        _types.batch_size(batch_size),
        vt=vt,
        concurrency=concurrency,
        auto_extend=auto_extend,
        until_empty=until_empty,
        retry=retry,
        shutdown_timeout=shutdown_timeout,
        handle_signals=handle_signals,
        payload_type=payload_type,
    )


async def consume_batch(
    store: Store,
    queue: str,
    batch_size: int,
    handler: _types.BatchHandler,
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
    False for the rest. `retry`, a function, is asked about each.
    """
    await _run(
        BatchRun,
        _open(store),
        queue,
        handler,
        _types.integer(batch_size, "batch_size", 1, _types.MAX_BATCH_SIZE),
        vt=vt,
        concurrency=concurrency,
        auto_extend=auto_extend,
        until_empty=until_empty,
        retry=retry,
        shutdown_timeout=shutdown_timeout,
        handle_signals=handle_signals,
        payload_type=payload_type,
    )


async def _run(
    kind: type[Run],
    store: Store,
    queue: str,
    handler: _types.Handler,
    batch_size: int,
    *,
    vt: float | None,
    concurrency: int,
    auto_extend: bool,
    until_empty: bool,
    retry: Retry | None,
    shutdown_timeout: float,
    handle_signals: bool,
    payload_type: type[Any] | None,
) -> None:
    """What consume() and consume_batch() have in common."""
    options = StreamOptions(
        batch_size=batch_size,
        keep_delivered=_types.boolean(auto_extend, "auto_extend"),
        vt_us=_types.vt_us(vt),
        until_empty=_types.boolean(until_empty, "until_empty"),
    )
    run = kind(
        store,
        queue,
        handler,
        options,
        concurrency=_types.integer(concurrency, "concurrency", 1, 10_000),
        retry=retry,
        shutdown_timeout=_types.seconds(shutdown_timeout, "shutdown_timeout", 0, 7 * _types.DAY),
        handle_signals=_types.boolean(handle_signals, "handle_signals"),
        consumer=Consumer(store, queue, payload_type=payload_type),
    )
    await run.run()


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
    """The messages of a queue, one at a time, for `async for`; never ends by itself.

    What is fetched and not yet yielded is kept; what was yielded is not: vt is
    the time to work. What was not yielded is given back when the loop is left.

    With payload_type, a dataclass, a msgspec struct, a pydantic model or a type made
    of those, the payload of a message is one, and SerializationError when it does not fit.
    """
    return iterate(_check_store(store), queue, batch_size, vt, payload_type)


def _check_store(store: Store) -> Store:
    if not isinstance(store, Store):
        raise ValidationError(f"the first argument must be a Store, not {type(store).__name__}")
    return store


def _open(store: Store) -> Store:
    _check_store(store)._check_open()
    return store
