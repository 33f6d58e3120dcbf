"""Type checkers pass on users' code, and find users' mistakes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pgqrs

HERE = Path(__file__).parent
CHECKERS = {
    "mypy": [sys.executable, "-m", "mypy", "--strict", "--config-file", ""],
    "pyright": [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
}


def check(checker: str, program: str) -> subprocess.CompletedProcess[str]:
    ours = {
        "MYPYPATH": str(Path(pgqrs.__file__).parents[1]),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # or it asks for its newest version
    }
    command = [*CHECKERS[checker], str(HERE / program)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | ours)


@pytest.mark.parametrize("program", ["user_program.py", "blocking_program.py"])
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_users_program_passes(checker, program):
    answer = check(checker, program)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("checker", CHECKERS)
def test_each_mistake_is_found(checker):
    answer = check(checker, "wrong_program.py")
    found = {
        int(number) for number in re.findall(r"wrong_program\.py:(\d+):.*error", answer.stdout)
    }
    lines = (HERE / "wrong_program.py").read_text().splitlines()
    assert found == {n for n, line in enumerate(lines, 1) if line.endswith("# mistake")}, (
        answer.stdout
    )


def test_the_package_says_that_it_is_typed():
    assert Path(pgqrs.__file__).with_name("py.typed").exists()
