"""What the programs share: options, the ledger, the log, and the end at SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import pgqrs
from soak.ledger import BYE, HELLO, Ledger

RECONNECT_SECONDS = 0.2
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


async def connect(o: Options, stop: asyncio.Event) -> pgqrs.Store:
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
            )
        except (pgqrs.PgqrsConnectionError, pgqrs.TimeoutError):
            await asyncio.sleep(RECONNECT_SECONDS)
    end(o)
    raise SystemExit(0)


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
