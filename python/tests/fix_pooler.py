"""PgBouncer, in transaction mode, for tests."""

from __future__ import annotations

import configparser
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
"""None where the machine has none (make deps)."""

CONFIG = """
[pgbouncer]
listen_addr = 127.0.0.1
pool_mode = transaction
default_pool_size = 4
ignore_startup_parameters = extra_float_digits
"""


class Pooler:
    """A running PgBouncer of that configuration, but for where it listens and where it
    leads; a context manager that stops it."""

    def __init__(self, server_dsn: str, text: str = CONFIG) -> None:
        parts = urlsplit(server_dsn)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            own_port = free.getsockname()[1]
        self._folder = Path(tempfile.mkdtemp(prefix="pgqrs-pooler-"))
        config = self._folder / "pgbouncer.ini"
        ini = configparser.ConfigParser()
        ini.read_string(text)
        ini["databases"] = {"*": f"host={parts.hostname} port={parts.port} user={parts.username}"}
        own = {
            "listen_port": str(own_port),
            "unix_socket_dir": "",
            "auth_type": "any",
        }
        ini["pgbouncer"].update(own)
        with config.open("w") as file:
            ini.write(file)
        command = [str(PROGRAM), str(config)]
        if os.geteuid() == 0:  # as whom it refuses to run
            self._folder.chmod(0o755)
            command[1:1] = ["-u", "nobody"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.dsn = parts._replace(netloc=f"{parts.username}@127.0.0.1:{own_port}").geturl()

    def __enter__(self) -> Pooler:
        deadline = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.dsn).close()
                return self
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()
        shutil.rmtree(self._folder)
