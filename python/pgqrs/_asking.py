"""Asking: what a Store and an Admin have in common, so that the handles of tables
and the parts of Admin take either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._store import Store


class Asking:
    """Something that leads to a connected store."""

    async def _connected(self, *, auto_install: bool = True) -> Store:
        """The store; connected by this, where it is not yet, without installing
        anything unless auto_install is set."""
        raise NotImplementedError

    async def _request(self, name: str, /, **arguments: Any) -> Any:
        """The answer to a request of docs/abi.md."""
        store = await self._connected()
        store._check_open()
        return await store._link.request(name, **arguments)
