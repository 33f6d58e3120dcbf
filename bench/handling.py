"""A consumer in a process of its own, and what is measured with one.

The message carries in "n" when it was due to be produced, by CLOCK_MONOTONIC, which
all processes of a machine share. A driver starts its own program again, as

    PEER.py handle wake           writes for each message how late it came, in nanoseconds
    PEER.py handle count EVERY    writes a line at its first message, and obeys its
                                  standard input: "report SINCE" is answered by one
                                  line of JSON on every EVERYth message due after SINCE

and ends it by the end of its input. godriver/handle.go is the same in Go.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
from array import array
from collections.abc import Awaitable, Callable
from time import perf_counter, perf_counter_ns
from typing import Any

Produce = Callable[[int], Awaitable[Any]]
"""Produces one message, which is due then."""

KEPT = 200
"""Latencies of a report; more are thinned out evenly by rank, which leaves median
and percentiles what they were."""

NEVER = 1 << 30
"""As EVERY: counts only."""


def thin(samples: list[float]) -> list[float]:
    samples = sorted(samples)
    if len(samples) <= KEPT:
        return samples
    last = len(samples) - 1
    return [samples[round(i * last / (KEPT - 1))] for i in range(KEPT)]


# In the consumer's process


async def handle(
    consume: Callable[[Callable[[Any], None]], Awaitable[None]], mode: list[str]
) -> None:
    """Consumes until the end of the input."""
    wakes = mode[0] == "wake"
    every = 1 if wakes else int(mode[1])
    due, late = array("q"), array("q")
    handled = 0

    def seen(message: Any) -> None:
        nonlocal handled
        at = perf_counter_ns()
        if wakes:
            os.write(1, b"%d\n" % (at - message["n"]))
            return
        if handled == 0:
            os.write(1, b"0\n")
        if handled % every == 0:
            due.append(message["n"])
            late.append(at - message["n"])
        handled += 1

    consuming = asyncio.ensure_future(consume(seen))
    running = asyncio.get_running_loop()
    while line := await running.run_in_executor(None, sys.stdin.readline):
        since = int(line.split()[1])
        samples = [a / 1e6 for a, b in zip(late, due, strict=True) if b >= since] if since else []
        os.write(1, json.dumps({"handled": handled, "samples_ms": thin(samples)}).encode() + b"\n")
    consuming.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consuming


# In the driver's process


class Handling:
    """The consumer, seen from its driver."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, *mode: str) -> Handling:
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, sys.argv[0], "handle", *mode, stdin=pipe, stdout=pipe
            )
        )

    async def line(self) -> int:
        assert self._process.stdout
        return int(await asyncio.wait_for(self._process.stdout.readline(), 30))

    async def report(self, since: int = 0) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"report %d\n" % since)
        answer: dict[str, Any] = json.loads(
            await asyncio.wait_for(self._process.stdout.readline(), 30)
        )
        return answer

    async def wait_for(self, n: int, most: float) -> int:
        """Until so many were handled or the time is over; how many were."""
        end = perf_counter() + most
        while True:
            handled: int = (await self.report())["handled"]
            if handled >= n or perf_counter() > end:
                return handled
            await asyncio.sleep(0.02)

    async def __aenter__(self) -> Handling:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Lets it settle what it holds."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()


async def wake(produce: Produce, request: dict[str, Any]) -> dict[str, Any]:
    """From the call of produce to the call of an idle consumer's handler."""
    samples = []
    async with await Handling.start("wake") as consumer:
        for _ in range(request["samples"] + 1):
            await asyncio.sleep(random.uniform(0.05, 0.15))  # it is idle again
            await produce(perf_counter_ns())
            samples.append(await consumer.line() / 1e6)
    # The first is that of its start.
    return {"messages": request["samples"], "samples_ms": samples[1:]}


async def _started(produce: Produce, every: int) -> Handling:
    """A consumer that has handled a first message."""
    consumer = await Handling.start("count", str(every))
    await produce(perf_counter_ns())
    await consumer.line()
    return consumer


async def through(
    produce: Produce, request: dict[str, Any], loop: Callable[..., Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Produces from so many tasks while a consumer handles; counts what was handled."""

    async def do(_worker: int) -> int:
        await produce(perf_counter_ns())
        return 1

    async with await _started(produce, NEVER) as consumer:
        began = perf_counter()
        first = (await consumer.report())["handled"]
        await loop(request["seconds"], request["tasks"], do)
        handled = (await consumer.report())["handled"] - first
        return {"messages": handled, "seconds": perf_counter() - began}


async def load(produce: Produce, request: dict[str, Any]) -> dict[str, Any]:
    """Produces at a fixed rate, whatever the answers do, and measures from the moment
    when a message was due to the call of its handler: a producer that falls behind
    makes the later messages late, not fewer."""
    rate, seconds = request["rate"], request["seconds"]
    warm_up = seconds / 5
    total = int((seconds + warm_up) * rate)
    async with await _started(produce, request.get("every", 1)) as consumer:
        began = perf_counter_ns()
        await open_loop(began, total, rate, produce)
        handled = await consumer.wait_for(total + 1, 10)
        report = await consumer.report(began + int(warm_up * 1e9))
    return {
        "messages": total,
        "seconds": seconds + warm_up,
        "samples_ms": [round(sample, 3) for sample in report["samples_ms"]],
        "missing": total + 1 - handled,
    }


async def open_loop(began: int, total: int, rate: float, produce: Produce) -> None:
    """Calls produce for each message when it is due, each in a task."""
    pending: set[asyncio.Task[Any]] = set()
    failed: list[BaseException] = []

    def forget(task: asyncio.Task[Any]) -> None:
        pending.discard(task)
        if error := task.exception():
            failed.append(error)

    for i in range(total):
        due = began + int(i / rate * 1e9)
        wait = (due - perf_counter_ns()) / 1e9
        if wait > 0:
            await asyncio.sleep(wait)
        elif i % 50 == 0:
            await asyncio.sleep(0)  # one that is late lets the others run
        task = asyncio.ensure_future(produce(due))
        pending.add(task)
        task.add_done_callback(forget)
    if pending:
        await asyncio.wait(pending)
    if failed:
        raise failed[0]


async def memory(request: dict[str, Any]) -> dict[str, Any]:
    """Lets a consumer handle the backlog, and reads how much memory it has then."""
    async with await Handling.start("count", str(NEVER)) as consumer:
        began = perf_counter()
        assert await consumer.line() == 0
        handled = await consumer.wait_for(request["backlog"], request["seconds"])
        answer = {"messages": handled, "seconds": perf_counter() - began}
        return {**answer, "rss_bytes": resident_bytes(consumer.pid)}


def resident_bytes(pid: int) -> int:
    """The memory of a process; 0 where that cannot be known."""
    try:
        with open(f"/proc/{pid}/statm") as text:
            return int(text.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
