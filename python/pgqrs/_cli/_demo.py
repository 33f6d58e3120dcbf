"""pgqrs demo: the demonstration."""

from __future__ import annotations

import subprocess
import sys

import click

from ._command import Command


@click.command(cls=Command)
@click.option(
    "--messages", type=click.IntRange(2), default=20_000, show_default=True, help="How many."
)
def demo(messages: int) -> None:
    """Watch messages survive a killed worker, on a private PostgreSQL.

    Needs the extra pgqrs[demo].
    """
    # A process of its own: it starts others of its kind.
    command = [sys.executable, "-m", "pgqrs._demo", "--messages", str(messages)]
    status = subprocess.run(command).returncode
    if status:
        raise click.exceptions.Exit(1)
