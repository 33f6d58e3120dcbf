"""The command line, in this process: quick, and its output at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pgqrs._cli import cli


@pytest.fixture(autouse=True)
def _clean(nothing_is_left: None) -> None:
    """After each test of this folder nothing is left."""


class Commands:
    """Runs `pgqrs` with arguments, on one database."""

    def __init__(self, dsn: str | None) -> None:
        self._runner = CliRunner(env={"PGQRS_DSN": dsn})

    def run(self, *arguments: object, input: str | bytes | None = None) -> Result:
        result = self._runner.invoke(cli, [str(a) for a in arguments], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def __call__(self, *arguments: object, input: str | bytes | None = None) -> str:
        """What it prints, where it ends well."""
        result = self.run(*arguments, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: object) -> list[dict[str, Any]]:
        """The objects that it prints."""
        return [json.loads(line) for line in self(*arguments, "--format", "json").splitlines()]

    def refused(self, *arguments: object, input: str | bytes | None = None, status: int = 1) -> str:
        """What it says, in one line, where it ends with that status."""
        result = self.run(*arguments, input=input)
        assert result.exit_code == status, result.output
        *usage, said = result.stderr.strip().splitlines()
        assert said.startswith("Error: "), result.stderr
        assert not usage or usage[0].startswith("Usage: "), result.stderr
        return said.removeprefix("Error: ")


@pytest.fixture
def pgqrs(dsn: str) -> Commands:
    """The command line on an empty database."""
    return Commands(dsn)


@pytest.fixture
def pgqrs_nowhere(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The command line without a DSN."""
    monkeypatch.delenv("PGQRS_DSN", raising=False)
    return Commands(None)
