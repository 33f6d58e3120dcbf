"""What Producer and Consumer have in common: a worker's row in the database,
made on first use."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, ClassVar

from . import _types
from ._errors import ValidationError
from ._link import Link

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
