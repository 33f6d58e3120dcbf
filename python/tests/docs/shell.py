"""Somebody at a terminal who follows a page: saves its programs, and types its commands."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fix_page import DOCS

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./]+)\n")


def blocks_of(page: str) -> Iterator[tuple[str, str]]:
    """Every block of a page of docs/, with its language."""
    return iter(BLOCK.findall((DOCS / page).read_text(encoding="utf-8")))


class Shell:
    """A bash in a folder, where pgqrs is installed. What a block of commands prints goes to a
    file of its own, where what it leaves running goes on printing."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._outputs: list[Path] = []
        self._files = Path(tempfile.mkdtemp(prefix="pgqrs-shell-"))
        programs = Path(sys.executable).parent
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=os.environ
            | {"PATH": f"{programs}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "100"}
            | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,  # only for how blocks ended
            text=True,
            start_new_session=True,
        )

    def save(self, program: str) -> None:
        """A program whose first line says what to save it as."""
        name = FILE.match(program)
        assert name, program
        (self.folder / name[1]).write_text(program)

    def type(self, commands: str) -> str:
        """Types these commands, each of which must succeed; what they have printed."""
        assert self._shell.stdin
        assert self._shell.stdout
        output = self._files / str(len(self._outputs))
        self._outputs.append(output)
        self._shell.stdin.write(
            f"exec 3>&1 >{output} 2>&1; bad=0; trap 'bad=$?' ERR\n"
            f"{commands}\n"
            "exec >&3 3>&-; echo $bad\n"
        )
        self._shell.stdin.flush()
        bad = self._shell.stdout.readline().strip()
        printed = output.read_text()
        assert bad == "0", (commands, printed, bad)
        return printed

    def printed(self) -> str:
        """All that has been printed until now."""
        return "".join(output.read_text() for output in self._outputs)

    def close(self) -> str:
        """Ends the shell and what it has started; all that was printed."""
        assert self._shell.stdin
        self._shell.stdin.write("kill $(jobs -p) 2>/dev/null; wait\n")
        self._shell.stdin.close()
        try:
            self._shell.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
            assert self._shell.stdout
            self._shell.stdout.close()
            printed = self.printed()
            shutil.rmtree(self._files)
        return printed
