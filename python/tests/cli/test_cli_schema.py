"""install, verify, uninstall, migrate; and what goes wrong before any of them."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pgqrs as package


def test_the_tables_come_and_go(pgqrs, database):
    assert "run `pgqrs install`" in pgqrs.refused("verify")
    assert "is not installed" in pgqrs.refused("queue", "list")
    assert database.value("select to_regclass('pgqrs_queues')") is None, "looking leaves nothing"
    assert pgqrs("install").startswith("installed, version ")
    assert pgqrs("verify") == "the tables are as they should be\n"
    (version,) = pgqrs.json("migrate", "status")
    assert version["schema"] == "public"
    assert version["version"] > 0
    database.execute("drop index pgqrs_done_time")
    assert "pgqrs_done_time" in pgqrs.refused("verify")
    assert "remove 0 queues with 0 live" in pgqrs.refused("uninstall", status=2)
    assert pgqrs("uninstall", "--yes") == "uninstalled\n"
    assert "is not installed" in pgqrs.refused("verify")


def test_roles_get_the_rights_of_their_kind(pgqrs, dsn, database):
    name = "web of " + database.value("select current_database()")
    database.execute(f'create role "{name}" login')
    try:
        assert "no such role" in pgqrs.refused("install", "--roles", "viewer=no such role")
        pgqrs("install", "--roles", f"producer={name}")
        parts = urlsplit(dsn)
        user = parts._replace(netloc=f"{quote(name)}@{parts.hostname}:{parts.port}").geturl()
        pgqrs("produce", "tasks", "1", "--dsn", user)
        pgqrs.refused("queue", "list", "--dsn", user)
        said = pgqrs.refused("install", "--roles", "cook=me", status=2)
        assert "--roles 'cook=me': write owner=ROLE" in said
        owners = ("--roles", "owner=a", "--roles", "owner=b")
        assert "one owner" in pgqrs.refused("install", *owners, status=2)
    finally:
        database.execute(f'drop owned by "{name}"')
        database.execute(f'drop role "{name}"')


def test_the_sql_is_printed_without_a_database(pgqrs_nowhere):
    text = pgqrs_nowhere("install", "--print-sql", "--schema", "jobs")
    assert "create table" in text.lower()
    assert "jobs" in text
    assert len(pgqrs_nowhere("install", "--print-sql", "--from-version", 5)) < len(text)
    said = pgqrs_nowhere.refused("install", "--from-version", 5, status=2)
    assert said == "--from-version goes with --print-sql"


def test_wrong_usage_is_one_line_and_status_2(pgqrs_nowhere):
    said = pgqrs_nowhere.refused("queue", "list", status=2)
    assert "give --dsn, or set PGQRS_DSN" in said
    said = pgqrs_nowhere.refused("queue", "list", "--dsn", "mysql://me:secret@host/x")
    assert "secret" not in said
    assert "No such command" in pgqrs_nowhere.refused("quue", status=2)
    assert "--format" in pgqrs_nowhere.refused("queue", "list", "--format", "xml", status=2)


def test_a_server_that_is_not_there_is_one_line_without_the_password(pgqrs_nowhere, monkeypatch):
    monkeypatch.setenv("PGQRS_CONNECTION_TIMEOUT_SECONDS", "0.5")
    dsn = "postgresql://me:secret@127.0.0.1:1/x"
    for arguments in (["--dsn", dsn, "queue", "list"], ["queue", "list", "--dsn", dsn]):
        said = pgqrs_nowhere.refused(*arguments)
        assert "127.0.0.1" in said
        assert "secret" not in said


def test_the_version_is_that_of_the_package(pgqrs_nowhere):
    assert pgqrs_nowhere("--version") == f"pgqrs {package.__version__}\n"
    assert pgqrs_nowhere("-h").startswith("Usage: ")
