"""Programs that the tests of hosts/ run in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parent / "hosts" / "programs"


def command(program: str, *arguments: str) -> list[str]:
    """The command line of one of the programs."""
    return [sys.executable, "-X", "faulthandler", str(PROGRAMS / program), *arguments]


def ran(program: str, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs one of the programs to its end."""
    return subprocess.run(
        command(program, *arguments), capture_output=True, text=True, timeout=seconds
    )
