"""Runs whole programs as strictly as the interpreter can."""

from __future__ import annotations

import re
import subprocess
import sys

SLOW_STEP = re.compile(r"^Executing <.*> took \d+\.\d+ seconds\n", re.MULTILINE)


def ran_strictly(*arguments: str) -> tuple[int, str, str]:
    """Runs a Python program in development mode, with each warning an error: its exit
    code and what it printed.

    That mode tells on stderr of a step of the loop that took a tenth of a second. On a
    busy machine each may, so that line is left out.
    """
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.returncode, ended.stdout, SLOW_STEP.sub("", ended.stderr)
