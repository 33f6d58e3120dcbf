"""psycopg 3: a Connection or an AsyncConnection.

The cursor is one of our own: the connection's may have another class, other rows
and other adapters than we can read.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .._errors import ValidationError
from .._threads import in_thread
from ._call import Call, Style


def _check(connection: Any) -> None:
    from psycopg.pq import TransactionStatus

    # Without autocommit the first statement begins a transaction: ours may be it.
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    if connection.autocommit and idle:
        asynchronous = "async " if type(connection).__name__.startswith("Async") else ""
        raise ValidationError(
            "tx is a psycopg connection in autocommit mode without a transaction, where each "
            f"statement commits by itself: call this inside `{asynchronous}with "
            "connection.transaction():`"
        )


def _plain(cursor: Any) -> Any:
    """The cursor, with psycopg's own adapters for the one type that we use."""
    from psycopg.types.string import StrDumper, TextLoader

    cursor.adapters.register_dumper(str, StrDumper)
    cursor.adapters.register_loader("text", TextLoader)
    return cursor


class PsycopgTransaction:
    """A transaction on a psycopg Connection, which blocks."""

    blocks: ClassVar[bool] = True

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def check(self) -> None:
        _check(self._connection)

    async def run(self, call: Call) -> str:
        return await in_thread(self._run, call)

    def _run(self, call: Call) -> str:
        from psycopg import Cursor
        from psycopg.rows import tuple_row

        with _plain(Cursor(self._connection, row_factory=tuple_row)) as cursor:
            cursor.execute(call.sql(Style.FORMAT), call.arguments)
            text: str = cursor.fetchone()[0]
        return text


class AsyncPsycopgTransaction:
    """A transaction on a psycopg AsyncConnection."""

    blocks: ClassVar[bool] = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def check(self) -> None:
        _check(self._connection)

    async def run(self, call: Call) -> str:
        from psycopg import AsyncCursor
        from psycopg.rows import tuple_row

        async with _plain(AsyncCursor(self._connection, row_factory=tuple_row)) as cursor:
            await cursor.execute(call.sql(Style.FORMAT), call.arguments)
            text: str = (await cursor.fetchone())[0]
        return text
