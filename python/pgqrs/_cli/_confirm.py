"""Asking before something is destroyed."""

from __future__ import annotations

import sys

import click

from ._run import Failure, interruptible
from ._session import Session


def confirm(session: Session, what: str) -> None:
    """Returns when the user wants it: --yes was given, or the question answered so. Where
    nobody can be asked, because standard input is no terminal, that is wrong usage."""
    if session.yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"to {what} needs --yes here: nobody can be asked, since standard input is no terminal"
        )
    with interruptible():
        wanted = click.confirm(f"{what[0].upper()}{what[1:]}?", err=True)
    if not wanted:
        raise Failure("nothing was done")
