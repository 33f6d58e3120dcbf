"""Ctrl-C, signals, the end of the interpreter and forks, with pgqrs.sync."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fix_store import Database

PROGRAM = Path(__file__).with_name("programs") / "blocking.py"


def run(dsn: str, how: str, *signals: signal.Signals) -> tuple[int, list[str], str]:
    """Starts the program, sends the signals once it says that it runs, and returns its
    status, what it printed, and its complaints."""
    process = subprocess.Popen(
        [sys.executable, "-W", "always", str(PROGRAM), dsn, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        printed = ""
        if signals:
            assert process.stdout is not None
            printed = process.stdout.readline()
            for number in signals:
                process.send_signal(number)
        rest, complaints = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, (printed + rest).splitlines(), complaints


def test_ctrl_c_interrupts_a_call_that_waits(dsn):
    assert run(dsn, "iterate", signal.SIGINT) == (130, ["running", "interrupted"], "")


def test_ctrl_c_ends_consume_and_what_no_handler_has_goes_back(dsn, database: Database):
    status, printed, complaints = run(dsn, "consume", signal.SIGINT)
    assert (status, printed[-1], complaints) == (130, "interrupted", "")
    assert database.rows("select id from pgqrs_messages where vt > now() + interval '30 s'") == [
        (1,)  # its handler was interrupted
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_consume_after_its_handler(dsn, database: Database, number):
    assert run(dsn, "signals", number) == (0, ["running", "handled", "ended"], "")
    assert database.value("select count(*) from pgqrs_archive") == 1
    assert database.value("select count(*) from pgqrs_messages where vt <= now()") == 9


def test_the_end_of_the_interpreter_gives_back_what_was_leased(dsn, database: Database):
    status, printed, complaints = run(dsn, "leave")
    assert (status, printed) == (0, ["running"]), complaints
    assert database.value("select count(*) from pgqrs_archive") == 1
    assert database.value("select count(*) from pgqrs_messages where vt <= now()") == 9


def test_processes_fork_before_they_connect_and_not_after(dsn, database: Database):
    status, printed, complaints = run(dsn, "fork")
    assert status == 0, complaints
    assert "connect after the fork" in printed[0]
    assert set(database.rows("select payload from pgqrs_messages")) == {
        ("child",),
        ("parent",),
        ("parent again",),
    }
