"""What tx= refuses, and says why."""

from __future__ import annotations

import asyncpg
import psycopg
import pytest
from drivers import SCHEMA, UNPREPARED, _configure_database, _url, django_connection
from sqlalchemy import create_engine, pool
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def refused(store: pgqrs.Store, tx: object, text: str) -> None:
    producer = await store.producer("refused")
    for call in (
        lambda: pgqrs.produce(store, "refused", 1, tx=tx),
        lambda: pgqrs.produce_batch(store, "refused", [], tx=tx),
        lambda: producer.enqueue(1, tx=tx),
    ):
        with pytest.raises(pgqrs.ValidationError, match=text):
            await call()


async def test_what_is_no_connection_is_refused_with_a_list_of_what_is(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        for tx in ("postgresql://", 1, store, object, psycopg):
            await refused(store, tx, "asyncpg.*psycopg.*SQLAlchemy.*Django")


async def test_a_connection_without_a_transaction_is_refused_with_what_to_do(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        connection = await asyncpg.connect(place)
        await refused(store, connection, r"async with connection\.transaction")
        await connection.close()
        with psycopg.connect(place, autocommit=True) as connection:
            await refused(store, connection, r"`with connection\.transaction")
            with connection.transaction():
                await pgqrs.produce(store, "taken", 1, tx=connection)
        async with await psycopg.AsyncConnection.connect(place, autocommit=True) as connection:
            await refused(store, connection, r"async with connection\.transaction")
            async with connection.transaction():
                await pgqrs.produce(store, "taken", 1, tx=connection)
        for level in ({"isolation_level": "AUTOCOMMIT"}, {}):
            engine = create_engine(_url(place, "psycopg"), poolclass=pool.NullPool, **level)
            with engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                await refused(store, connection, "AUTOCOMMIT")
            if level:
                with Session(engine) as session:
                    await refused(store, session, "AUTOCOMMIT")
        engine = create_async_engine(
            _url(place, "asyncpg"),
            poolclass=pool.NullPool,
            connect_args=UNPREPARED["asyncpg"],
            isolation_level="AUTOCOMMIT",
        )
        async with engine.connect() as connection:
            await refused(store, connection, "AUTOCOMMIT")


async def test_a_django_connection_outside_of_atomic_is_refused(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store, django_connection(place) as opened:
        await opened.rollback()
        await opened._do(_configure_database, place)
        await refused(store, opened.tx, r"transaction\.atomic")


async def test_another_kind_of_database_is_refused(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        with create_engine("sqlite://").connect() as connection:
            await refused(store, connection, "sqlite")


async def test_a_store_in_memory_has_no_transactions(place):
    async with pgqrs.connect("memory://") as store:
        with psycopg.connect(place) as connection:
            await refused(store, connection, "memory://")


async def test_a_suspended_producer_does_not_produce_in_a_transaction_either(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        producer = await store.producer("suspended")
        await producer.suspend()
        connection = await asyncpg.connect(place)
        async with connection.transaction():
            with pytest.raises(pgqrs.StateTransitionError, match="is suspended"):
                await producer.enqueue(1, tx=connection)
            await producer.resume()
            await producer.enqueue(2, tx=connection)
        await connection.close()
        waiting = await (await store.get_messages()).list("suspended")
        assert [message.payload for message in waiting] == [2]
