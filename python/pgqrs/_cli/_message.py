"""pgqrs message: one message, wherever it is."""

from __future__ import annotations

import click

from .._archive import Archive
from ._command import Group
from ._output import Column, Identifier, print_list
from ._session import Session, pass_session

HISTORY = (
    Column("attempt", lambda a: a.attempt),
    Column("worker", lambda a: a.consumer_worker_id and Identifier(a.consumer_worker_id)),
    Column("started", lambda a: a.started_at),
    Column("ended", lambda a: a.ended_at),
    Column("outcome", lambda a: a.outcome),
    Column("error", lambda a: a.error, lambda a: "red" if a.error else ""),
)


@click.group(cls=Group)
def message() -> None:
    """Look at one message."""


@message.command()
@click.argument("message_id", type=int)
@pass_session
async def history(session: Session, message_id: int) -> None:
    """The deliveries of a message, the first one first."""
    async with session.connect() as store:
        print_list(session, HISTORY, await Archive(store).history(message_id))
