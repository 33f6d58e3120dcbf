"""The machine, the private server, and the environments of the drivers."""

from __future__ import annotations

import json
import os
import platform
import select
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg

from .subjects import Driver

PROJECT = Path(__file__).resolve().parents[1]
BUILD = PROJECT / "build" / "bench"

SHOWN = ("fsync", "full_page_writes", "synchronous_commit", "wal_sync_method", "shared_buffers")
"""Settings that figures are shown with, default or not."""


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], cwd=PROJECT, check=True)


class Server:
    """A PostgreSQL server of this run alone, which ends with it. It is the one of
    the tests (core/internal/testserver), with its durability switched on again."""

    def __init__(self) -> None:
        program = BUILD / "testserver"
        _run("go", "build", "-o", program, "./core/internal/testserver/run")
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        dsn = self._process.stdout.readline().strip()
        if not dsn:
            raise RuntimeError("the server did not start; its messages are above")
        self._dsn = dsn
        self.connection = psycopg.connect(dsn, autocommit=True)
        for name in ("fsync", "full_page_writes"):
            self.connection.execute(f"alter system set {name} = on")
        self.connection.execute("select pg_reload_conf()")
        self._obey("restart")

    def _obey(self, verb: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self.connection.close()
        self._process.stdin.write(verb + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"the server did not {verb}: {answer}")
        self.connection = psycopg.connect(self._dsn, autocommit=True)

    @property
    def pid(self) -> int:
        """Of the process that all others of the server come from."""
        folder = Path(self._one("select current_setting('data_directory')"))
        return int((folder / "postmaster.pid").read_text().split()[0])

    def database(self, name: str) -> str:
        """The DSN of a new database."""
        name = name.replace("-", "_")
        self.connection.execute(f"create database bench_{name}")
        return self._dsn.replace("/postgres?", f"/bench_{name}?")

    def fresh_database(self, name: str) -> str:
        """The DSN of a new database, in the place of one of that name."""
        old = name.replace("-", "_")
        self.connection.execute(f"drop database if exists bench_{old} with (force)")
        return self.database(name)

    def wal_position(self) -> int:
        """Bytes of WAL since the server was made."""
        return int(self._one("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))

    def describe(self) -> dict[str, Any]:
        """Its version, and every setting that is not the default."""
        rows = self.connection.execute(
            "select name, setting || coalesce(unit, '') from pg_settings "
            "where setting is distinct from boot_val and source = 'configuration file' "
            "and name !~* '^(lc_|log_|default_text|port|listen|unix|cluster|.*timezone)'"
        ).fetchall()
        settings = dict(rows)
        for name in SHOWN:
            settings[name] = self._one(f"select current_setting('{name}')")
        version = self._one("select current_setting('server_version')")
        return {"version": version, "settings": settings}

    def _one(self, query: str) -> Any:
        row = self.connection.execute(query).fetchone()
        assert row
        return row[0]

    def close(self) -> None:
        self.connection.close()
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class DriverProcess:
    """One driver: a process that answers requests line by line."""

    def __init__(self, driver: Driver, dsn: str) -> None:
        self.id = driver.id
        self.dsn = dsn
        self._process = subprocess.Popen(
            command(driver),
            cwd=PROJECT,
            env={**os.environ, "PGQRS_BENCH_DSN": dsn},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        ready = self.answer()
        self.tables: list[str] = ready["tables"] or []
        self.live: str = ready["live"]
        self.versions: dict[str, str] = ready["versions"]
        self.database = psycopg.connect(dsn, autocommit=True)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.tell(request)
        return self.answer()

    def tell(self, request: dict[str, Any]) -> None:
        """Asks without waiting for the answer."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"the driver {self.id} ended; its messages are above") from None

    def answers_within(self, seconds: float) -> bool:
        """Waits so long for an answer; `answer` reads it."""
        assert self._process.stdout
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the driver {self.id} ended; its messages are above")
        answer: dict[str, Any] = json.loads(line)
        if error := answer.get("error"):
            raise RuntimeError(f"{self.id}: {error}")
        return answer

    def close(self) -> None:
        """Lets it end at the end of its input, or kills it."""
        self.database.close()
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


def command(driver: Driver) -> list[str]:
    """What starts a driver; `prepare_driver` has been called."""
    if driver.go:
        return [str(BUILD / "godriver"), driver.go]
    python = _environment(driver) / "bin" / "python" if driver.packages else sys.executable
    return [str(python), str(PROJECT / "bench" / "peers" / f"{driver.file or driver.id}.py")]


def prepare_driver(driver: Driver) -> None:
    """Builds the Go driver, or makes the environment of a peer where there is none
    with these very packages."""
    if driver.go:
        _run("go", "build", "-C", "bench/godriver", "-o", BUILD / "godriver", ".")
    if not driver.packages:
        return
    folder = _environment(driver)
    wanted = "\n".join(driver.packages)
    stamp = folder / "packages"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing {', '.join(driver.packages)} into {folder.relative_to(PROJECT)}", flush=True)
    _run(sys.executable, PROJECT / "scripts" / "make_venv.py", folder)
    _run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", *driver.packages)
    stamp.write_text(wanted)


def check_out(commit: str) -> str:
    """The folder of an older version's files, to be installed from."""
    git = ["git", "rev-parse", "--short", "--verify", f"{commit}^{{commit}}"]
    name = subprocess.run(git, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    folder = BUILD / "before" / name.strip()
    if not folder.exists():
        archive = subprocess.run(
            ["git", "archive", name.strip()], cwd=PROJECT, check=True, capture_output=True
        ).stdout
        folder.mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", str(folder)], check=True, input=archive)
    return str(folder)


def _environment(driver: Driver) -> Path:
    return BUILD / "environments" / driver.id


def describe() -> dict[str, Any]:
    """The machine and the moment."""
    git = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(git, cwd=PROJECT, capture_output=True, text=True).stdout.strip()
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
