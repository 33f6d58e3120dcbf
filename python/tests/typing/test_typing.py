"""Type checkers pass on users' code, and find users' mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pgqrs

HERE = Path(__file__).parent


def check(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", str(HERE / program)],
        capture_output=True,
        text=True,
        env={"MYPYPATH": str(Path(pgqrs.__file__).parents[1]), "PATH": ""},
    )


@pytest.mark.parametrize("program", ["user_program.py", "blocking_program.py"])
def test_mypy_strict_passes_on_a_users_program(program):
    answer = check(program)
    assert answer.returncode == 0, answer.stdout


def test_mypy_finds_each_mistake():
    answer = check("wrong_program.py")
    found = {int(number) for number in re.findall(r"wrong_program\.py:(\d+): error", answer.stdout)}
    lines = (HERE / "wrong_program.py").read_text().splitlines()
    assert found == {n for n, line in enumerate(lines, 1) if line.endswith("# mistake")}, (
        answer.stdout
    )


def test_the_package_says_that_it_is_typed():
    assert Path(pgqrs.__file__).with_name("py.typed").exists()
