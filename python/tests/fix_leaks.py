"""After each test nothing is left: no descriptor, no thread, no handle or batch
of the C library, and no connection to the database of the test."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from fix_loop import LOOPS, run_in

import pgqrs
from pgqrs._native import _batch, _store

PATIENCE_SECONDS = 10


@pytest.fixture(scope="session")
def warm_library(admin_dsn: str) -> None:
    """The Go runtime and the loops have made the descriptors that they keep."""

    async def connect() -> None:
        async with pgqrs.connect("memory://warm"):
            pass
        with contextlib.suppress(pgqrs.ConfigError):  # there is no schema in that database
            async with pgqrs.connect(admin_dsn, auto_install=False):
                pass

    for loop_name in LOOPS:
        run_in(loop_name, connect())
    gc.freeze()  # what is there by now is no leak, and need not be looked at again


@pytest.fixture
def nothing_is_left(request: pytest.FixtureRequest, warm_library: None) -> Iterator[None]:
    """Compares what there is after the test with what there was before it."""
    dsn = request.getfixturevalue("dsn") if "dsn" in request.fixturenames else None
    descriptors, threads = open_descriptors(), set(threading.enumerate())
    handles = set(map(id, live_handles()))
    yield
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:  # goroutines end in their own time
        left = {
            "descriptors": open_descriptors() - descriptors,
            "threads": set(threading.enumerate()) - threads,
            "handles": [thing for thing in live_handles() if id(thing) not in handles],
            "connections": connections(dsn) if dsn else [],
        }
        if not any(left.values()):
            return
        if time.monotonic() > deadline:
            pytest.fail(f"left after the test: { {k: v for k, v in left.items() if v} }")
        time.sleep(0.02)


def open_descriptors() -> set[tuple[str, str]]:
    """The open descriptors of this process, and what each one is."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
        except FileNotFoundError:  # that of listdir itself
            continue
    return found


def live_handles() -> list[object]:
    """Stores and batches of the C library that were not freed."""
    gc.collect()
    return [
        thing
        for thing in gc.get_objects()
        if (type(thing) is _store.Store and thing._handle)
        or (type(thing) is _batch.Batch and thing._pointer is not None)
    ]


def connections(dsn: str) -> list[tuple[object, ...]]:
    """Who is connected to the database, but for ourselves. The server notices in its own
    time that a connection was closed."""
    database = urlsplit(dsn).path.removeprefix("/")
    with psycopg.connect(urlsplit(dsn)._replace(path="/postgres").geturl()) as connection:
        return connection.execute(
            "select pid, application_name, state, query from pg_stat_activity where datname = %s",
            [database],
        ).fetchall()
