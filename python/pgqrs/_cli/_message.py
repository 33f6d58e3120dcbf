"""pgqrs message: messages that are alive, and one message wherever it is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import click

from .._archive import Archive
from .._errors import MessageNotFoundError
from .._message_info import MessageInfo, MessageState
from .._messages import Messages
from ._archive import limit
from ._command import Group
from ._confirm import confirm
from ._output import Column, Identifier, payload, print_list, print_pages, print_record
from ._session import Session, pass_session

HISTORY = (
    Column("attempt", lambda a: a.attempt),
    Column("worker", lambda a: a.consumer_worker_id and Identifier(a.consumer_worker_id)),
    Column("started", lambda a: a.started_at),
    Column("ended", lambda a: a.ended_at),
    Column("outcome", lambda a: a.outcome),
    Column("error", lambda a: a.error, lambda a: "red" if a.error else ""),
)


STYLES = {MessageState.LEASED: "green", MessageState.DELAYED: "yellow"}

COLUMNS = (
    Column("id", lambda m: Identifier(m.id), lambda m: "bold"),
    Column("queue id", lambda m: Identifier(m.queue_id)),
    Column("state", lambda m: m.state, lambda m: STYLES.get(m.state, "")),
    Column("enqueued", lambda m: m.enqueued_at),
    Column("vt", lambda m: m.vt),
    Column("reads", lambda m: m.read_ct),
    Column("worker", lambda m: m.consumer_worker_id and Identifier(m.consumer_worker_id)),
    Column("payload", lambda m: payload(m.payload)),
)


@click.group(cls=Group)
def message() -> None:
    """Look at messages, and settle live ones by their ids."""


@message.command("list")
@click.argument("queue", required=False)
@click.option("--state", type=click.Choice([s.value for s in MessageState]), help="In one state.")
@limit
@pass_session
async def list_(session: Session, queue: str | None, state: str | None, limit: int) -> None:
    """List live messages, of one queue or of all, by their ids. None is leased by that."""
    async with session.connect() as store:
        await print_pages(session, COLUMNS, _first(Messages(store).iterate(queue, state), limit))


async def _first(messages: AsyncIterator[MessageInfo], limit: int) -> AsyncIterator[MessageInfo]:
    async for one in messages:
        yield one
        limit -= 1
        if not limit:
            return


@message.command()
@click.argument("message_id", type=int)
@pass_session
async def show(session: Session, message_id: int) -> None:
    """One message, alive or done."""
    async with session.connect() as store:
        try:
            found: object = await Messages(store).get(message_id)
        except MessageNotFoundError:
            found = await Archive(store).get(message_id)
        print_record(session, found)


@message.command()
@click.argument("message_id", type=int)
@pass_session
async def history(session: Session, message_id: int) -> None:
    """The deliveries of a message, the first one first."""
    async with session.connect() as store:
        print_list(session, HISTORY, await Archive(store).history(message_id))


@message.command()
@click.argument("message_ids", type=int, nargs=-1, required=True, metavar="MESSAGE_ID…")
@pass_session
async def release(session: Session, message_ids: tuple[int, ...]) -> None:
    """Make live messages ready now: delayed ones, and leased ones, which their holders
    cannot settle any more."""
    async with session.connect() as store:
        for message_id in message_ids:
            await Messages(store).release(message_id)
            session.say(f"message {message_id} is ready")


@message.command()
@click.argument("message_ids", type=int, nargs=-1, required=True, metavar="MESSAGE_ID…")
@click.option("--force", is_flag=True, help="Leased ones, too: somebody may work on them.")
@pass_session
async def delete(session: Session, message_ids: tuple[int, ...], force: bool) -> None:
    """Delete live messages, without a trace."""
    confirm(session, f"delete {', '.join(f'message {number}' for number in message_ids)}")
    async with session.connect() as store:
        for message_id in message_ids:
            await Messages(store).delete(message_id, force=force)
            session.say(f"deleted message {message_id}")
