"""Asks pip-audit about what users install with pgqrs.

    python scripts/audit.py           (part of `make audit`)

That is its dependencies and extras, with all that they pull in.
Fails when one has a known vulnerability, and when the database cannot be asked.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import requires


def requirements() -> list[str]:
    """What the installed package says that it needs, extras included."""
    found = [each.split(";")[0].strip() for each in requires("pgqrs") or []]
    return sorted({each for each in found if not each.startswith("pgqrs")})


def main() -> int:
    """The status of pip-audit."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(requirements()) + "\n")
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--strict", "-r", file.name]
        return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
