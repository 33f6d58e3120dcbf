"""The judge of what programs take up, and a short outage while producers push."""

from __future__ import annotations

import asyncio
import random

from soak.faults import FAULTS, OUTAGE
from soak.flatness import courses
from soak.ledger import FOOTPRINT, Line
from soak.run import Plan, run


def life(by: str, memory_kib: list[float], goroutines: int = 10) -> list[Line]:
    """A program's footprints, twice a second."""
    return [
        Line(by, FOOTPRINT, 500_000 * n, (kib, goroutines, 11, 4))
        for n, kib in enumerate(memory_kib)
    ]


def growing(lines: list[Line]) -> list[str]:
    return [f"{c.program} {c.kind}" for c in courses(lines) if c.grows]


def test_what_varies_or_grows_in_the_beginning_is_flat():
    noise = random.Random(1)
    level = [50_000 + noise.uniform(-6000, 6000) for _ in range(3600)]
    start = [20_000 + 30 * n for n in range(1000)] + [50_000.0] * 2600
    peaks = [50_000 + 40_000 * (n % 97 == 0) for n in range(3600)]
    assert growing(life("level", level) + life("start", start) + life("peaks", peaks)) == []


def test_what_grows_slowly_is_found():
    noise = random.Random(1)
    leak = [50_000 + 8 * n + noise.uniform(-6000, 6000) for n in range(3600)]
    steps = [50_000 + 20_000 * (n // 1200) for n in range(3600)]
    assert growing(life("leak", leak) + life("steps", steps)) == [
        "leak memory KiB",
        "steps memory KiB",
    ]


def test_one_goroutine_a_minute_is_found():
    lines = [Line("p", FOOTPRINT, 500_000 * n, (50_000, 10 + n // 120, 11, 4)) for n in range(3600)]
    assert growing(lines) == ["p goroutines"]


def test_a_short_life_is_not_judged():
    assert courses(life("short", [1.0, 2.0, 3.0])) == []


def test_memory_is_bounded_while_the_server_is_away_and_producers_push(tmp_path, server):
    plan = Plan(
        "outage", (FAULTS.kinds[OUTAGE],), 1, 0, producers=0, consumers=2, vt=1,
        outage_seconds=6, each_once=True,
    )  # fmt: skip
    outcome = asyncio.run(run(server, plan, tmp_path / "run"))
    assert outcome.problems == []
    judged = [text for text in outcome.footprints if text.startswith("p-")]
    assert len(judged) == 8, outcome.footprints  # four kinds of two programs
    assert outcome.errors["TimeoutError"] > 10  # the one in a hurry had no room
