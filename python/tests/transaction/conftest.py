"""One database for all tests of tx=, in a schema of an odd name, reached directly and
through a pooler where the machine has one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from drivers import configure_django
from fix_pooler import PROGRAM, Pooler
from fix_server import _create_database, _execute

WAYS = ["direct", *(["pooled"] if PROGRAM else [])]


@pytest.fixture(scope="session")
def warm_django() -> None:
    """asgiref keeps the thread that it makes at the first use."""
    configure_django()

    async def run() -> None:
        await sync_to_async(int)()

    asyncio.run(run())


@pytest.fixture(scope="session")
def place(admin_dsn: str) -> Iterator[str]:
    """The DSN of the database, reached directly."""
    _execute(admin_dsn, "drop database if exists pgqrs_transactions with (force)")
    yield _create_database(admin_dsn, "pgqrs_transactions")
    _execute(admin_dsn, "drop database if exists pgqrs_transactions with (force)")


@pytest.fixture(scope="session")
def pooler(place: str) -> Iterator[Pooler]:
    """PgBouncer in transaction mode before the server."""
    with Pooler(place) as running:
        yield running


@pytest.fixture(scope="session")
def ways(request: pytest.FixtureRequest, place: str) -> dict[str, str]:
    """The DSN of the database, by each way to it."""
    return {
        name: place if name == "direct" else request.getfixturevalue("pooler").dsn for name in WAYS
    }


@pytest.fixture(autouse=True)
def _clean(warm_django: None, ways: dict[str, str], nothing_is_left: None) -> None:
    """After each test of this folder nothing is left but what they share."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, ways: dict[str, str]) -> str:
    """The DSN of the database, one way to it after the other."""
    return ways[request.param]
