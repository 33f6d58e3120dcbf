"""docs/tutorial.md, followed word for word."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fix_store import eventually
from shell import Shell, blocks_of


@pytest.fixture
def shell() -> Iterator[Shell]:
    # /tmp, not TMPDIR: as root, the server's user must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="pgqrs-tutorial-", dir="/tmp"))
    folder.chmod(0o755)
    shell = Shell(folder)
    try:
        yield shell
    finally:
        shell.close()
        shutil.rmtree(folder)


def test_a_newcomer_gets_what_the_tutorial_says(shell: Shell):
    def wait_for_metrics(**expected: int) -> None:
        command = [sys.executable, "-m", "pgqrs", "queue", "metrics", "emails", "--format", "json"]
        where = os.environ | {"PGQRS_DSN": "embedded://./queue-data"}

        def there() -> bool:
            told = subprocess.check_output(command, cwd=shell.folder, env=where, timeout=60)
            return expected.items() <= json.loads(told).items()

        eventually(there, f"{expected}")

    def wait_for_line(line: str) -> None:
        eventually(lambda: line in shell.printed(), line)

    seen = []
    for language, code in blocks_of("tutorial.md"):
        if language == "console":  # the installation: this is what it has made
            continue
        if language == "python":
            shell.save(code)
            continue
        if language == "text":
            assert seen[-1] == code
            continue
        assert language == "sh"
        answer = shell.type(code)
        seen.append(answer)
        if "| pgqrs produce" in code:
            wait_for_metrics(archived=21)
            sent = [line for line in shell.printed().splitlines() if " sends to " in line]
            assert sorted(line.partition("sends to ")[2] for line in sent) == sorted(
                f"user{number}@example.com" for number in range(1, 21)
            )
            assert len({line.split()[1] for line in sent}) == 2
        elif "nobody" in code:
            wait_for_metrics(dead=1)
            wait_for_line("nobody is no address")
        elif "dlq list" in code:
            assert "nobody is no address" in answer
            assert "\n22 " in answer
        elif "history 22" in code:
            assert answer.count("nobody is no address") == 3
        elif "dlq replay" in code:
            wait_for_metrics(dead=0, archived=22)
            wait_for_line("sends to nobody@example.com")
    assert len(seen) == 9


def test_the_first_message_takes_ten_lines():
    first = next(code for language, code in blocks_of("tutorial.md") if language == "python")
    assert len([line for line in first.splitlines()[1:] if line]) <= 10
