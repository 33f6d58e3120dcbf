"""The database of the shop: what app.py and worker.py have in common."""

from __future__ import annotations

import os

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

QUEUE = "orders"
DSN = os.environ["PGQRS_DSN"]

TABLES = (
    "create table if not exists stock (item text primary key, pieces int check (pieces >= 0))",
    "create table if not exists orders (id bigint generated always as identity primary key,"
    " item text not null references stock, pieces int not null, packed_by text)",
    "insert into stock values ('tea', 1000), ('coffee', 1000) on conflict do nothing",
)


def database() -> AsyncEngine:
    """The same database as that of the store: only so can both be one transaction."""
    return create_async_engine(make_url(DSN).set(drivername="postgresql+psycopg"))


async def make_tables(engine: AsyncEngine) -> None:
    """Make the tables where they are missing. Programs that start together take turns."""
    async with engine.begin() as connection:
        await connection.execute(text("select pg_advisory_xact_lock(hashtext('shop'))"))
        for statement in TABLES:
            await connection.execute(text(statement))
