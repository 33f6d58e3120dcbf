"""Where the tests keep their queues, and how they look into them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

import pgqrs


@pytest.fixture
def memory_dsn() -> str:
    """A fresh in-process store."""
    return f"memory://{secrets.token_hex(6)}"


@pytest.fixture(params=["memory", "postgresql"])
def any_dsn(request: pytest.FixtureRequest) -> str:
    """Both kinds of store, one after the other."""
    name = "memory_dsn" if request.param == "memory" else "dsn"
    found: str = request.getfixturevalue(name)
    return found


class Database:
    """Looks at the tables as a user would, with SQL."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def value(self, query: str, *values: object) -> Any:
        return self.rows(query, *values)[0][0]

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def database(dsn: str) -> Database:
    """The test's PostgreSQL database."""
    return Database(dsn)


async def until(
    condition: Callable[[], bool | Awaitable[bool]], what: str = "it", seconds: float = 20
) -> None:
    """Polls until the condition holds; fails when that takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert loop.time() < deadline, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.005)


def eventually(condition: Callable[[], bool], what: str = "it", seconds: float = 60) -> None:
    """until() for tests that block."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


async def drain(store: pgqrs.Store, queue: str, vt: float = 30) -> list[pgqrs.Message]:
    """Leases all that is ready, and leaves it leased."""
    consumer = await store.consumer(queue)
    found: list[pgqrs.Message] = []
    while batch := await consumer.dequeue_many_with_delay(1000, vt):
        found += batch
    return found
