"""Admin: a store that connects at its first use."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import TracebackType

from ._archive_admin import ArchiveAdmin
from ._config import Config
from ._messages import Messages
from ._metrics import MetricsAdmin
from ._queue_admin import QueueAdmin
from ._schema import SchemaAdmin
from ._store import Store, open_store
from ._worker_admin import WorkerAdmin


class Admin(SchemaAdmin, QueueAdmin, WorkerAdmin, ArchiveAdmin, MetricsAdmin):
    """What admin() returns: a Store, or the DSN of one that is connected, and
    bound to the running event loop, at the first await of something that needs
    it. A store that it connected itself is closed with it."""

    def __init__(self, dsn_or_store: str | Store | None) -> None:
        self._store: Store | None = None
        self._config: Config | None = None
        if isinstance(dsn_or_store, Store):
            self._store = dsn_or_store
        else:
            self._config = Config.load(dsn=dsn_or_store or None)
        self._connecting = asyncio.Lock()

    async def get_messages(self) -> Messages:
        """The table of live messages."""
        return Messages(self)

    async def _connected(self, *, auto_install: bool = True) -> Store:
        if self._store is not None:
            return self._store
        async with self._connecting:
            if self._store is None:
                assert self._config is not None
                config = self._config
                if not auto_install:
                    config = replace(config, auto_install=False)
                self._store = await open_store(config)
        return self._store

    async def close(self) -> None:
        """Closes the store that it connected; one that it was given stays open."""
        if self._config is not None and self._store is not None:
            await self._store.close()

    async def __aenter__(self) -> Admin:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<pgqrs.Admin {'not connected' if self._store is None else self._store!r}>"
