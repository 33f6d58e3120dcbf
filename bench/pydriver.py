"""The protocol between the runner and the programs that it measures, in Python.

A driver is a program of its own, in an environment of its own, so that no library
shares a process with another. It reads PGQRS_BENCH_DSN and writes lines of JSON:

    {"ready": true, "tables": [...], "live": "select …", "versions": {...}}

when it is connected; then one answer for each request on its standard input:

    {"do": "prepare", "kind": "drain", "backlog": 50000, "batch": 50, ...}  →  {}
    {"do": "run", ...the same...}  →  {"messages": 50000, "seconds": 1.2}

The runner truncates `tables` before each prepare. Nothing that prepare does is
timed. `live` is a query that counts the messages that are not done yet: the runner
asks it before and after, and believes no driver. {"error": "..."} is an answer too.

What waits for messages does so in a process of its own, which handling.py starts.
This module and that one import the standard library only: they run in the
environment of every peer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from time import perf_counter
from typing import Any

import handling

Answer = dict[str, Any]
Payload = dict[str, Any]

FIRST = 100_000_000_000
"""The "n" of the first message of a backlog."""

USUAL_BYTES = 80
FILL_BYTES = 800_000
"""Of payloads, at most, that a backlog is made of at once."""


def payload(n: int = FIRST, size: int = USUAL_BYTES) -> Payload:
    """The message of every workload: 80 bytes as compact JSON, or as many as wanted
    by text that does not compress."""
    message: Payload = {
        "task": "send_email",
        "to": "user@example.com",
        "subject": "Hello",
        "n": n,
    }
    if missing := max(0, size - USUAL_BYTES - len(',"pad":""')):
        raw = random.Random(1).randbytes(missing // 4 * 3 + 3)
        message["pad"] = base64.b64encode(raw).decode()[:missing]
    return message


def payloads(n: int, size: int = USUAL_BYTES) -> list[Payload]:
    pattern = payload(FIRST, size)
    return [{**pattern, "n": FIRST + i} for i in range(n)]


class Subject:
    """What is measured. Each kind of workload that it knows is a coroutine method
    `run_KIND(request)`; those here need `produce`, `produce_batch` and `consume`."""

    tables: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Whose versions go with the figures."""
    live: str = ""
    stops_when_empty = False
    """Whether `consume` returns by itself at the end of the backlog."""

    async def open(self, dsn: str) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Called at the end of the input."""

    async def produce(self, message: Payload) -> None:
        """One message, with what the library is called for one."""
        raise NotImplementedError

    async def produce_batch(self, batch: list[Payload]) -> int:
        """All of them, with what the library has for many; returns how many."""
        raise NotImplementedError

    async def consume(self, seen: Callable[[Payload], None], until_empty: bool) -> None:
        """The library's own loop, with a handler that calls `seen` with the payload.
        It runs until it is cancelled; what was seen has been settled then."""
        raise NotImplementedError

    async def prepare(self, request: Answer) -> None:
        """Makes the batch to produce, and the backlog."""
        size = request.get("bytes", USUAL_BYTES)
        self.batch = payloads(request.get("batch", 1), size)
        left = request.get("backlog", 0)
        batch = payloads(min(left, 1000, max(1, FILL_BYTES // size)), size) if left else []
        while left > 0:
            await self.produce_batch(batch[:left])
            left -= len(batch)

    async def run(self, request: Answer) -> Answer:
        answer: Answer = await getattr(self, "run_" + request["kind"])(request)
        return answer

    async def run_produce(self, request: Answer) -> Answer:
        one = self.batch[0]

        async def produce(_worker: int) -> int:
            await self.produce(one)
            return 1

        async def produce_batch(_worker: int) -> int:
            return await self.produce_batch(self.batch)

        do = produce if request["batch"] == 1 else produce_batch
        return await loop(request["seconds"], request["tasks"], do)

    async def run_consume(self, request: Answer) -> Answer:
        """Until the whole backlog was handled, and consume has returned where it does
        that by itself, or until the time is over."""
        handled = 0
        finished = asyncio.Event()
        backlog = request["backlog"]

        def seen(message: Payload) -> None:
            nonlocal handled
            assert message["task"]
            handled += 1
            if handled == backlog:
                finished.set()

        began = perf_counter()
        consuming = asyncio.ensure_future(self.consume(seen, True))
        waiting = asyncio.ensure_future(finished.wait())
        await asyncio.wait(
            {consuming} if self.stops_when_empty else {consuming, waiting},
            timeout=request["seconds"],
            return_when=asyncio.FIRST_COMPLETED,
        )
        answer = {"messages": handled, "seconds": perf_counter() - began}
        waiting.cancel()
        consuming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await consuming
        return answer

    async def run_wake(self, request: Answer) -> Answer:
        answer: Answer = await handling.wake(self._produce_due, request)
        return answer

    async def run_through(self, request: Answer) -> Answer:
        answer: Answer = await handling.through(self._produce_due, request, loop)
        return answer

    async def run_load(self, request: Answer) -> Answer:
        answer: Answer = await handling.load(self._produce_due, request)
        return answer

    async def run_memory(self, request: Answer) -> Answer:
        answer: Answer = await handling.memory(request)
        return answer

    async def _produce_due(self, due: int) -> None:
        await self.produce(payload(due))


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


def _say(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def _serve(subject: Subject) -> None:
    running = asyncio.get_running_loop()
    try:
        await subject.open(os.environ["PGQRS_BENCH_DSN"])
    except Exception as error:
        _say({"error": f"{type(error).__name__}: {error}"})
        raise
    versions = {"python": sys.version.split()[0]}
    versions.update((package, version(package)) for package in subject.packages)
    _say(
        {
            "ready": True,
            "tables": list(subject.tables),
            "live": subject.live,
            "versions": versions,
        }
    )
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
    await subject.close()


async def _handle(subject: Subject, mode: list[str]) -> None:
    await subject.open(os.environ["PGQRS_BENCH_DSN"])
    await handling.handle(lambda seen: subject.consume(seen, False), mode)
    await subject.close()


def serve(subject: Subject, run: Callable[[Any], Any] = asyncio.run) -> None:
    """Obeys until the end of the input. `run` is asyncio.run, or another loop's."""
    if sys.argv[1:2] == ["handle"]:
        run(_handle(subject, sys.argv[2:]))
    else:
        run(_serve(subject))
