"""Makes a virtual environment with pip, where the machine's Python lacks one, too.

    python3 scripts/make_venv.py FOLDER

Debian splits ensurepip off into python3-venv; without it another pip, or uv, can
still fill the environment. Runs on any Python 3, to be able to refuse an old one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv


def main(folder: str) -> str | None:
    """Make it; return what is wrong, or None."""
    if sys.version_info < (3, 10):  # noqa: UP036 - this is where an old one is refused
        has = "{}.{}".format(*sys.version_info)
        return f"pgqrs needs Python 3.10 or newer, and {sys.executable} is {has}: make PYTHON=…"
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False, symlinks=True)
    ways = [
        [folder + "/bin/python", "-m", "ensurepip", "--default-pip"],
        [sys.executable, "-m", "pip", "--python", folder + "/bin/python", "install", "pip"],
        ["uv", "pip", "install", "--python", folder + "/bin/python", "pip"],
    ]
    for way in ways:
        try:
            if (
                subprocess.run(way, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
                == 0
            ):
                return None
        except FileNotFoundError:
            pass
    shutil.rmtree(folder, ignore_errors=True)
    return "this Python has neither pip nor ensurepip; on Debian: apt-get install python3-venv"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
