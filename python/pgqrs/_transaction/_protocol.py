"""What a connection of any driver looks like from here."""

from __future__ import annotations

from typing import ClassVar, Protocol

from ._call import Call


class Transaction(Protocol):
    """A transaction of the caller, on whatever connection."""

    blocks: ClassVar[bool]
    """Whether the connection blocks; else it belongs to an event loop."""

    async def check(self) -> None:
        """Raises ValidationError when it cannot be one: there is no transaction on
        the connection, or it is not to PostgreSQL."""

    async def run(self, call: Call) -> str:
        """Runs the call and returns its one text. Errors are the driver's own."""
        ...
