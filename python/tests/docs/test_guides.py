"""The guides of docs/how-to: their programs are saved and run, their commands typed,
their snippets executed, on a real server; what is for other programs is parsed, and
held against the rest of its page."""

from __future__ import annotations

import asyncio
import configparser
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from fix_page import DOCS, run
from fix_pooler import PROGRAM, Pooler
from fix_store import Database, eventually, until
from shell import Shell, blocks_of

import pgqrs

GUIDES = sorted(path.name for path in (DOCS / "how-to").glob("*.md"))
NOT_RUN = {"console"}  # how to start a server: its program is run by the test
PLAIN = pytest.mark.loops("plain")


def blocks(guide: str, language: str) -> list[str]:
    return [code for kind, code in blocks_of(f"how-to/{guide}.md") if kind == language]


def test_every_guide_has_a_test_and_no_snippet_of_a_kind_that_is_not_run():
    tests = {name.split("_")[1] for name in globals() if name.startswith("test_")}
    for guide in GUIDES:
        assert guide.removesuffix(".md") in tests
        kinds = {kind for kind, _ in blocks_of(f"how-to/{guide}")}
        assert kinds <= {"python", "sh", "sql", "yaml", "ini"} | NOT_RUN


def plain(dsn: str) -> str:
    """Without options, which asyncpg does not know under SQLAlchemy."""
    return urlsplit(dsn)._replace(query="").geturl()


@pytest.fixture
def shell(tmp_path: Path, dsn: str) -> Iterator[Shell]:
    shell = Shell(tmp_path, PGQRS_DSN=plain(dsn), PYTHONWARNINGS="error::ResourceWarning")
    try:
        yield shell
    finally:
        shell.close()


def archived(database: Database) -> list[Any]:
    query = "select payload from pgqrs_archive where outcome = 'archived' order by id"
    return [row[0] for row in database.rows(query)]


def execute(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, "snippet", "exec", dont_inherit=True), names)


DRIVE_FASTAPI = """
import asyncio

from fastapi.testclient import TestClient

import both
import orders
from app import app

app.include_router(orders.router)
with TestClient(app) as client:
    answer = client.post("/emails", json={"to": "ann@example.com"})
    assert (answer.status_code, answer.json()) == (202, {"id": 1}), answer.text
    assert client.post("/emails", json={}).status_code == 422
    for _ in range(2):
        try:
            assert client.post("/orders/7").status_code == 201
        except Exception as error:
            assert "orders_pkey" in str(error)
    client.portal.call(orders.engine.dispose)
"""


def test_fastapi(shell: Shell, database: Database):
    for code in blocks("fastapi", "python"):
        shell.save(code)
    database.execute("create table orders (id bigint primary key)")
    (shell.folder / "drive.py").write_text(DRIVE_FASTAPI)
    shell.type("python drive.py")
    live = [row[0] for row in database.rows("select payload from pgqrs_messages order by id")]
    assert live == [{"to": "ann@example.com", "subject": "hello"}, {"to": "order 7"}]

    shell.type("python worker.py &")
    eventually(lambda: len(archived(database)) == 2, "the worker")
    shell.type("kill %1; wait %1")
    assert "sending to order 7" in shell.printed()

    (shell.folder / "drive.py").write_text(
        "import both, time\n"
        "from fastapi.testclient import TestClient\n"
        "import pgqrs.sync\n"
        "with TestClient(both.app), pgqrs.sync.connect() as store:\n"
        "    pgqrs.sync.produce(store, 'emails', {'to': 'both'})\n"
        "    while pgqrs.sync.admin(store).queue_metrics('emails').depth:\n"
        "        time.sleep(0.02)\n"
    )
    database.execute("truncate pgqrs_done")
    shell.type("timeout 60 python drive.py")
    assert archived(database) == [{"to": "both"}]


DJANGO_SETTINGS = """
import os
from urllib.parse import urlsplit

parts = urlsplit(os.environ["PGQRS_DSN"])
SECRET_KEY = "secret"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:],
    "HOST": parts.hostname, "PORT": parts.port, "USER": parts.username}}
"""
DJANGO_MODELS = """
from django.db import models

class Order(models.Model):
    number = models.BigIntegerField(unique=True)
    confirmed = models.BooleanField(default=False)
"""
DRIVE_DJANGO = """
import django
django.setup()
from django.db import connection, IntegrityError
from django.test import RequestFactory
from shop import jobs, models, views

with connection.schema_editor() as editor:
    editor.create_model(models.Order)
for _ in range(2):  # the second fails, and so leaves no message
    try:
        assert views.place_order(RequestFactory().get("/"), 7).status_code == 200
    except IntegrityError:
        pass
jobs.store().close()
"""


def test_django(shell: Shell, database: Database):
    command = shell.folder / "shop/management/commands"
    command.mkdir(parents=True)
    for folder in (command.parent.parent, command.parent, command):
        (folder / "__init__.py").touch()
    for code in blocks("django", "python"):
        shell.save(code)
    (shell.folder / "settings.py").write_text(DJANGO_SETTINGS)
    (shell.folder / "shop/models.py").write_text(DJANGO_MODELS)
    (shell.folder / "drive.py").write_text(DRIVE_DJANGO)
    shell.type("export DJANGO_SETTINGS_MODULE=settings PYTHONPATH=.; python drive.py")
    assert database.rows("select payload from pgqrs_messages") == [({"order": 7},)]
    shell.type("python -m django work &")
    eventually(lambda: archived(database) == [{"order": 7}], "the worker")
    shell.type("kill %1; wait %1")
    assert database.rows("select number, confirmed from shop_order") == [(7, True)]


@PLAIN
async def test_sqlalchemy(dsn, database, monkeypatch, capsys):
    monkeypatch.setenv("PGQRS_DSN", plain(dsn))
    database.execute("create table orders (id bigint primary key)")
    names: dict[str, Any] = {"pgqrs": pgqrs}
    for code in blocks("sqlalchemy", "python"):
        if "await" in code:
            names = await run(code, names)
        else:
            execute(code, names)
    assert database.rows("select payload from pgqrs_messages") == [({"order": 7},)]
    number = database.value("select id from pgqrs_messages")
    assert capsys.readouterr().out == f"waiting: [{number}]\n"
    assert not names["include_name"]("pgqrs_log", "table", {})
    assert names["include_name"]("orders", "table", {})


@PLAIN
async def test_celery(dsn, database, capsys):
    async with pgqrs.connect(dsn) as store:
        for code in blocks("celery", "python"):
            await run(code, {"store": store})
        printed = capsys.readouterr().out.splitlines()
        assert printed[0] == "the sum is 5"
        assert [line.rpartition(" ")[0] for line in printed[1:]] == ["stored"] + [
            "there already"
        ] * 2


@PLAIN
async def test_pgbouncer(dsn, tmp_path, capsys):
    (ini,) = blocks("pgbouncer", "ini")
    parser = configparser.ConfigParser()
    parser.read_string(ini)
    assert parser["pgbouncer"]["pool_mode"] == "transaction"
    (code,) = blocks("pgbouncer", "python")
    if PROGRAM is None:  # `make deps` brings it; without it the server stands for it
        await run(code, {"pgqrs": pgqrs, "pooled_dsn": dsn})
    else:
        with Pooler(dsn, ini) as running:
            await run(code, {"pgqrs": pgqrs, "pooled_dsn": running.dsn})
    assert capsys.readouterr().out == "to ann@example.com\n"


def test_kubernetes(shell: Shell, database: Database):
    deployment, scaled = (yaml.safe_load(code) for code in blocks("kubernetes", "yaml"))
    (program,) = blocks("kubernetes", "python")
    pod = deployment["spec"]["template"]["spec"]
    timeout = re.search(r"shutdown_timeout=(\d+)", program)
    assert timeout
    assert pod["terminationGracePeriodSeconds"] > int(timeout[1])
    assert deployment["spec"]["selector"]["matchLabels"].items() <= (
        deployment["spec"]["template"]["metadata"]["labels"].items()
    )
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]

    shell.save(program)
    shell.type("pgqrs produce tasks '{\"seconds\": 1}'")
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    assert database.value(query) == 1
    shell.type(" ".join(pod["containers"][0]["command"]) + " &")
    leased = "select count(*) from pgqrs_messages where consumer_worker_id is not null"
    eventually(lambda: bool(database.value(leased)), "the handler")
    shell.type("kill -TERM %1; wait %1")  # its status is 0
    assert archived(database) == [{"seconds": 1}]
    assert database.rows(
        "select distinct name like %s from pgqrs_workers", f"%{socket.gethostname()}%"
    ) == [(True,)]


@PLAIN
async def test_deploys(shell, dsn, database):
    import asyncpg

    first, *rest = blocks("deploys", "sh")
    assert "installed" in shell.type(first)
    database.execute("create table pieces (n bigint)")
    async with asyncpg.create_pool(dsn, min_size=1) as pool, pgqrs.connect(dsn) as store:
        (code,) = blocks("deploys", "python")
        working = asyncio.create_task(run(code, {"pgqrs": pgqrs, "store": store, "pool": pool}))
        await pgqrs.produce(store, "emails", 1)
        await until(lambda: len(archived(database)) == 3, "all pieces")
        await store.close()
        await working
    assert database.rows("select n from pieces order by n") == [(0,), (1000,), (2000,)]
    assert [payload["from"] for payload in archived(database)] == [0, 1000, 2000]
    shell.type("".join(rest))
    (versions,) = blocks("deploys", "sql")
    ((version, compatible_from),) = database.rows(versions)
    assert compatible_from <= version
    upgrade = (shell.folder / "upgrade.sql").read_text()
    assert f"set version = {version}, compatible_from = {compatible_from}" in upgrade
    database.execute("update pgqrs_schema set version = 1000, compatible_from = 1000")
    with pytest.raises(pgqrs.ConfigError, match="upgrade pgqrs"):
        await pgqrs.connect(dsn)


READ_METRICS = """
from urllib.request import urlopen
print(urlopen(f"http://127.0.0.1:{server.server_port}/metrics").read().decode())
"""


def test_monitoring(shell: Shell, dsn: str, database: Database):
    shell.type("pgqrs produce emails 1")
    for code in blocks("monitoring", "sh"):
        shell.type(code)
    metrics, snapshots = blocks("monitoring", "sql")
    assert database.rows(metrics)[0][:4] == ("emails", 1, 0, 0)
    assert database.rows(snapshots)

    collecting, logging = blocks("monitoring", "python")
    (shell.folder / "metrics.py").write_text(
        f"dsn, port = {dsn!r}, 0\n{collecting}{logging}{READ_METRICS}"
    )
    told = shell.type("python metrics.py")
    (rules,) = (yaml.safe_load(code) for code in blocks("monitoring", "yaml"))
    for rule in rules["groups"][0]["rules"]:
        for name in re.findall(r"pgqrs_\w+", rule["expr"]):
            assert f"\n{name}" in told, name


@PLAIN
async def test_tuning(dsn, database):
    async with pgqrs.connect(dsn) as store:
        names = {"asyncio": asyncio, "pgqrs": pgqrs, "store": store}
        for code in blocks("tuning", "python"):
            names = await run(code, names)
        assert names["written"] == list(range(1000))
        assert len(archived(database)) == 3000
