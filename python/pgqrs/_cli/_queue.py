"""pgqrs queue: the table of queues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .._admin import Admin
from .._errors import ValidationError
from .._queue_info import QueueInfo, RetryPolicy
from .._queues import Queues
from ._command import Group
from ._confirm import confirm
from ._output import Column, age, plain, print_list, print_record
from ._progress import bar
from ._run import Failure
from ._session import Session, pass_session
from ._types import DURATION, duration

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT = "default"
"""What takes a setting back."""


@click.group(cls=Group)
def queue() -> None:
    """Make, look at, and change queues."""


COLUMNS = (
    Column("queue", lambda m: m.queue_name, lambda m: "bold"),
    Column("depth", lambda m: m.depth),
    Column("ready", lambda m: m.ready),
    Column("delayed", lambda m: m.delayed),
    Column("leased", lambda m: m.leased),
    Column("dead", lambda m: m.dead, lambda m: "red" if m.dead else ""),
    Column("archived", lambda m: m.archived),
    Column("in/s", lambda m: m.produce_rate),
    Column("out/s", lambda m: m.ack_rate),
    Column("oldest", lambda m: age(m.oldest_ready_age_seconds)),
    Column("paused", lambda m: m.paused_at, lambda m: "yellow"),
)


@queue.command("list")
@pass_session
async def list_(session: Session) -> None:
    """List the queues with their numbers."""
    async with session.connect() as store:
        print_list(session, COLUMNS, await Queues(store).list_metrics())


@queue.command()
@click.argument("name", required=False)
@pass_session
async def metrics(session: Session, name: str | None) -> None:
    """The numbers of one queue, or of all together."""
    async with session.connect() as store:
        found = Queues(store).metrics(name) if name is not None else Admin(store).system_stats()
        print_record(session, await found)


@queue.command()
@click.argument("name")
@pass_session
async def get(session: Session, name: str) -> None:
    """One queue with its settings."""
    async with session.connect() as store:
        _print(session, await Queues(store).get(name))


@queue.command()
@click.argument("name")
@pass_session
async def settings(session: Session, name: str) -> None:
    """The settings of a queue."""
    async with session.connect() as store:
        record = plain(await Queues(store).settings(name))
    print_record(session, record)


def _settings(function: Function) -> Function:
    for option in (
        click.option("--jitter", type=float, help="The random part of a retry: 0 to 1."),
        click.option("--retry-max", type=DURATION, help="At most so long."),
        click.option("--retry-base", type=DURATION, help="How long after the first failure."),
        click.option(
            "--retry",
            type=click.Choice(["fixed", "exponential", DEFAULT]),
            help="When a message whose handler failed comes again.",
        ),
        click.option("--retention", metavar="DURATION", help="How long done messages are kept."),
        click.option("--max-read-ct", metavar="N", help="After so many deliveries it is dead."),
        click.option("--vt", metavar="DURATION", help="The lease of whoever names none."),
    ):
        function = option(function)
    return function


@queue.command()
@click.argument("name")
@_settings
@pass_session
async def create(session: Session, /, name: str, **options: Any) -> None:
    """Make a queue. A duration is 90, 90s, 1.5min, 2h or 7d."""
    given = _given(options)
    async with session.connect(install=True) as store:
        _print(session, await Queues(store).create(name, **given))


@queue.command()
@click.argument("name")
@_settings
@pass_session
async def update(session: Session, /, name: str, **options: Any) -> None:
    """Change settings of a queue.

    The word "default" takes a setting back to its default. A duration is 90, 90s, 1.5min, 2h or 7d.
    """
    given = _given(options)
    if not given:
        raise click.UsageError("name at least one setting to change")
    async with session.connect() as store:
        _print(session, await Queues(store).update(name, **given))


@queue.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="With its messages, archived and dead ones too.")
@pass_session
async def delete(session: Session, name: str, force: bool) -> None:
    """Delete a queue and its workers."""
    async with session.connect() as store:
        numbers = await Queues(store).metrics(name)
        messages = numbers.depth + numbers.archived + numbers.dead
        what = f"queue {name!r} with {messages:,} messages" if force else f"queue {name!r}"
        confirm(session, f"delete {what}")
        try:
            await Queues(store).delete(name, force)
        except ValidationError as error:  # it has messages
            raise Failure(str(error).replace("force=True", "--force")) from error
    session.say(f"deleted {what}")


@queue.command()
@click.argument("name")
@pass_session
async def purge(session: Session, name: str) -> None:
    """Delete every live message of a queue, leased ones included."""
    async with session.connect() as store:
        depth = (await Queues(store).metrics(name)).depth
        confirm(session, f"delete the {depth:,} live messages of queue {name!r}")
        with bar("purging", None) as purging:
            number = await Queues(store).purge(name)
            purging.advance(number)
    session.say(f"deleted {number:,} messages")


@queue.command()
@click.argument("name")
@pass_session
async def pause(session: Session, name: str) -> None:
    """Make a queue give no messages until it is resumed."""
    async with session.connect() as store:
        await Queues(store).pause(name)
    session.say(f"queue {name!r} is paused")


@queue.command()
@click.argument("name")
@pass_session
async def resume(session: Session, name: str) -> None:
    """Make a paused queue give messages again."""
    async with session.connect() as store:
        await Queues(store).resume(name)
    session.say(f"queue {name!r} gives messages")


def _print(session: Session, found: QueueInfo) -> None:
    print_record(session, plain(found))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The settings that were named, as Queues takes them."""
    given: dict[str, Any] = {}
    for option, name, read in (
        ("vt", "default_vt", duration),
        ("max_read_ct", "max_read_ct", _integer),
        ("retention", "retention_seconds", duration),
    ):
        if options[option] is not None:
            given[name] = _value(option, options[option], read)
    kind, parts = options["retry"], ("retry_base", "retry_max", "jitter")
    if kind is None or kind == DEFAULT:
        if any(options[part] is not None for part in parts):
            raise click.UsageError("--retry-base, --retry-max and --jitter go with --retry KIND")
        return given if kind is None else given | {"retry": None}
    base, most, jitter = (options[part] or 0 for part in parts)
    if kind == "exponential":
        most = most or base
    policy = RetryPolicy(kind=kind, base_seconds=base, max_seconds=most or 0, jitter=jitter)
    return given | {"retry": policy}


def _integer(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _value(option: str, text: str, read: Callable[[str], float | None]) -> float | None:
    if text == DEFAULT:
        return None
    value = read(text)
    if value is None:
        name = option.replace("_", "-")
        raise click.UsageError(f"--{name}: {text!r} is neither such a value nor {DEFAULT!r}")
    return value
