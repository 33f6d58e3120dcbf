"""Fixtures for tests of programs that use pgqrs. pytest finds them where pgqrs is installed.

    def test_an_order_is_confirmed(pgqrs_store):           # of pgqrs.sync
        place_order(pgqrs_store, 7)
        [message] = pgqrs_store.consumer("emails").dequeue()
        assert message.payload == {"order": 7}

    async def test_the_same_with_asyncio(pgqrs_config):    # by whatever plugin runs it
        async with await pgqrs.connect_with(pgqrs_config) as store:
            ...

Each test has queues of its own: in this process's memory, or, with the option
`--pgqrs=server` or `pgqrs = server` in the configuration of pytest, on a private
PostgreSQL (the extra `pgqrs[embedded]`) that is started by the first test that wants it
and ends with the run. Nothing is imported or started for tests that do not ask, which is why
this is not a module of `pgqrs`.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import pgqrs
    import pgqrs.sync

PLACES = ("memory", "server")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the queues of the tests are."""
    about = "where the pgqrs fixtures have their queues: memory (default), or a private server"
    parser.getgroup("pgqrs").addoption("--pgqrs", choices=PLACES, help=about)
    parser.addini("pgqrs", about, default="memory")


@pytest.fixture(scope="session")
def pgqrs_server_dsn() -> Iterator[str]:
    """The DSN of a private PostgreSQL that lives as long as the run."""
    from pgqrs import _embedded

    # pytest's own folders are closed to other users, as one of whom it runs for root.
    with tempfile.TemporaryDirectory(prefix="pgqrs-") as folder:
        Path(folder).chmod(0o755)
        dsn, stop = _embedded.start(f"embedded://{folder}/server")
        yield dsn
        stop()


@pytest.fixture
def pgqrs_config(request: pytest.FixtureRequest) -> pgqrs.Config:
    """A Config for queues that no other test has: for `pgqrs.connect_with`."""
    import pgqrs

    name = f"test_{secrets.token_hex(8)}"
    place = request.config.getoption("--pgqrs") or request.config.getini("pgqrs")
    if place not in PLACES:
        raise pytest.UsageError(f"pgqrs must be memory or server, not {place!r}")
    if place == "memory":
        return pgqrs.Config(f"memory://{name}")
    return pgqrs.Config(request.getfixturevalue("pgqrs_server_dsn"), schema=name)


@pytest.fixture
def pgqrs_store(pgqrs_config: pgqrs.Config) -> Iterator[pgqrs.sync.Store]:
    """A store of `pgqrs.sync` for `pgqrs_config`, closed when the test has ended."""
    from pgqrs import sync

    with sync.connect_with(pgqrs_config) as store:
        yield store
