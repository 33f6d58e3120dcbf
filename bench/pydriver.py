"""The protocol between the runner and the programs that it measures, in Python.

A driver is a program of its own, in an environment of its own, so that no library
shares a process with another. It reads PGQRS_BENCH_DSN and writes lines of JSON:

    {"ready": true, "tables": [...], "versions": {...}}

when it is connected; then one answer for each request on its standard input:

    {"do": "prepare", "kind": "drain", "backlog": 50000, "batch": 50, ...}  →  {}
    {"do": "run", ...the same...}  →  {"messages": 50000, "seconds": 1.2}

The runner truncates `tables` before each prepare. Nothing that prepare does is
timed. {"error": "..."} ends the run. This module imports the standard library
only: it runs in the environment of every peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from time import perf_counter
from typing import Any

Answer = dict[str, Any]


def payload(i: int = 0) -> dict[str, Any]:
    """The message of every workload: 80 bytes as compact JSON."""
    return {
        "task": "send_email",
        "to": "user@example.com",
        "subject": "Hello",
        "n": 100_000_000_000 + i,
    }


def payloads(n: int) -> list[dict[str, Any]]:
    return [payload(i) for i in range(n)]


class Subject:
    """What is measured. Each kind of workload that it knows is a coroutine method
    `run_KIND(request)`; `prepare` brings its tables into the state to begin from."""

    tables: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Whose versions go with the figures."""

    async def open(self, dsn: str) -> None:
        raise NotImplementedError

    async def prepare(self, request: Answer) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Called at the end of the input."""

    async def run(self, request: Answer) -> Answer:
        return await getattr(self, "run_" + request["kind"])(request)


async def fill(n: int, produce: Callable[[list[dict[str, Any]]], Awaitable[Any]]) -> None:
    """Makes a backlog, 1000 messages at a time."""
    batch = payloads(1000)
    while n > 0:
        await produce(batch[:n])
        n -= 1000


async def loop(seconds: float, workers: int, do: Callable[[int], Awaitable[int]]) -> Answer:
    """Calls do(worker) from so many tasks, again and again, until the time is over
    or, for a worker, until its call did nothing. Counts what the calls did, and the
    time until the last of them returned."""
    began = perf_counter()
    end = began + seconds
    total = 0

    async def work(worker: int) -> None:
        nonlocal total
        while perf_counter() < end:
            done = await do(worker)
            if not done:
                return
            total += done

    await asyncio.gather(*(work(worker) for worker in range(workers)))
    return {"messages": total, "seconds": perf_counter() - began}


async def handle_backlog(
    request: Answer,
    consume: Callable[[Callable[[Any], None]], Awaitable[None]],
    *,
    stop: Callable[[], Any] | None = None,
) -> Answer:
    """Lets `consume` run, with a function that each handler calls with the payload,
    until the whole backlog was handled and consume has returned, or the time is
    over. `stop` ends consume where it does not end by itself at the end of the
    backlog; without it, consume is cancelled when the time is over."""
    seen = 0
    finished = asyncio.Event()
    backlog = request["backlog"]

    def count(payload: Any) -> None:
        nonlocal seen
        assert payload["task"]
        seen += 1
        if seen == backlog:
            finished.set()

    began = perf_counter()
    consuming = asyncio.ensure_future(consume(count))
    waiting = asyncio.ensure_future(finished.wait())
    await asyncio.wait(
        {consuming} if stop is None else {consuming, waiting},
        timeout=request["seconds"],
        return_when=asyncio.FIRST_COMPLETED,
    )
    answer = {"messages": seen, "seconds": perf_counter() - began}
    waiting.cancel()
    if stop is not None:
        stopping = stop()
        if asyncio.iscoroutine(stopping):
            await stopping
    elif not consuming.done():
        consuming.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consuming
    return answer


def _say(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def _serve(subject: Subject) -> None:
    running = asyncio.get_running_loop()
    await subject.open(os.environ["PGQRS_BENCH_DSN"])
    versions = {"python": sys.version.split()[0]}
    versions.update((package, version(package)) for package in subject.packages)
    _say({"ready": True, "tables": list(subject.tables), "versions": versions})
    while line := await running.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                await subject.prepare(request)
                gc.collect()  # of what was measured before
                _say({})
            else:
                _say(await subject.run(request))
        except Exception as error:
            _say({"error": f"{type(error).__name__}: {error}"})
            raise
    await subject.close()


def serve(subject: Subject, run: Callable[[Any], Any] = asyncio.run) -> None:
    """Obeys until the end of the input. `run` is asyncio.run, or another loop's."""
    run(_serve(subject))
