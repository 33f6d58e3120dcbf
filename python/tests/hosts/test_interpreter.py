"""The end of the interpreter, subinterpreters, and builds without a GIL."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fix_hosts import ran
from fix_store import Database


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("exit in a coroutine", 7),
        ("exception", 1),
        ("loop left", 0),
        ("daemon thread", 0),
        ("exit handler", 0),
    ],
)
def test_the_interpreter_ends_with_work_in_flight(dsn, database: Database, how, status):
    ended = ran("exits.py", dsn, how, seconds=30)
    assert ended.returncode == status, ended.stderr  # a crash would be negative
    assert "Fatal" not in ended.stderr
    assert "Segmentation" not in ended.stderr
    # Nothing is left of it on the server, and no message is lost.
    stored = database.value("select count(*) from pgqrs_messages")
    assert stored == 1 if how == "exit handler" else stored >= 100


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_a_subinterpreter_works_or_is_told_why_it_cannot(kind):
    ended = ran("subinterpreters.py", kind, seconds=30)
    assert ended.returncode == 0, ended.stderr
    told, main = ended.stdout.splitlines()
    assert main == "main went on"
    if sys.version_info < (3, 12):  # they share the GIL, and the extensions
        assert told == "sub True"
    elif kind == "isolated":
        assert told.startswith("ImportError: pgqrs cannot be used in this subinterpreter")
    else:  # it depends on how the extensions are made
        assert told == "sub True" or told.startswith("ImportError: pgqrs cannot be used")


FREE_THREADED = """
import sys, warnings
sys.version += " free-threading build"
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import pgqrs
(told,) = caught
print(told.category.__name__, told.message)
"""


def test_a_free_threaded_build_is_told_what_is_supported():
    ended = subprocess.run(
        [sys.executable, "-c", FREE_THREADED], capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("RuntimeWarning pgqrs on a free-threaded build")
    assert "thread of its event loop" in ended.stdout
