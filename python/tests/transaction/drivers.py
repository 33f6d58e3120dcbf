"""The same transaction through every library that tx= knows.

A driver opens a transaction that the test ends: `tx` is what a program passes, and
what is done to it goes through the library as a program would do it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import django
import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from sqlalchemy import create_engine, pool, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

SCHEMA = 'odd "schema" %s :x %(y)s $1 ö'


class Open:
    """An open transaction."""

    tx: Any

    async def execute(self, statement: str) -> list[Any]:
        """Runs a statement without parameters, and returns the rows as tuples."""
        raise NotImplementedError

    async def commit(self) -> None:
        await self.execute("commit")

    async def rollback(self) -> None:
        await self.execute("rollback")


def _url(dsn: str, dialect: str) -> str:
    return urlsplit(dsn)._replace(scheme=f"postgresql+{dialect}", query="").geturl()


# ---- asyncpg ----


class _Asyncpg(Open):
    def __init__(self, connection: Any) -> None:
        self.tx = connection
        self._transaction = connection.transaction()

    async def execute(self, statement: str) -> list[Any]:
        return [tuple(row) for row in await self.tx.fetch(statement)]

    async def commit(self) -> None:
        await self._transaction.commit()

    async def rollback(self) -> None:
        await self._transaction.rollback()


async def _spoil(connection: Any) -> None:
    """A program's own codecs for JSON, which must not see what is ours."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=lambda value: 1 / 0, decoder=lambda value: 1 / 0, schema="pg_catalog"
        )


@asynccontextmanager
async def asyncpg_connection(dsn: str) -> AsyncIterator[Open]:
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    try:
        await _spoil(connection)
        opened = _Asyncpg(connection)
        await opened._transaction.start()
        yield opened
    finally:
        await connection.close()


@asynccontextmanager
async def asyncpg_pool(dsn: str) -> AsyncIterator[Open]:
    async with (
        asyncpg.create_pool(dsn, min_size=1, max_size=1, statement_cache_size=0) as made,
        made.acquire() as connection,
    ):
        opened = _Asyncpg(connection)
        await opened._transaction.start()
        yield opened
        if connection.is_in_transaction():
            await opened.rollback()


# ---- psycopg ----


class _Shouting(psycopg.adapt.Dumper):
    """An adapter of a program's own, which must not see what is ours."""

    def dump(self, obj: Any) -> bytes:
        raise AssertionError("the program's adapter was asked")


class _Psycopg(Open):
    def __init__(self, connection: Any) -> None:
        self.tx = connection
        connection.adapters.register_dumper(str, _Shouting)
        connection.row_factory = psycopg.rows.dict_row
        connection.cursor_factory = psycopg.RawCursor

    async def execute(self, statement: str) -> list[Any]:
        cursor = self.tx.execute(statement)
        return [tuple(row.values()) for row in cursor.fetchall()] if cursor.description else []


class _AsyncPsycopg(_Psycopg):
    async def execute(self, statement: str) -> list[Any]:
        cursor = await self.tx.execute(statement)
        if not cursor.description:
            return []
        return [tuple(row.values()) for row in await cursor.fetchall()]


@asynccontextmanager
async def psycopg_connection(dsn: str) -> AsyncIterator[Open]:
    with psycopg.connect(dsn, prepare_threshold=None) as connection:
        yield _Psycopg(connection)
        connection.rollback()


@asynccontextmanager
async def psycopg_async(dsn: str) -> AsyncIterator[Open]:
    async with await psycopg.AsyncConnection.connect(dsn, prepare_threshold=None) as connection:
        opened = _AsyncPsycopg(connection)
        opened.tx.cursor_factory = psycopg.AsyncRawCursor
        yield opened
        await connection.rollback()


# ---- SQLAlchemy ----


class _Sqlalchemy(Open):
    def __init__(self, owner: Any) -> None:
        self.tx = owner

    async def execute(self, statement: str) -> list[Any]:
        result = self.tx.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []

    async def commit(self) -> None:
        self.tx.commit()

    async def rollback(self) -> None:
        self.tx.rollback()


class _AsyncSqlalchemy(_Sqlalchemy):
    async def execute(self, statement: str) -> list[Any]:
        result = await self.tx.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []

    async def commit(self) -> None:
        await self.tx.commit()

    async def rollback(self) -> None:
        await self.tx.rollback()


UNPREPARED = {
    "asyncpg": {"ssl": False, "statement_cache_size": 0, "prepared_statement_cache_size": 0},
    "psycopg": {"sslmode": "disable", "prepare_threshold": None},
}


def _engine(make: Callable[..., Any], dsn: str, dialect: str) -> Any:
    arguments = UNPREPARED[dialect]
    return make(_url(dsn, dialect), poolclass=pool.NullPool, connect_args=arguments)


@asynccontextmanager
async def sqlalchemy_connection(dsn: str) -> AsyncIterator[Open]:
    with _engine(create_engine, dsn, "psycopg").connect() as connection:
        yield _Sqlalchemy(connection)


@asynccontextmanager
async def sqlalchemy_session(dsn: str) -> AsyncIterator[Open]:
    with Session(_engine(create_engine, dsn, "psycopg")) as session:
        yield _Sqlalchemy(session)


@asynccontextmanager
async def sqlalchemy_scoped_session(dsn: str) -> AsyncIterator[Open]:
    sessions = scoped_session(sessionmaker(_engine(create_engine, dsn, "psycopg")))
    yield _Sqlalchemy(sessions)
    sessions.remove()


@asynccontextmanager
async def sqlalchemy_async_connection(dsn: str) -> AsyncIterator[Open]:
    async with _engine(create_async_engine, dsn, "asyncpg").connect() as connection:
        yield _AsyncSqlalchemy(connection)


@asynccontextmanager
async def sqlalchemy_async_session(dsn: str) -> AsyncIterator[Open]:
    async with AsyncSession(_engine(create_async_engine, dsn, "psycopg")) as session:
        yield _AsyncSqlalchemy(session)


@asynccontextmanager
async def sqlalchemy_asyncpg_session(dsn: str) -> AsyncIterator[Open]:
    async with AsyncSession(_engine(create_async_engine, dsn, "asyncpg")) as session:
        yield _AsyncSqlalchemy(session)


# ---- Django ----


def configure_django() -> None:
    """Once a process; the database is that of configure_database."""
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}})
        django.setup()


def _configure_database(dsn: str) -> None:
    from django.db import connections

    parts = urlsplit(dsn)
    connections["default"].settings_dict.update(
        NAME=parts.path.removeprefix("/"),
        USER=parts.username,
        HOST=parts.hostname,
        PORT=parts.port,
        DISABLE_SERVER_SIDE_CURSORS=True,
    )


class _Django(Open):
    """As in an async view: what is synchronous is in sync_to_async."""

    def __init__(self) -> None:
        from django.db import connection, transaction

        self.tx = connection
        self._atomic = transaction.atomic()

    async def _do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await sync_to_async(function, thread_sensitive=True)(*arguments)

    def _execute(self, statement: str) -> list[Any]:
        with self.tx.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    async def execute(self, statement: str) -> list[Any]:
        rows: list[Any] = await self._do(self._execute, statement)
        return rows

    async def commit(self) -> None:
        await self._do(self._atomic.__exit__, None, None, None)

    async def rollback(self) -> None:
        error = RuntimeError("roll back")
        await self._do(self._atomic.__exit__, RuntimeError, error, None)


@asynccontextmanager
async def django_connection(dsn: str) -> AsyncIterator[Open]:
    opened = _Django()
    await opened._do(_configure_database, dsn)
    await opened._do(opened._atomic.__enter__)
    try:
        yield opened
    finally:
        await opened._do(lambda: opened.tx.close() if not opened.tx.in_atomic_block else None)
        await opened._do(_close_django)


def _close_django() -> None:
    from django.db import connection

    if connection.in_atomic_block:  # the test has not ended it
        connection.in_atomic_block = False
        connection.needs_rollback = False
        connection.savepoint_ids.clear()
        connection.atomic_blocks.clear()
    connection.close()


@asynccontextmanager
async def django_other_thread(dsn: str) -> AsyncIterator[Open]:
    """As in a thread of a WSGI server: the coroutine runs in another one."""
    from django.db import connections

    class Thread(_Django):
        def __init__(self) -> None:
            super().__init__()
            self.tx = connections["default"]

    made: list[Thread] = []

    def make() -> None:
        _configure_database(dsn)
        made.append(Thread())
        made[0].tx.inc_thread_sharing()  # for the test, which stands for its thread
        made[0].tx.ensure_connection()
        made[0].tx.set_autocommit(False)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    opened = made[0]
    opened.commit = lambda: opened._do(opened.tx.commit)  # type: ignore[method-assign]
    opened.rollback = lambda: opened._do(opened.tx.rollback)  # type: ignore[method-assign]
    try:
        yield opened
    finally:
        await opened._do(opened.tx.close)


DRIVERS = [
    asyncpg_connection,
    asyncpg_pool,
    psycopg_connection,
    psycopg_async,
    sqlalchemy_connection,
    sqlalchemy_session,
    sqlalchemy_scoped_session,
    sqlalchemy_async_connection,
    sqlalchemy_async_session,
    sqlalchemy_asyncpg_session,
    django_connection,
    django_other_thread,
]
