"""pgqrs archive: the messages that are done, archived or dead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from .._archive import Archive
from .._archive_info import ArchivedMessage, Outcome
from ._command import Group
from ._confirm import confirm
from ._output import Column, Identifier, payload, print_pages, print_record
from ._progress import bar
from ._session import Session, pass_session
from ._types import DURATION, MOMENT

Function = TypeVar("Function", bound=Callable[..., Any])

COLUMNS = (
    Column("id", lambda m: Identifier(m.id), lambda m: "bold"),
    Column("queue id", lambda m: Identifier(m.queue_id)),
    Column("outcome", lambda m: m.outcome, lambda m: "red" if m.outcome is Outcome.DEAD else ""),
    Column("ended", lambda m: m.archived_at),
    Column("reads", lambda m: m.read_ct),
    Column("payload", lambda m: payload(m.payload)),
    Column("error", lambda m: m.error, lambda m: "red" if m.error else ""),
)


def filters(function: Function) -> Function:
    """The options that say which messages."""
    for option in (
        click.option("--until", type=MOMENT, help="Ended before that moment, or so long ago."),
        click.option("--since", type=MOMENT, help="Ended from that moment on, or since then."),
        click.option("--worker", "worker_id", type=int, help="Last leased to that worker."),
    ):
        function = option(function)
    return function


limit = click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many."
)


@click.group(cls=Group)
def archive() -> None:
    """Messages that are done."""


@archive.command("list")
@click.argument("queue", required=False)
@click.option("--outcome", type=click.Choice([o.value for o in Outcome]), help="Of one kind.")
@filters
@limit
@pass_session
async def list_(session: Session, /, limit: int, **filter: Any) -> None:
    """List done messages, of one queue or of all, the latest first."""
    async with session.connect() as store:
        await print_pages(session, COLUMNS, some(Archive(store), limit, **filter))


@archive.command()
@click.argument("message_id", type=int)
@pass_session
async def show(session: Session, message_id: int) -> None:
    """One done message."""
    async with session.connect() as store:
        print_record(session, await Archive(store).get(message_id))


@archive.command()
@click.argument("message_ids", type=int, nargs=-1, required=True, metavar="MESSAGE_ID…")
@pass_session
async def replay(session: Session, message_ids: tuple[int, ...]) -> None:
    """Make done messages ready again, each under its id."""
    async with session.connect() as store:
        for message_id in message_ids:
            await Archive(store).replay(message_id)
            session.say(f"message {message_id} is ready")


@archive.command()
@click.argument("message_id", type=int)
@pass_session
async def delete(session: Session, message_id: int) -> None:
    """Delete a done message with its history."""
    confirm(session, f"delete message {message_id}")
    async with session.connect() as store:
        await Archive(store).delete(message_id)
    session.say(f"deleted message {message_id}")


@archive.command()
@click.argument("queue", required=False)
@click.option("--older-than", type=DURATION, required=True, help="Done so long ago, or longer.")
@pass_session
async def purge(session: Session, queue: str | None, older_than: float) -> None:
    """Delete old done messages, of one queue or of all."""
    where = "every queue" if queue is None else f"queue {queue!r}"
    confirm(session, f"delete the done messages of {where} that are older than {older_than:g} s")
    async with session.connect() as store:
        with bar("purging", None) as purging:
            number = await Archive(store).purge(older_than, queue)
            purging.advance(number)
    session.say(f"deleted {number:,} messages")


async def some(
    archive: Archive,
    limit: int,
    queue: str | None,
    outcome: Outcome | str | None,
    worker_id: int | None,
    since: datetime | None,
    until: datetime | None,
) -> AsyncIterator[ArchivedMessage]:
    """At most limit of the done messages, in pages."""
    after: ArchivedMessage | None = None
    while limit:
        page = await archive.list(
            queue,
            outcome,
            worker_id=worker_id,
            since=since,
            until=until,
            limit=min(limit, 1000),
            after=after,
        )
        for message in page:
            yield message
        if len(page) < min(limit, 1000):
            return
        limit -= len(page)
        after = page[-1]
