"""The servers of a run: a private PostgreSQL, and PgBouncer in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

PROJECT = Path(__file__).resolve().parents[1]
DATABASE = "soak"
START_SECONDS = 20.0
"""How long a PgBouncer may take to listen."""
PATIENT = "".join(
    f" -c {name}=0"
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
)
"""Options of our own connections, on which no fault has a hold."""


class Server:
    """A PostgreSQL of core/internal/testserver, to be stopped and crashed at will. `within`
    makes the command that starts the server's somewhere else."""

    def __init__(self, within: Callable[[str], list[str]] | None = None) -> None:
        program = os.environ.get("PGQRS_TESTSERVER")
        command = [program] if program else ["go", "run", "./core/internal/testserver/run"]
        if within is not None:
            if program is None:
                raise RuntimeError("build core/internal/testserver/run, and set PGQRS_TESTSERVER")
            command = within(program)
        self.process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.admin_dsn = self._line()
        if not self.admin_dsn.startswith("postgresql://"):
            self.close()
            raise RuntimeError("no test server; its message is on standard error")
        self.port = urlsplit(self.admin_dsn).port or 5432

    def fresh_database(self) -> str:
        """Makes the database of a run anew: its DSN."""
        self.execute(f"drop database if exists {DATABASE} with (force)")
        self.execute(f"create database {DATABASE}")
        return urlsplit(self.admin_dsn)._replace(path="/" + DATABASE).geturl()

    async def tell(self, verb: str) -> None:
        """stop, start, crash or restart; returns when that is done."""
        await asyncio.to_thread(self._tell, verb)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement as superuser, outside of a transaction."""
        with psycopg.connect(self.dsn_of(database), autocommit=True, options=PATIENT) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    async def run(self, statement: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """execute() in a thread."""
        return await asyncio.to_thread(self.execute, statement, database)

    def dsn_of(self, database: str) -> str:
        """A superuser's DSN of a database."""
        return urlsplit(self.admin_dsn)._replace(path="/" + database).geturl()

    async def terminate_all(self) -> int:
        """Ends every connection to the database of the run: how many."""
        ended = await self.run(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            f"where datname = '{DATABASE}' and backend_type = 'client backend'",
            "postgres",
        )
        return int(ended[0][0])

    def close(self) -> None:
        """Ends the server and removes its files."""
        self.process.communicate()

    def _tell(self, verb: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(verb + "\n")
        self.process.stdin.flush()
        answer = self._line()
        if answer != "ok":
            raise RuntimeError(f"{verb}: {answer}")

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


class PgBouncer:
    """A PgBouncer in front of a server, on a port of its own. As root it runs as the user
    nobody, as which alone it agrees to run."""

    PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"

    def __init__(self, server: Server, mode: str, log: Path) -> None:
        self.port = free_port()
        self._log = log
        self._folder = Path(tempfile.mkdtemp(prefix="pgqrs-bouncer-", dir="/tmp"))
        self._folder.chmod(0o755)
        (self._folder / "users.txt").write_text('"postgres" ""\n')
        (self._folder / "bouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = any\nauth_file = {self._folder}/users.txt\n"
            f"pool_mode = {mode}\nmax_client_conn = 500\ndefault_pool_size = 40\n"
            "server_login_retry = 1\nlog_connections = 0\nlog_disconnections = 0\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it listens. One that finds its port taken, since its
        predecessor's connections are not gone yet, ends at once: it is started again."""
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process is None or self._process.poll() is not None:
                self._launch()
            if time.monotonic() > deadline:
                raise TimeoutError(f"PgBouncer does not listen on port {self.port}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return self._process is not None
        return False

    def _launch(self) -> None:
        become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        command = [*(become if os.geteuid() == 0 else []), self.PROGRAM]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self._folder / "bouncer.ini")], stdout=log, stderr=log
            )

    @property
    def died(self) -> bool:
        """Whether it ended, and nobody told it to."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        """The last line that it logged."""
        return self._log.read_text(errors="replace").strip().rpartition("\n")[2]

    def stop(self) -> None:
        """Ends it at once; its connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Ends it and removes its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
