"""Makes docs/top.svg, the picture of `pgqrs top`.

    python scripts/picture.py

On a private PostgreSQL some queues are filled and emptied by workers, one of which
cannot do its work; the command itself takes the picture.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import sys
import tempfile
from pathlib import Path

import pgqrs
from pgqrs import _embedded

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "top.svg"


async def produce(store: pgqrs.Store, queue: str, most: int) -> None:
    """Stores messages for ever, now many, now few."""
    for number in itertools.count():
        many = random.randrange(most // 4, most)
        await pgqrs.produce_batch(store, queue, [{"n": number * most + n} for n in range(many)])
        await asyncio.sleep(0.1)


async def consume(store: pgqrs.Store, queue: str, handler: pgqrs.Handler) -> None:
    """Handles them for ever."""
    await pgqrs.consume(store, queue, handler, concurrency=20, vt=1)


async def handle(message: pgqrs.Message) -> None:
    """Takes a moment."""
    await asyncio.sleep(0.002)


async def fail(message: pgqrs.Message) -> bool:
    """Cannot do one in ten."""
    return message.id % 10 != 0


async def picture(dsn: str) -> int:
    """Draws it; the exit status of the command."""
    async with pgqrs.connect(dsn) as store:
        queues = pgqrs.Queues(store)
        for name in ("emails", "invoices", "reports", "thumbnails"):
            await queues.create(name, max_read_ct=2)
        await pgqrs.produce_batch(store, "reports", range(1200))
        await pgqrs.produce_batch(store, "reports", range(300), delay_seconds=3600)
        await queues.pause("reports")
        work = [
            asyncio.create_task(produce(store, "emails", 300)),
            asyncio.create_task(produce(store, "invoices", 60)),
            asyncio.create_task(produce(store, "thumbnails", 120)),
            asyncio.create_task(consume(store, "emails", handle)),
            asyncio.create_task(consume(store, "emails", handle)),
            asyncio.create_task(consume(store, "invoices", fail)),
            asyncio.create_task(consume(store, "thumbnails", handle)),
        ]
        command = ("-m", "pgqrs", "top", "--every", "0.5", "--picture", str(PICTURE))
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=os.environ | {"PGQRS_DSN": dsn}
        )
        status = await process.wait()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        return status


def main() -> int:
    """The program."""
    # /tmp, not TMPDIR: as root, the server's user must be able to reach it.
    with tempfile.TemporaryDirectory(prefix="pgqrs-picture-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        dsn, stop = _embedded.start(f"embedded://{folder}/server")
        try:
            logging.getLogger("pgqrs").setLevel(logging.CRITICAL)
            return asyncio.run(picture(dsn))
        finally:
            stop()


if __name__ == "__main__":
    sys.exit(main())
