"""docs/transactions.md and docs/sql.md, as they are printed."""

from __future__ import annotations

import psycopg
import pytest
from asgiref.sync import sync_to_async
from drivers import _configure_database, _engine
from fix_page import blocks, run
from fix_store import Database
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

import pgqrs

SNIPPETS = blocks("transactions.md", "python")
ORDERS = "create table if not exists orders (id bigint)"


def close_django() -> None:
    from django.db import connection

    connection.close()


def test_every_library_has_a_snippet():
    for name in ("asyncpg", "psycopg", "AsyncSession", "engine.begin", "async_to_sync", "archive"):
        assert any(name in snippet for snippet in SNIPPETS), name


@pytest.mark.loops("plain")
async def test_the_snippets_store_a_row_and_its_message_together(place):
    database = Database(place)
    database.execute(ORDERS)
    await sync_to_async(_configure_database)(place)
    async with pgqrs.connect(place, schema="snippets") as store:
        for snippet in SNIPPETS:
            await run(
                snippet,
                {
                    "pgqrs": pgqrs,
                    "store": store,
                    "dsn": place,
                    "engine": _engine(create_engine, place, "psycopg"),
                    "async_engine": _engine(create_async_engine, place, "asyncpg"),
                },
            )
            view = "pgqrs_archive" if "archive" in snippet else "pgqrs_messages"
            assert database.rows(f"select payload from snippets.{view}") == [({"order": 7},)], (
                snippet
            )
            assert database.rows("delete from orders returning id") == [(7,)], snippet
            await pgqrs.consume(store, "emails", lambda message: True, until_empty=True)
            database.execute("delete from snippets.pgqrs_log")
    await sync_to_async(close_django)()


@pytest.mark.loops("plain")
async def test_the_sql_does_what_it_says(dsn):
    async with pgqrs.connect(dsn) as store:
        statements = blocks("sql.md", "sql")
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in statements[:-1]:
                connection.execute(statement.encode())
            (row,) = connection.execute(statements[-1].encode()).fetchall()
        assert (row[0], row[2], row[3]) == ("emails", {"order": 7}, False)
        consumer = await store.consumer("tasks")
        assert [message.payload["task"] for message in await consumer.dequeue()] == [1, 3, 4, 5, 6]
