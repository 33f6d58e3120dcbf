"""What the programs share: options, the ledger, the log, and the end at SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pgqrs
from soak.ledger import BYE, FOOTPRINT, HELLO, Ledger

RECONNECT_SECONDS = 0.2
FOOTPRINT_SECONDS = 0.5
CONNECTION_TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Options:
    """What a program was told."""

    dsn: str
    queue: str
    name: str
    ledger: Ledger
    random: random.Random
    mode: str
    rate: float
    vt: float
    answer_timeout: float
    produce_timeout: float


def options(role: str) -> Options:
    """Reads the command line, and opens the ledger and the log beside it."""
    parser = argparse.ArgumentParser()
    for name in ("queue", "folder", "name", "mode"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--vt", type=float, default=2)
    parser.add_argument("--answer-timeout", type=float, default=3)
    parser.add_argument("--produce-timeout", type=float, default=0)
    given = parser.parse_args()
    folder = Path(given.folder)
    logging.basicConfig(
        filename=folder / f"{given.name}.log", format="%(created)f %(levelname)s %(message)s"
    )
    ledger = Ledger(folder / f"{given.name}.ledger")
    ledger.write(HELLO, given.name, role)
    return Options(
        os.environ["PGQRS_DSN"],  # on the command line everybody would see it
        given.queue,
        given.name,
        ledger,
        random.Random(f"{given.seed} {given.name}"),
        given.mode,
        given.rate,
        given.vt,
        given.answer_timeout,
        given.produce_timeout,
    )


async def connect(o: Options, stop: asyncio.Event, **options: Any) -> pgqrs.Store:
    """Connects; tries again where the server is away, as any program that is started
    while it is."""
    while not stop.is_set():
        try:
            return await pgqrs.connect(
                o.dsn,
                max_connections=4,
                default_lock_time_seconds=o.vt,
                connection_timeout_seconds=CONNECTION_TIMEOUT_SECONDS,
                answer_timeout_seconds=o.answer_timeout,
                **options,
            )
        except (pgqrs.PgqrsConnectionError, pgqrs.TimeoutError):
            await asyncio.sleep(RECONNECT_SECONDS)
    end(o)
    raise SystemExit(0)


async def tell_footprints(o: Options, store: pgqrs.Store) -> None:
    """Writes down what this process takes up, again and again until it is cancelled."""
    while True:
        goroutines = (await store._request("footprint"))["goroutines"]
        descriptors, connections = open_files()
        o.ledger.write(FOOTPRINT, memory_kib(), goroutines, descriptors, connections)
        await asyncio.sleep(FOOTPRINT_SECONDS)


def memory_kib() -> int:
    """The memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def open_files() -> tuple[int, int]:
    """How many files and the like are open, and how many connections."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of listdir itself
            names.append(os.readlink(f"/proc/self/fd/{number}"))
    connections = sum(name.startswith("socket:") for name in names)
    return len(names) - connections, connections


@contextlib.asynccontextmanager
async def connected(o: Options, stop: asyncio.Event, **options: Any) -> AsyncIterator[pgqrs.Store]:
    """A store, closed at the end, and meanwhile its footprints in the ledger."""
    store = await connect(o, stop, **options)
    telling = asyncio.ensure_future(tell_footprints(o, store))
    try:
        yield store
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        if not telling.cancelled():
            telling.result()  # it has failed
        await store.close()


def told_to_stop() -> asyncio.Event:
    """Set by SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    return stop


def end(o: Options) -> None:
    """The last line."""
    o.ledger.write(BYE)
    o.ledger.close()


def maybe(error: pgqrs.PgqrsError) -> bool:
    """Whether what was asked may have been done all the same."""
    return bool(getattr(error, "maybe_committed", not error.retryable))


def told(error: BaseException) -> str:
    """The error as the ledger has it."""
    return f"{type(error).__name__}: {error}"
