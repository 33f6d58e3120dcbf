"""Somebody at a terminal who follows a page: saves its programs, and types its commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fix_page import DOCS

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./]+)\n")


def blocks_of(page: str) -> Iterator[tuple[str, str]]:
    """Every block of a page of docs/, with its language."""
    return iter(BLOCK.findall((DOCS / page).read_text(encoding="utf-8")))


class Shell:
    """A bash in a folder, where pgqrs is installed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        programs = Path(sys.executable).parent
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=os.environ
            | {"PATH": f"{programs}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "100"}
            | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def save(self, program: str) -> None:
        """A program whose first line says what to save it as."""
        name = FILE.match(program)
        assert name, program
        (self.folder / name[1]).write_text(program)

    def type(self, commands: str) -> str:
        """Types these commands, each of which must succeed; what is printed meanwhile."""
        assert self._shell.stdin
        assert self._shell.stdout
        # The newline before the mark is not part of what is printed.
        self._shell.stdin.write(f"bad=0; trap 'bad=$?' ERR\n{commands}\necho; echo \"=== $bad\"\n")
        self._shell.stdin.flush()
        printed = []
        for line in self._shell.stdout:
            if "=== " in line:
                assert line.strip().endswith("=== 0"), (commands, "".join(printed), line)
                return "".join(printed).removesuffix("\n")
            printed.append(line)
        raise AssertionError("the shell ended: " + "".join(printed))

    def close(self) -> str:
        """Ends the shell and what it has started; what they still print."""
        try:
            printed, _ = self._shell.communicate("kill $(jobs -p) 2>/dev/null; wait\n", 20)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            raise
        return printed
