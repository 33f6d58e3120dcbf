"""No page has a snippet that nothing runs: this says who does, and runs the rest."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from fix_page import DOCS, blocks
from shell import Shell, blocks_of

import pgqrs

PROJECT = DOCS.parent
TESTS = PROJECT / "python/tests"

# What runs the snippets of a language on a page. The guides have test_guides.py, which
# says so itself.
RUN_BY = {
    ("../README.md", "python"): "packaging/test_readme.py",
    ("../README.md", "go"): "packaging/test_readme.py",
    ("../README.md", "sh"): "docs/test_every_snippet.py",
    ("blocking.md", "python"): "sync/test_blocking_transactions.py",
    ("command-line.md", "sh"): "cli/test_cli_page.py",
    ("configuration.md", "toml"): "docs/test_every_snippet.py",
    ("message-lifecycle.md", "python"): "docs/test_message_lifecycle_page.py",
    ("migrating.md", "sql"): "docs/test_linked_pages.py",
    ("soak.md", "sh"): "docs/test_every_snippet.py",
    ("sql.md", "sql"): "transaction/test_pages.py",
    ("storage.md", "sql"): "docs/test_storage_page.py",
    ("testing.md", "python"): "sync/test_pytest_plugin.py",
    ("transactions.md", "go"): "docs/test_every_snippet.py",
    ("transactions.md", "python"): "transaction/test_pages.py",
    ("typed-payloads.md", "python"): "acceptance/test_typed_payloads.py",
    ("tutorial.md", "python"): "docs/test_tutorial.py",
    ("tutorial.md", "sh"): "docs/test_tutorial.py",
    ("tutorial.md", "text"): "docs/test_tutorial.py",
}
# Diagrams; and what installs the project from a clone, which the tests stand on.
NOT_RUN = {"mermaid", "console"}


def test_every_snippet_is_run_by_a_test():
    pages = ["../README.md", *sorted(path.name for path in DOCS.glob("*.md"))]
    found = {(page, language) for page in pages for language, _ in blocks_of(page)}
    assert {pair for pair in found if pair[1] not in NOT_RUN} == set(RUN_BY)
    for (page, _), test in RUN_BY.items():
        assert Path(page).name in (TESTS / test).read_text(), (page, test)


def test_the_file_of_the_configuration_page_is_read(tmp_path: Path):
    file = tmp_path / "pgqrs.toml"
    (text,) = blocks("configuration.md", "toml")
    file.write_text(text)
    config = pgqrs.Config.load(file)
    assert (config.schema, config.default_lock_time_seconds) == ("jobs", 60)
    assert config.forbidden_keys == ("__proto__",)


def make(commands: str) -> list[str]:
    """What make would do at each of these lines."""
    lines = [line.partition("#")[0].strip() for line in commands.splitlines()]
    done = []
    for line in lines:
        command = [*line.split(), "--dry-run"]
        result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        done.append(result.stdout)
    return done


def test_the_commands_of_the_soak_page_are_those_of_the_makefile():
    # Carried out they take hours; the bench itself has its tests, and a run of seconds.
    (commands,) = blocks("soak.md", "sh")
    assert "--seed 7" in make(commands)[1]


def test_the_commands_of_the_readme(tmp_path: Path, dsn: str, database):
    first, second, third = blocks("../README.md", "sh")
    # What these do is run by the tests of the demonstration, and by packaging/.
    assert all("pgqrs" in done or "test.py" in done for done in make(first))
    assert [line.split()[0] for line in third.splitlines()] == ["pip", "make", "make"]
    install, where, *commands, live = second.splitlines()
    assert install.startswith("pip install")
    assert where.startswith("export PGQRS_DSN=")
    assert live == "pgqrs top"  # in a terminal: cli/test_cli_top.py
    handler = tmp_path / "handle-one"
    handler.write_text("#!/bin/sh\ncat >/dev/null\n")
    handler.chmod(0o755)
    shell = Shell(tmp_path, PGQRS_DSN=dsn)
    try:
        shell.type("\n".join(commands).replace("1 1000", "1 20"))
    finally:
        shell.close()
    assert database.value("select count(*) from pgqrs_archive where outcome = 'archived'") == 20


GO = """package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	pgqrs "github.com/pgqrs/pgqrs/core"
)

type given struct {
	pool     *pgxpool.Pool
	producer *pgqrs.Producer
	message  *pgqrs.Message
	order    any
}

func settle(ctx context.Context, g given) (bool, error) {
	pool, producer, message, order := g.pool, g.producer, g.message, g.order
	%s
	return held, err
}

func main() { _, _ = settle(context.Background(), given{}) }
"""


def test_the_go_of_the_transactions_page_compiles(tmp_path: Path):
    # What it does is tested in core/transaction_test.go.
    (code,) = blocks("transactions.md", "go")
    (tmp_path / "main.go").write_text(GO % code.replace("\n…\n", "\n"))
    command = ["go", "vet", str(tmp_path / "main.go")]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", ["tutorial.md", *sorted(os.listdir(DOCS / "how-to"))])
def test_what_is_shown_and_not_run_names_programs_that_are_there(page):
    folder = "" if page == "tutorial.md" else "how-to/"
    shown = list(blocks_of(folder + page))
    programs = "".join(code for language, code in shown if language == "python")
    for language, code in shown:
        if language == "console":
            for name in re.findall(r"python (\w+\.py)|uvicorn (\w+):", code):
                name = name[0] or f"{name[1]}.py"
                assert f"# {name}\n" in programs or name == "manage.py"
