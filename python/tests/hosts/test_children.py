"""Children of a process that uses pgqrs, by every way to make one. What a forked child of
a connected process is told, call by call, is in acceptance/test_processes.py."""

from __future__ import annotations

import pytest
from fix_hosts import ran
from fix_store import Database


@pytest.mark.parametrize("how", ["spawn", "forkserver", "fork"])
def test_multiprocessing_children_connect_but_for_forked_ones_that_are_told(
    dsn, database: Database, how
):
    ended = ran("children.py", dsn, how)
    assert ended.returncode == 0, ended.stderr
    assert "parent went on" in ended.stdout
    stored = {row[0] for row in database.rows("select payload::text from pgqrs_messages")}
    children = set() if how == "fork" else {"0", "1", "2"}
    assert stored == {'"before"', '"after"'} | children


def test_workers_of_a_preforking_server_each_connect_what_was_made_at_import(
    dsn, database: Database
):
    ended = ran("preforking.py", dsn)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout == "all workers ended well\n"
    assert database.value("select count(*) from pgqrs_messages") == 4 * 5 * 2 + 2
    assert database.value("select count(*) from pgqrs_workers where status = 'stopped'") == 4
