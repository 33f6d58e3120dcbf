"""The part of tx= that needs neither a driver nor a server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

import pgqrs
from pgqrs._threads import in_thread
from pgqrs._transaction import _call, adopt
from pgqrs._transaction._call import Call, Style
from pgqrs._transaction._work import PIECE_BYTES, PIECE_COUNT, _pieces


def test_importing_pgqrs_imports_no_driver():
    script = (
        "import sys, pgqrs\n"
        "known = {'asyncpg', 'psycopg', 'sqlalchemy', 'django', 'asgiref'}\n"
        "assert not known & set(sys.modules), known & set(sys.modules)\n"
        "try:\n"
        "    pgqrs._transaction.adopt(object())\n"
        "except pgqrs.ValidationError:\n"
        "    assert not known & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_connection_is_known_by_the_package_and_name_of_its_class():
    base = type("Connection", (), {"__module__": "psycopg"})
    derived = type("OfAProgram", (base,), {"__module__": "program"})
    assert type(adopt(derived())).__name__ == "PsycopgTransaction"
    namesake = type("Connection", (), {"__module__": "sqlite3"})
    with pytest.raises(pgqrs.ValidationError, match=r"not sqlite3\.Connection"):
        adopt(namesake())


def test_nothing_but_the_schema_is_written_into_a_statement():
    call = Call("archive", 'a%s"b:c$1', "x'; --", "1", "{2}", "{3}")
    assert call.sql(Style.NUMERIC).startswith('select cast("a%s""b:c$1".pgqrs_archive_tx(cast(')
    assert '"a%%s""b:c$1"' in call.sql(Style.FORMAT)
    assert all(f"${number}" in call.sql(Style.NUMERIC) for number in (1, 2, 3, 4))
    assert call.sql(Style.FORMAT).replace("%%", "").count("%s") == len(call.arguments)
    assert "x'; --" not in call.sql(Style.FORMAT)


@pytest.mark.parametrize("numbers", [[], [1], [-(2**63), 2**63 - 1]])
def test_arrays_cross_as_text(numbers):
    assert _call.numbers(_call.array(numbers)) == numbers


def test_pieces_are_bounded_and_leave_nothing_out():
    assert list(_pieces([])) == []
    many = [b"1"] * (2 * PIECE_COUNT + 1)
    assert [len(many[piece]) for piece in _pieces(many)] == [PIECE_COUNT, PIECE_COUNT, 1]
    large = b"x" * PIECE_BYTES
    mixed = [b"1", large, b"2", b"3"]
    assert [mixed[piece] for piece in _pieces(mixed)] == [[b"1"], [large], [b"2", b"3"]]


@pytest.mark.loops("plain")
async def test_a_thread_that_uses_the_connection_ends_before_the_caller_goes_on():
    go, ended = threading.Event(), []

    def use(what: str) -> str:
        go.wait(20)
        ended.append(what)
        return what

    task = asyncio.create_task(in_thread(use, "connection"))
    for _ in range(2):  # a second cancel does not help
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["connection"]
    assert await in_thread(use, "again") == "again"
