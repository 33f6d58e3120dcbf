"""Ctrl-C in each call. What it does to consume() and to a loop over messages is in
acceptance/test_processes.py."""

from __future__ import annotations

import signal
import subprocess

import pytest
from fix_hosts import command
from fix_store import Database


@pytest.mark.parametrize("loop_name", ["asyncio", "uvloop"])
def test_ctrl_c_ends_each_call_while_the_server_keeps_it_waiting(
    dsn, database: Database, loop_name
):
    process = subprocess.Popen(
        command("interrupted_calls.py", dsn, loop_name), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    heard: list[str] = []
    try:
        for line in process.stdout:
            heard.append(line.strip())
            if line.startswith("in "):
                process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
    begun = [line.removeprefix("in ") for line in heard if line.startswith("in ")]
    # close() is carried out all the same: it is what asyncio.run() may end with.
    ended = [line.removeprefix("out of ") for line in heard if line.startswith("out of ")]
    assert len(begun) == 15
    assert ended == begun, heard
    leased = "select count(*) from pgqrs_messages where vt > now() + interval '1 minute'"
    assert database.value(leased) <= 1  # that of the close, whose lease nobody gives back
