"""pgqrs top: a live screen of queues and workers.

    _watch     what the database says, and the rates between two looks
    _rows      that, as rows of tables
    _screens   the questions and pages over the screen
    _app       the screen and its keys

The library textual is imported only when the command runs.
"""

from __future__ import annotations

import sys

import click

from .._command import Command
from .._run import Failure
from .._session import Session, pass_session
from .._types import DURATION


@click.command(cls=Command)
@click.option(
    "--every", type=DURATION, default=1, show_default=True, help="Look at the database so often."
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True),
    help="Write the screen to this file as SVG, after some looks, and show nothing.",
)
@pass_session
async def top(session: Session, every: float, picture: str | None) -> None:
    """Watch queues and workers on a live screen.

    Keys: p pauses and resumes the queue under the cursor, r replays its dead letters, x
    purges it, i (or enter) shows its messages, tab goes to the workers and back, q quits.
    """
    if picture is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("top wants a terminal; for programs: `pgqrs queue list`")
    try:
        from ._app import Top
    except ImportError as error:
        raise Failure(f"top needs {error.name}: pip install 'pgqrs[cli]'") from error
    async with session.connect() as store:
        app = Top(store, max(every, 0.1), picture)
        await app.run_async(headless=picture is not None, size=(118, 24) if picture else None)
    if app.return_code:
        raise click.exceptions.Exit(app.return_code)
