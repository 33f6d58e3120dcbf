"""SQLAlchemy 2: a Session or a Connection, an AsyncSession or an AsyncConnection.

The statement goes to the driver as it is, in the driver's own style: text() would
take colons for parameters, and the ORM has nothing to add.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .._errors import ValidationError
from .._threads import in_thread
from ._call import Call, Style

STYLES = {
    "numeric_dollar": Style.NUMERIC,
    "format": Style.FORMAT,
    "pyformat": Style.FORMAT,
}


def _check(connection: Any) -> None:
    """Of a Connection."""
    dialect = connection.dialect
    if dialect.name != "postgresql" or dialect.paramstyle not in STYLES:
        raise ValidationError(
            f"tx leads to {dialect.name} by the driver {dialect.driver}: it must lead to the "
            "PostgreSQL database of the store, by asyncpg or psycopg"
        )
    level = connection.get_execution_options().get("isolation_level")
    if level is None:
        level = getattr(dialect, "_on_connect_isolation_level", None)
    if level == "AUTOCOMMIT":
        raise ValidationError(
            "tx is in isolation level AUTOCOMMIT, where each statement commits by itself: use a "
            "connection or a session of another isolation level"
        )


def _run(connection: Any, call: Call) -> str:
    """On a Connection."""
    style = STYLES[connection.dialect.paramstyle]
    text: str = connection.exec_driver_sql(call.sql(style), call.arguments).scalar_one()
    return text


def _of_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of a Session, which begins a transaction where it has none."""
    return lambda session, *arguments: function(session.connection(), *arguments)


_FUNCTIONS = {False: (_check, _run), True: (_of_session(_check), _of_session(_run))}


class SqlalchemyTransaction:
    """The transaction of a Session or a Connection, which block."""

    blocks: ClassVar[bool] = True

    def __init__(self, owner: Any, is_session: bool) -> None:
        self._owner = owner
        self._check, self._run = _FUNCTIONS[is_session]

    async def check(self) -> None:
        await in_thread(self._check, self._owner)

    async def run(self, call: Call) -> str:
        return await in_thread(self._run, self._owner, call)


class AsyncSqlalchemyTransaction:
    """The transaction of an AsyncSession or an AsyncConnection."""

    blocks: ClassVar[bool] = False

    def __init__(self, owner: Any, is_session: bool) -> None:
        self._owner = owner
        self._check, self._run = _FUNCTIONS[is_session]

    async def check(self) -> None:
        await self._owner.run_sync(self._check)

    async def run(self, call: Call) -> str:
        text: str = await self._owner.run_sync(self._run, call)
        return text
