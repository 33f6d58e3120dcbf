"""No password of a DSN stands on a command line, where `ps` shows it to everybody."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bench.machine import DriverProcess
from bench.subjects import DRIVERS
from fix_store import until
from soak.crew import Crew, Post
from soak.ledger import Ledger

from pgqrs._demo import Worker

SECRET = "s3cret"


@pytest.fixture
def secret_dsn(dsn: str) -> str:
    """One with a password, of which the server takes no notice."""
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"postgres:{SECRET}@{parts.hostname}:{parts.port}").geturl()


def command_line(pid: int) -> str:
    """What ps shows of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def test_ps_would_show_it(secret_dsn):
    """These tests would see it."""
    assert SECRET in secret_dsn


@pytest.mark.loops("plain")
async def test_the_workers_of_the_demonstration(secret_dsn):
    worker = await Worker.start(secret_dsn)
    try:
        shown = command_line(worker.process.pid)
        assert "_demo" in shown
        assert SECRET not in shown
    finally:
        await worker.end()


@pytest.mark.loops("plain")
@pytest.mark.parametrize("role", ["producer", "consumer"])
async def test_the_programs_of_the_soak_bench(secret_dsn, tmp_path, role):
    ledger = Ledger(tmp_path / "bench.ledger")
    crew = Crew(tmp_path, lambda _: secret_dsn, random.Random(0), 0, [], lambda _: [], ledger)
    member = crew.start(Post(role, "one", "handler", "direct"))
    try:
        written = tmp_path / "one.ledger"
        await until(lambda: written.exists() or not member.runs, "its ledger")
        shown = command_line(member.process.pid)
        assert f"soak.programs.{role}" in shown
        assert SECRET not in shown
    finally:
        crew.kill_all()
        ledger.close()


@pytest.mark.loops("plain")
async def test_the_drivers_of_the_benchmark(secret_dsn):
    driver = await asyncio.to_thread(DriverProcess, DRIVERS["pgqrs"], secret_dsn)
    try:
        assert SECRET not in command_line(driver.pid)
    finally:
        await asyncio.to_thread(driver.close)
