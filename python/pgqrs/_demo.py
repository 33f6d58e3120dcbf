"""The demonstration: 20,000 e-mail tasks survive the death of a worker.

    python -m pgqrs._demo             (`make demo`, which sets everything up first)

A private PostgreSQL is started in a temporary folder. The tasks are produced,
half of them one by one and half in batches, and consumed by two worker processes,
of which one is killed half-way with SIGKILL. What it held comes again, to the
other. At the end a ledger is drawn up from the database; a lost message makes the
exit status 1.

It is a program of its own that uses the public API, psycopg for the ledger and
rich for the screen (the extra `pgqrs[demo]`); nothing imports it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pgqrs
from pgqrs import _embedded

QUEUE = "emails"
BATCH = 500
IN_FLIGHT = 1000  # produce calls awaited at the same time
LEASE_SECONDS = 2  # how long a killed worker's messages stay away
SEND_SECONDS = 0.002  # what sending an e-mail takes here
CONCURRENCY = 50  # e-mails that a worker sends at the same time
REPORT_EVERY = 50  # messages, from a worker to the screen


def email(number: int) -> dict[str, Any]:
    """One task."""
    return {"task": "send_email", "to": f"user{number}@example.com", "subject": f"Invoice {number}"}


async def produce_singly(store: pgqrs.Store, numbers: range, advance: Any) -> list[int]:
    """Produce each message by a call of its own, many of them in flight together."""
    ids: list[int] = []
    for first in range(numbers.start, numbers.stop, IN_FLIGHT):
        some = range(first, min(first + IN_FLIGHT, numbers.stop))
        ids += await asyncio.gather(*(pgqrs.produce(store, QUEUE, email(n)) for n in some))
        advance(len(some))
    return ids


async def produce_in_batches(store: pgqrs.Store, numbers: range, advance: Any) -> list[int]:
    """Produce messages in transactions of BATCH."""
    ids: list[int] = []
    for first in range(numbers.start, numbers.stop, BATCH):
        some = range(first, min(first + BATCH, numbers.stop))
        ids += await pgqrs.produce_batch(store, QUEUE, [email(n) for n in some])
        advance(len(some))
    return ids


async def work() -> None:
    """The worker process: consume from the store of PGQRS_DSN until standard input ends,
    and report on standard output."""
    handled = 0

    async def send(message: pgqrs.Message) -> bool:
        nonlocal handled
        assert message.payload["task"] == "send_email"
        await asyncio.sleep(SEND_SECONDS)
        handled += 1
        if handled % REPORT_EVERY == 0:
            print(handled, flush=True)
        return True

    async with await pgqrs.connect() as store:
        print(0, flush=True)
        consuming = asyncio.create_task(
            pgqrs.consume(store, QUEUE, send, vt=LEASE_SECONDS, concurrency=CONCURRENCY)
        )
        await asyncio.to_thread(sys.stdin.read)
        consuming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await consuming


class Worker:
    """A worker process and how many messages it says it has handled."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.handled = 0

    @classmethod
    async def start(cls, dsn: str) -> Worker:
        """Start one and wait until it is connected."""
        worker = cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "pgqrs._demo",
                "--worker",
                env=os.environ | {"PGQRS_DSN": dsn},  # not where `ps` shows it
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )
        if not await worker.read():
            raise RuntimeError("a worker did not start; its message is above")
        return worker

    async def read(self) -> bool:
        """Read one report; False when the process has ended."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if line:
            self.handled = int(line)
        return bool(line)

    async def end(self) -> None:
        """Tell it to end, and wait."""
        if self.process.returncode is None:
            await self.process.communicate(b"")  # closes its input


async def consume(workers: list[Worker], total: int, progress: Any, bar: Any, count: Any) -> int:
    """Watch the workers, kill one half-way, and return how many were handled by then.

    Returns when `count` says that all is archived: the reports of a killed worker are
    not its last word.
    """
    killed_at = 0

    async def follow(worker: Worker) -> None:
        nonlocal killed_at
        while await worker.read():
            handled = sum(w.handled for w in workers)
            progress.update(bar, completed=min(handled, total))
            if not killed_at and handled >= total // 2:
                killed_at = handled
                worker.process.send_signal(signal.SIGKILL)  # in the midst of its work

    following = [asyncio.create_task(follow(worker)) for worker in workers]
    try:
        while await count() < total:
            if all(task.done() for task in following):
                raise RuntimeError("no worker is left")
            await asyncio.sleep(0.2)
        progress.update(bar, completed=total)
        return killed_at
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


@dataclass(frozen=True)
class Ledger:
    """What became of the messages, as the database says."""

    produced: int
    archived: int
    redelivered: int
    lost: int
    twice: int


def ledger(connection: Any, ids: list[int]) -> Ledger:
    """Draw up the ledger from the archive, message by message."""
    rows = connection.execute(
        "select a.id, a.read_ct from pgqrs_archive a join pgqrs_queues q on q.id = a.queue_id"
        " where q.queue_name = %s and a.outcome = 'archived'",
        [QUEUE],
    ).fetchall()
    archived = {id for id, _ in rows}
    return Ledger(
        produced=len(set(ids)),
        archived=len(rows),
        redelivered=sum(read_ct > 1 for _, read_ct in rows),
        lost=len(set(ids) - archived),
        twice=len(rows) - len(archived),
    )


async def run(dsn: str, total: int) -> int:
    """The whole demonstration on the store of this DSN: the exit status."""
    import psycopg
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    console = Console(highlight=False)
    postgresql, stop = _embedded.start(dsn)
    workers: list[Worker] = []
    try:
        async with await pgqrs.connect(dsn) as store:
            connection = psycopg.connect(postgresql, autocommit=True)
            version = connection.info.parameter_status("server_version")
            console.print(
                f"[bold]pgqrs {pgqrs.__version__}[/bold] on a private PostgreSQL {version}"
            )
            columns = (
                SpinnerColumn(finished_text="[green]✓"),
                TextColumn("{task.description:<18}"),
                BarColumn(20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
            )
            with Progress(*columns, console=console) as progress:
                half = total // 2
                singly, batches = range(half), range(half, total)
                ids: list[int] = []
                for name, produce, numbers in (
                    ("produce one by one", produce_singly, singly),
                    (f"produce by {BATCH}", produce_in_batches, batches),
                ):
                    bar = progress.add_task(name, total=len(numbers), note="")
                    begin = time.monotonic()
                    ids += await produce(
                        store, numbers, lambda n, bar=bar: progress.advance(bar, n)
                    )
                    progress.update(bar, note=_rate(len(numbers), begin))
                bar = progress.add_task("consume", total=total, note="by two workers")

                async def count() -> int:
                    return await asyncio.to_thread(_count, connection)

                begin = time.monotonic()
                workers += await asyncio.gather(Worker.start(dsn), Worker.start(dsn))
                killed_at = await consume(workers, total, progress, bar, count)
                rate = _rate(total, begin)
                progress.update(bar, note=f"{rate}, one killed")
            book = ledger(connection, ids)
            connection.close()
            await asyncio.gather(*(worker.end() for worker in workers))
        _print(console, book, killed_at, rate)
        return 0 if (book.lost, book.twice, book.archived) == (0, 0, total) else 1
    finally:
        for worker in workers:
            await worker.end()
        await asyncio.to_thread(stop)


def _count(connection: Any) -> int:
    row = connection.execute("select count(*) from pgqrs_archive").fetchone()
    return int(row[0])


def _rate(count: int, begin: float) -> str:
    return f"{count / (time.monotonic() - begin):,.0f}/s"


def _print(console: Any, book: Ledger, killed_at: int, rate: str) -> None:
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(min_width=12)
    table.add_column(justify="right", min_width=7)
    table.add_column()
    for name, number, note in (
        ("produced", book.produced, ""),
        (
            "archived",
            book.archived,
            "each exactly once" if not book.twice else f"{book.twice} of them twice",
        ),
        (
            "redelivered",
            book.redelivered,
            f"held by the worker that was killed (SIGKILL) at {killed_at:,}",
        ),
        ("lost", book.lost, ""),
        ("rate", rate, f"consumed, the {LEASE_SECONDS} s until its leases ended included"),
    ):
        table.add_row(
            name, f"[bold]{number if isinstance(number, str) else f'{number:,}'}[/bold]", note
        )
    console.print("\n[bold]Ledger[/bold], from the database")
    console.print(table)


def main() -> int:
    """The program; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pgqrs._demo", description="20,000 tasks survive a killed worker"
    )
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        asyncio.run(work())
        return 0
    # /tmp, not TMPDIR: as root, the server's user must be able to reach it.
    with tempfile.TemporaryDirectory(prefix="pgqrs-demo-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        return asyncio.run(run(f"embedded://{Path(folder) / 'server'}", arguments.messages))


if __name__ == "__main__":
    sys.exit(main())
