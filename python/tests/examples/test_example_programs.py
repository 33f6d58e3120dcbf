"""The programs of examples/ do what their pages say, as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fix_store import Database, eventually

PROJECT = Path(__file__).resolve().parents[3]
EXAMPLES = PROJECT / "examples"
PATIENCE_SECONDS = 60


def test_the_shop_the_worker_beside_it_and_the_worker_in_go_share_a_queue(
    dsn: str, database: Database, tmp_path: Path
) -> None:
    go = tmp_path / "worker"
    build = ["go", "build", "-buildvcs=false", "-o", str(go), "./examples/go"]
    subprocess.run(build, cwd=PROJECT, check=True)
    with ExitStack() as started:
        # The socket is open before the program runs, so that it need not be waited for;
        # and then the program's alone, so that nobody waits should it end.
        with socket.create_server(("127.0.0.1", 0)) as server:
            port, socket_number = server.getsockname()[1], server.fileno()
            app = ["-m", "uvicorn", "app:app", "--fd", str(socket_number)]
            start(started, dsn, sys.executable, *app, inherited=socket_number)
        python = start(started, dsn, sys.executable, "worker.py")
        place = f"http://127.0.0.1:{port}/orders"

        status, first = ask(place, {"item": "tea", "pieces": 2})
        assert status == 201
        eventually(lambda: packed_by(place, first["id"]) == "python")

        assert ask(place, {"item": "tea", "pieces": 2000})[0] == 409
        # What was rolled back left nothing, neither an order nor a message.
        assert database.value("select count(*) from orders") == 1
        assert database.rows("select id from pgqrs_messages") == []

        end(python)
        start(started, dsn, str(go))
        status, second = ask(place, {"item": "coffee", "pieces": 1})
        assert status == 201
        eventually(lambda: packed_by(place, second["id"]) == "go")

        assert database.rows("select id, outcome from pgqrs_archive order by id") == [
            (first["message_id"], "archived"),
            (second["message_id"], "archived"),
        ]
        assert database.value("select pieces from stock where item = 'tea'") == 998


def test_the_program_in_c_takes_out_what_it_put_in(dsn: str, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    shipped = PROJECT / "python/pgqrs/_native/libpgqrs.so"
    (library / "libpgqrs.so").symlink_to(shipped)  # the same as the one that make would build
    made = subprocess.run(
        [
            *("make", "-f", EXAMPLES / "c/Makefile", f"ROOT={PROJECT}", f"LIBRARY={library}"),
            *(f"VPATH={EXAMPLES / 'c'}", "CFLAGS=-O1 -Wall -Wextra -Werror"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    command = [tmp_path / "tasks", "parcels", '{"to": "Ann"}', '{"to": "Bob"}']
    output = subprocess.run(
        command, env=os.environ | {"PGQRS_DSN": dsn}, capture_output=True, text=True, check=True
    ).stdout
    page = (EXAMPLES / "c/README.md").read_text()
    assert output in page


def start(
    started: ExitStack, dsn: str, *command: str, inherited: int | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program of the shop, which ends in good order when the stack does."""
    process = subprocess.Popen(
        command,
        cwd=EXAMPLES / "fastapi",
        env=os.environ | {"PGQRS_DSN": dsn},
        pass_fds=() if inherited is None else (inherited,),
    )
    started.callback(end, process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program by SIGTERM, which it must understand."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) in (0, -signal.SIGTERM)


def ask(url: str, body: object = None) -> tuple[int, Any]:
    """The status and the answer of a request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def packed_by(place: str, order: int) -> str | None:
    """Who has packed an order."""
    found: str | None = ask(f"{place}/{order}")[1]["packed_by"]
    return found
