"""pgqrs worker: the table of workers."""

from __future__ import annotations

import click

from .._worker_info import WorkerStatus
from .._workers import Workers
from ._command import Group
from ._confirm import confirm
from ._output import Column, Identifier, print_list, print_pages, print_record
from ._session import Session, pass_session
from ._types import DURATION

STYLES = {
    WorkerStatus.POLLING: "green",
    WorkerStatus.SUSPENDED: "yellow",
    WorkerStatus.INTERRUPTED: "yellow",
    WorkerStatus.STOPPED: "dim",
}

COLUMNS = (
    Column("id", lambda w: Identifier(w.id), lambda w: "bold"),
    Column("queue id", lambda w: Identifier(w.queue_id)),
    Column("status", lambda w: w.status, lambda w: STYLES.get(w.status, "")),
    Column("name", lambda w: w.name),
    Column("started", lambda w: w.started_at),
    Column("heard of", lambda w: w.heartbeat_age),
)

HEALTH = tuple(
    Column(name, lambda h, name=name: getattr(h, name))  # type: ignore[misc]
    for name in ("total", "ready", "polling", "suspended", "interrupted", "stopped", "stale")
)


@click.group(cls=Group)
def worker() -> None:
    """Look at workers, and tell them what to do."""


@worker.command("list")
@click.option("--queue", metavar="NAME", help="Of one queue.")
@click.option("--status", type=click.Choice([s.value for s in WorkerStatus]), help="In one state.")
@pass_session
async def list_(session: Session, queue: str | None, status: str | None) -> None:
    """List workers, the newest first."""
    async with session.connect() as store:
        await print_pages(session, COLUMNS, Workers(store).iterate(queue, status))


@worker.command()
@click.argument("worker_id", type=int)
@pass_session
async def get(session: Session, worker_id: int) -> None:
    """One worker."""
    async with session.connect() as store:
        print_record(session, await Workers(store).get(worker_id))


@worker.command()
@click.option("--queue", metavar="NAME", help="Of one queue.")
@click.option("--by-queue", is_flag=True, help="For each queue that has workers.")
@click.option("--timeout", type=DURATION, default=60, help="Stale: not heard of for so long.")
@pass_session
async def health(session: Session, queue: str | None, by_queue: bool, timeout: float) -> None:
    """How many workers are in which state, and how many are stale."""
    if queue is not None and by_queue:
        raise click.UsageError("either --queue or --by-queue")
    async with session.connect() as store:
        workers = Workers(store)
        if by_queue:
            columns = (Column("queue id", lambda h: Identifier(h.queue_id)), *HEALTH)
            print_list(session, columns, await workers.health_by_queue(timeout))
        else:
            found = await workers.health_stats(timeout, queue=queue)
            print_list(session, HEALTH, [found])


@worker.command()
@click.option("--older-than", type=DURATION, required=True, help="Ended, or silent, for so long.")
@pass_session
async def purge(session: Session, older_than: float) -> None:
    """Delete the rows of workers that stopped or fell silent."""
    confirm(session, "delete the rows of old workers")
    async with session.connect() as store:
        number = await Workers(store).purge_stale(older_than)
    session.say(f"deleted {number:,} workers")


@worker.command()
@click.argument("worker_id", type=int)
@pass_session
async def release(session: Session, worker_id: int) -> None:
    """Make ready at once what is leased to a worker; it cannot settle it any more."""
    async with session.connect() as store:
        number = await Workers(store).release_messages(worker_id)
    session.say(f"released {number:,} messages")


@worker.command()
@click.argument("worker_id", type=int)
@pass_session
async def suspend(session: Session, worker_id: int) -> None:
    """Make a worker fetch, or produce, nothing until it is resumed."""
    async with session.connect() as store:
        print_record(session, await Workers(store).suspend(worker_id))


@worker.command()
@click.argument("worker_id", type=int)
@pass_session
async def resume(session: Session, worker_id: int) -> None:
    """End a suspension."""
    async with session.connect() as store:
        print_record(session, await Workers(store).resume(worker_id))


@worker.command()
@click.argument("worker_id", type=int)
@pass_session
async def interrupt(session: Session, worker_id: int) -> None:
    """End what a worker polls, and suspend it."""
    confirm(session, f"interrupt worker {worker_id}")
    async with session.connect() as store:
        print_record(session, await Workers(store).interrupt(worker_id))


@worker.command()
@click.argument("worker_id", type=int)
@pass_session
async def shutdown(session: Session, worker_id: int) -> None:
    """Stop a worker for good; what it holds it can still settle."""
    confirm(session, f"stop worker {worker_id} for good")
    async with session.connect() as store:
        print_record(session, await Workers(store).shutdown(worker_id))
