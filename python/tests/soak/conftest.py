"""The bench is a package beside python/, not on the path. `server` is one that its tests
stop and crash; the database on it is made anew by each of them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from soak.server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    started = Server()
    try:
        yield started
    finally:
        started.close()
