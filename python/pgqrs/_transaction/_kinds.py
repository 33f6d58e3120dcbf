"""Which driver an object is of, told by the modules of its classes: nothing is
imported that the program has not imported itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._errors import ValidationError
from ._protocol import Transaction

ACCEPTED = (
    "an asyncpg connection, a psycopg 3 Connection or AsyncConnection, a SQLAlchemy 2 Session, "
    "Connection, AsyncSession or AsyncConnection, or a Django database connection"
)


def _asyncpg(connection: Any) -> Transaction:
    from ._asyncpg import AsyncpgTransaction

    return AsyncpgTransaction(connection)


def _psycopg(connection: Any) -> Transaction:
    from ._psycopg import PsycopgTransaction

    return PsycopgTransaction(connection)


def _psycopg_async(connection: Any) -> Transaction:
    from ._psycopg import AsyncPsycopgTransaction

    return AsyncPsycopgTransaction(connection)


def _sqlalchemy(owner: Any) -> Transaction:
    from ._sqlalchemy import SqlalchemyTransaction

    return SqlalchemyTransaction(owner, not hasattr(owner, "exec_driver_sql"))


def _sqlalchemy_async(owner: Any) -> Transaction:
    from ._sqlalchemy import AsyncSqlalchemyTransaction

    return AsyncSqlalchemyTransaction(owner, not hasattr(owner, "exec_driver_sql"))


def _sqlalchemy_scoped(registry: Any) -> Transaction:
    return adopt(registry())  # the session of this scope


def _django(connection: Any) -> Transaction:
    from ._django import DjangoTransaction

    return DjangoTransaction(connection, is_proxy=not hasattr(type(connection), "vendor"))


KINDS: dict[tuple[str, str], Callable[[Any], Transaction]] = {
    ("asyncpg", "Connection"): _asyncpg,
    ("asyncpg", "PoolConnectionProxy"): _asyncpg,
    ("psycopg", "Connection"): _psycopg,
    ("psycopg", "AsyncConnection"): _psycopg_async,
    ("sqlalchemy", "Connection"): _sqlalchemy,
    ("sqlalchemy", "Session"): _sqlalchemy,
    ("sqlalchemy", "scoped_session"): _sqlalchemy_scoped,
    ("sqlalchemy", "AsyncConnection"): _sqlalchemy_async,
    ("sqlalchemy", "AsyncSession"): _sqlalchemy_async,
    ("sqlalchemy", "async_scoped_session"): _sqlalchemy_scoped,
    ("django", "BaseDatabaseWrapper"): _django,
    ("django", "ConnectionProxy"): _django,
}
"""By the package and the name of a class, or of one that it is derived from."""


def adopt(tx: object) -> Transaction:
    """The transaction on what a caller passed as tx. ValidationError: it is none."""
    for kind in type(tx).__mro__:
        make = KINDS.get((kind.__module__.partition(".")[0], kind.__name__))
        if make is not None:
            return make(tx)
    raise ValidationError(f"tx must be {ACCEPTED}; not {type(tx).__module__}.{type(tx).__name__}")
