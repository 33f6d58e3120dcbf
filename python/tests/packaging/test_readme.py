"""The first programs of the README run as printed, and the demonstration loses nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


def _first_block(language: str) -> str:
    found = re.search(
        rf"^```{language}\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found, f"the README has no {language} block"
    return found[1]


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_python_program_runs(open_folder: Path) -> None:
    program = open_folder / "first.py"
    program.write_text(_first_block("python"))
    output = _run(sys.executable, "-W", "error", program, cwd=open_folder)
    assert output.splitlines() == [
        "to ann@example.com, delivery 1",
        "to bob@example.com, delivery 1",
        "to eve@example.com, delivery 1",
    ]


def test_the_go_program_runs(open_folder: Path, dsn: str) -> None:
    (open_folder / "main.go").write_text(_first_block("go"))
    _run("go", "mod", "init", "example.com/first", cwd=open_folder)
    module = "github.com/pgqrs/pgqrs"
    _run(
        "go",
        "mod",
        "edit",
        f"-require={module}@v0.0.0",
        f"-replace={module}={PROJECT}",
        cwd=open_folder,
    )
    _run("go", "mod", "tidy", cwd=open_folder)
    output = _run("go", "run", ".", cwd=open_folder, PGQRS_DSN=dsn)
    assert output == '{"to":"ann@example.com"}, delivery 1\n'


@pytest.mark.parametrize("messages", [2000])
def test_the_demonstration_loses_nothing(messages: int) -> None:
    output = _run(
        sys.executable, "-W", "error", "-m", "pgqrs._demo", "--messages", str(messages), cwd=PROJECT
    )
    ledger = dict(
        re.findall(r"^(produced|archived|redelivered|lost) +([\d,]+)", output, re.MULTILINE)
    )
    assert ledger["produced"] == ledger["archived"] == f"{messages:,}"
    assert ledger["lost"] == "0"
    assert "Traceback" not in output
