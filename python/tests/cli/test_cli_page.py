"""The examples of docs/command-line.md run as they are printed, one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fix_page import DOCS, blocks


def test_every_example_of_the_page_runs(dsn, database):
    folder = Path(sys.executable).parent
    environment = os.environ | {"PGQRS_DSN": dsn, "PATH": f"{folder}:{os.environ['PATH']}"}
    script = "".join(blocks("command-line.md", "sh"))
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    rows = "select queue_name, depth, archived, dead from pgqrs_metrics order by queue_name"
    assert database.rows(rows) == [("emails", 0, 1, 0), ("numbers", 0, 5000, 0)]


def test_the_page_names_every_command():
    from pgqrs._cli import cli

    text = (DOCS / "command-line.md").read_text()
    for name, command in cli.commands.items():
        assert f"`{name}" in text, name
        for verb in getattr(command, "commands", ()):
            assert f"`{verb}`" in text or f"`{name} {verb}" in text, f"{name} {verb}"
