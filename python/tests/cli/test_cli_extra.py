"""The command line is an extra: nobody else pays for it."""

from __future__ import annotations

import subprocess
import sys

EXTRAS = ("click", "rich", "textual", "uvloop", "psycopg", "asyncpg", "sqlalchemy", "django")

WITHOUT_CLICK = """
import sys
sys.modules["click"] = None
sys.argv = ["pgqrs", "queue", "list"]
from pgqrs.__main__ import main
main()
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True)


def test_without_its_libraries_it_says_what_to_install():
    result = run("-c", WITHOUT_CLICK)
    assert result.returncode == 1
    assert result.stderr == ("pgqrs: the command line needs click: pip install 'pgqrs[cli]'\n")


def test_top_alone_loads_textual():
    loaded = f"import sys; print([name for name in {EXTRAS} if name in sys.modules])"
    assert run("-c", f"import pgqrs._cli; {loaded}").stdout == "['click', 'rich']\n"


def test_python_m_pgqrs_is_the_command():
    assert run("-m", "pgqrs", "--version").stdout.startswith("pgqrs ")
    result = run("-m", "pgqrs", "queue", "list", "--dsn", "memory://none")
    assert (result.returncode, result.stderr) == (0, "")
