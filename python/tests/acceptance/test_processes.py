"""Several processes on one queue, some of which die."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fix_programs import ran_strictly
from fix_store import Database, until

import pgqrs

PROGRAMS = Path(__file__).with_name("programs")


def start(program: str, *arguments: str, printed: Path | None = None) -> subprocess.Popen[str]:
    """Starts one of the programs beside this file. What may print more than a pipe
    holds, while nobody reads it, needs a file for that."""
    command = [sys.executable, str(PROGRAMS / program), *arguments]
    if printed is None:
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with printed.open("w") as file:
        return subprocess.Popen(command, stdout=file, text=True)


def stop(process: subprocess.Popen[str]) -> str:
    """Ends a process, if it has not ended, and returns what it printed."""
    process.kill()
    return process.communicate()[0]


@pytest.mark.loops("plain")
async def test_four_processes_drain_a_queue_and_one_of_them_is_killed(
    dsn, database: Database, tmp_path
):
    async with pgqrs.connect(dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", ({"n": n} for n in range(20_000)))
    files = [tmp_path / f"seen-{n}" for n in range(4)]
    processes = [start("drain.py", dsn, printed=file) for file in files]
    try:
        archived = "select coalesce(sum(n), 0)::int from pgqrs_done"
        await until(lambda: database.value(archived) >= 4000, "4000 archived messages", 60)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        held = "select id from pgqrs_messages where vt > now() and read_ct > 0"
        await until(lambda: database.value(archived) >= 20_000, "all to be archived", 90)
        assert database.rows(held) == []
    finally:
        for process in processes:
            stop(process)
    rows = database.rows("select id, read_ct, outcome from pgqrs_archive order by id")
    assert [row[0] for row in rows] == ids  # each exactly once
    assert {row[2] for row in rows} == {"archived"}
    # Seen twice is only what the killed one had been leased.
    seen_by = [[int(line) for line in file.read_text().split()] for file in files]
    by_the_living = [number for numbers in seen_by[1:] for number in numbers]
    assert len(by_the_living) == len(set(by_the_living))
    again = {row[0] for row in rows if row[1] > 1}
    assert set(by_the_living) & set(seen_by[0]) <= again
    lost = database.rows("select message_id, consumer_worker_id, outcome from pgqrs_attempts")
    assert {row[0] for row in lost} == again
    assert {row[2] for row in lost} <= {"expired"}
    assert len({row[1] for row in lost}) <= 1


@pytest.mark.loops("plain")
async def test_a_message_that_kills_its_process_ends_dead_and_takes_no_other_with_it(
    dsn, database: Database
):
    async with pgqrs.connect(dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(1000))
    bad = ids[500]
    count = "select coalesce(sum(n), 0)::int from pgqrs_done"
    loop = asyncio.get_running_loop()
    deadline, deaths = loop.time() + 50, 0
    while database.value(count) < 1000:
        assert loop.time() < deadline, f"{database.value(count)} done after {deaths} deaths"
        process = start("die.py", dsn, str(bad))
        await asyncio.to_thread(process.communicate)
        deaths += process.returncode == -signal.SIGKILL
    outcomes = dict(database.rows("select outcome, count(*)::int from pgqrs_archive group by 1"))
    assert outcomes == {"archived": 999, "dead": 1}
    assert database.value("select id from pgqrs_archive where outcome = 'dead'") == bad
    assert deaths >= 2


@pytest.mark.parametrize("how", ["consume", "iterate", "wait"])
@pytest.mark.parametrize("loop_name", ["asyncio", "uvloop"])
def test_ctrl_c_ends_a_program_cleanly(dsn, database: Database, how, loop_name):
    process = start("interrupted.py", dsn, how, loop_name)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=20)
    finally:
        stop(process)
    assert process.returncode == 130
    assert "finally" in printed
    # Before Python 3.11 a Ctrl-C cancels all tasks, that of the handler too. Since then
    # it cancels consume(), which lets the running handler end.
    if how == "consume" and sys.version_info >= (3, 11):
        assert "handled" in printed
        assert database.value("select count(*) from pgqrs_archive") == 1
    waiting = "select count(*) from pgqrs_messages where vt <= now() and read_ct = 0"
    expected = {"consume": 9, "iterate": 9, "wait": 0}[how]
    assert database.value(waiting) == expected


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_forked_child_of_a_connected_process_is_told_and_one_forked_before_works(dsn, when):
    process = start("forked.py", dsn, when)
    try:
        printed, _ = process.communicate(timeout=30)
    finally:
        stop(process)
    assert process.returncode == 0, printed
    if when == "before":
        assert "child produced" in printed
    else:
        lines = [line for line in printed.splitlines() if line.startswith("child: ")]
        assert len(lines) == 6
        assert all("forked" in line and "spawn" in line for line in lines), lines
        assert "parent produced" in printed


def test_an_ordinary_program_ends_without_a_word(dsn):
    for module in ("asyncio", "uvloop"):
        assert ran_strictly(str(PROGRAMS / "ordinary.py"), dsn, module) == (0, "done\n", "")
