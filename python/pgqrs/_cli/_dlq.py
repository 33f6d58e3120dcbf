"""pgqrs dlq: the dead letters."""

from __future__ import annotations

from typing import Any

import click

from .._archive import Archive
from .._archive_info import Outcome
from ._archive import COLUMNS, filters, limit, some
from ._command import Group
from ._output import print_pages
from ._progress import bar
from ._session import Session, pass_session

PIECE = 1000
"""How many messages are replayed between two steps of the bar."""


@click.group(cls=Group)
def dlq() -> None:
    """Dead letters: messages that were delivered too often."""


@dlq.command("list")
@click.argument("queue", required=False)
@filters
@limit
@pass_session
async def list_(session: Session, /, limit: int, **filter: Any) -> None:
    """List dead messages, of one queue or of all, the latest first."""
    async with session.connect() as store:
        found = some(Archive(store), limit, outcome=Outcome.DEAD, **filter)
        await print_pages(session, COLUMNS, found)


@dlq.command()
@click.argument("queue", required=False)
@filters
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@click.option("--per-second", type=click.FloatRange(0.001), help="So many a second.")
@pass_session
async def replay(
    session: Session, /, limit: int | None, per_second: float | None, **filter: Any
) -> None:
    """Make dead messages ready again, of one queue or of all.

    What dies again meanwhile is not replayed a second time.
    """
    async with session.connect() as store:
        archive, done = Archive(store), 0
        total = await archive.count(outcome=Outcome.DEAD, **filter)
        total = total if limit is None else min(limit, total)
        piece = PIECE if per_second is None else max(1, min(PIECE, round(per_second)))
        with bar("replaying", total) as replaying:
            while done < total:
                number = await archive.replay_all(
                    limit=min(piece, total - done), per_second=per_second, **filter
                )
                replaying.advance(number)
                done += number
                if not number:
                    break
    session.say(f"replayed {done:,} messages")
