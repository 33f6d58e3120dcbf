"""What Producer and Consumer have in common: a worker's row in the database,
made on first use."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from . import _types
from ._errors import ValidationError, WorkerNotFoundError
from ._link import Link
from ._worker_info import WorkerInfo, WorkerStatus

if TYPE_CHECKING:
    from ._admin import Admin
    from ._store import Store


class Worker:
    """One worker of one queue; registered on its first use."""

    _role: ClassVar[int]

    def __init__(
        self, source: Admin | Store, queue: str, hostname: str | None = None, port: int = 0
    ) -> None:
        from ._admin import Admin
        from ._store import Store

        if not isinstance(source, Admin | Store):
            raise ValidationError(
                f"the first argument must be an Admin or a Store, not {type(source).__name__}"
            )
        self._source = source
        self._name = _types.queue_name(queue)
        self._hostname = _types.text(
            socket.gethostname() if hostname is None else hostname, "hostname"
        )
        self._port = _types.integer(port, "port", 0, 65535)
        self._link: Link | None = None
        self._worker_id = 0
        self._registering = asyncio.Lock()
        self.queue = queue
        """The name of its queue."""

    @property
    def worker_id(self) -> int | None:
        """The id of its row in pgqrs_workers; None before its first use."""
        return self._worker_id or None

    async def status(self) -> WorkerStatus:
        """Its state: docs/state-machine.md draws them all."""
        return (await self._row("worker_get")).status

    async def suspend(self) -> None:
        """Makes a Consumer fetch nothing, and a Producer refuse to enqueue, until
        resume(). What a Consumer holds it keeps, and can settle.

        StateTransitionError, of all that change the state: it does not allow it."""
        await self._row("worker_suspend")

    async def resume(self) -> None:
        """Ends a suspension."""
        await self._row("worker_resume")

    async def interrupt(self) -> None:
        """Ends what polls with it with StateTransitionError, and suspends it. Only a
        worker that is polling can be interrupted."""
        await self._row("worker_interrupt")

    async def shutdown(self) -> None:
        """Stops it for good. What it holds stays leased until its vt, and can still be
        settled. A second call does nothing."""
        await self._row("worker_stop")

    async def heartbeat(self) -> None:
        """Tells at once that it is alive, which happens by itself every
        Config.heartbeat_interval_seconds. WorkerNotFoundError: its row was purged;
        StateTransitionError: it has stopped."""
        await self._ask("worker_beat")

    async def is_healthy(self, max_age_seconds: float | None = None) -> bool:
        """Whether it has not stopped and was heard of in the last max_age_seconds; None:
        three times Config.heartbeat_interval_seconds. By the server's clock."""
        try:
            worker = await self._row("worker_get")
        except WorkerNotFoundError:
            return False
        if max_age_seconds is None:
            config = (await self._source._connected()).config
            max_age_seconds = 3 * config.heartbeat_interval_seconds
        most = timedelta(microseconds=_types.age_us(max_age_seconds, "max_age_seconds"))
        return worker.status is not WorkerStatus.STOPPED and worker.heartbeat_age <= most

    async def _row(self, request: str) -> WorkerInfo:
        return WorkerInfo._of(await self._ask(request))

    async def _ask(self, request: str) -> Any:
        link = await self._registered()
        return await link.request(request, worker_id=self._worker_id)

    async def _registered(self) -> Link:
        """The link of the store, once there is a row for this worker."""
        if self._link is not None:
            return self._link
        async with self._registering:
            if self._link is None:
                store = await self._source._connected()
                answer = await store._link.call(
                    store._link.native.register, self._role, self._name, self._hostname, self._port
                )
                self._worker_id = answer["worker_id"]
                self._link = store._link
        return self._link

    def __repr__(self) -> str:
        return f"<pgqrs.{type(self).__name__} queue={self.queue!r} worker_id={self.worker_id}>"
