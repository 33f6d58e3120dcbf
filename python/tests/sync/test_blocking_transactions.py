"""tx= of pgqrs.sync, whose statements run in the thread that called; and
docs/blocking.md, as it is printed."""

from __future__ import annotations

import contextlib
import threading
from typing import Any
from urllib.parse import urlsplit

import django
import psycopg
import pytest
from django.conf import settings
from fix_page import blocks
from fix_store import Database
from sqlalchemy import create_engine, pool, text
from sqlalchemy.orm import scoped_session, sessionmaker

import pgqrs
from pgqrs import sync

LIVE = "select payload from pgqrs_messages order by id"


def engine_of(dsn: str) -> Any:
    url = urlsplit(dsn)._replace(scheme="postgresql+psycopg", query="").geturl()
    return create_engine(url, poolclass=pool.NullPool)


@contextlib.contextmanager
def django_on(dsn: str) -> Any:
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}})
        django.setup()
    from django.db import connection

    parts = urlsplit(dsn)
    connection.settings_dict.update(
        NAME=parts.path.removeprefix("/"),
        USER=parts.username,
        HOST=parts.hostname,
        PORT=parts.port,
    )
    try:
        yield connection
    finally:
        connection.close()


def test_a_psycopg_connection_takes_the_message_along(dsn, database: Database):
    with sync.connect(dsn) as store:
        with psycopg.connect(dsn) as connection:
            number = sync.produce(store, "tasks", "committed", tx=connection)
            assert database.rows(LIVE) == []
        assert database.rows(LIVE) == [("committed",)]
        with contextlib.suppress(ZeroDivisionError), psycopg.connect(dsn) as connection:
            sync.produce_batch(store, "tasks", ["gone", "too"], tx=connection)
            raise ZeroDivisionError
        assert database.rows(LIVE) == [("committed",)]

        def handler(message: sync.Message) -> None:
            with psycopg.connect(dsn) as connection:
                assert message.archive(tx=connection)

        sync.consume(store, "tasks", handler, until_empty=True)
        assert store.get_archive().get(number).payload == "committed"


def test_a_scoped_session_and_a_django_connection_are_those_of_the_thread(dsn):
    here, used = threading.get_ident(), []
    engine = engine_of(dsn)
    session = scoped_session(sessionmaker(engine))
    with sync.connect(dsn) as store, django_on(dsn) as connection:
        session.execute(text("select 1"))
        sync.produce(store, "tasks", 1, tx=session)
        session.commit()
        session.remove()
        from django.db import transaction

        def wrapper(execute: Any, *arguments: Any) -> Any:
            used.append(threading.get_ident())
            return execute(*arguments)

        with (
            contextlib.suppress(ZeroDivisionError),
            transaction.atomic(),
            connection.execute_wrapper(wrapper),
        ):
            sync.produce(store, "tasks", "gone", tx=connection)
            raise ZeroDivisionError
        with transaction.atomic(), connection.execute_wrapper(wrapper):
            sync.produce(store, "tasks", 2, tx=connection)
        with pytest.raises(pgqrs.ValidationError, match="atomic"):
            sync.produce(store, "tasks", 3, tx=connection)
        assert set(used) == {here}
        assert [m.payload for m in store.consumer("tasks").dequeue(10)] == [1, 2]


def test_what_needs_an_event_loop_is_refused(dsn):
    with sync.connect(dsn) as store:
        connection = type("Connection", (), {"__module__": "asyncpg.connection"})()
        with pytest.raises(
            pgqrs.ValidationError, match=r"asyncpg\.\w+\.Connection, which needs asyncio"
        ):
            sync.produce(store, "tasks", 1, tx=connection)
        with pytest.raises(pgqrs.ValidationError, match="tx must be"):
            sync.produce(store, "tasks", 1, tx="nonsense")


def test_the_page_does_what_it_says(dsn, database: Database, capsys):
    database.execute("create table orders (id bigint)")
    snippets = blocks("blocking.md", "python")
    names = {"pgqrs": pgqrs, "dsn": dsn, "engine": engine_of(dsn)}
    with django_on(dsn):
        for snippet in snippets:
            exec(compile(snippet, "docs/blocking.md", "exec"), names)
    assert capsys.readouterr().out.split("to ")[1:] == [
        f"{name}@example.com\n" for name in ("ann", "bob", "eve", "ann")
    ]
    assert database.rows(LIVE) == [({"order": number},) for number in (7, 7, 8, 9)]
    assert database.rows("select id from orders") == [(7,), (8,), (9,)]
