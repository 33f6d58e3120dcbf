"""Does what a program takes up stay flat? Pure.

Each program writes down, twice a second, its memory, the goroutines of the library, its
descriptors and its connections. What grows with the work that is done, however slowly,
will one day fill the machine; what merely varies will not. So a line is laid through the
samples behind the warm-up (by the median of the slopes between them, which outliers do not
move), and what it gains from its begin to its end is bounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from . import ledger
from .ledger import Line

KINDS = ("memory KiB", "goroutines", "descriptors", "connections")

WARM_UP = 0.3
"""The part of a program's life that is not judged: heaps and pools find their size."""

MOST_POINTS = 120
"""As many points are compared in pairs; more samples are put together by medians."""

FEWEST_SAMPLES = 6  # behind the warm-up

SLACK = {"memory KiB": (0.08, 8 * 1024), "goroutines": (0.1, 6)}
OTHER_SLACK = (0.0, 3)
"""How much of its level, and how much besides, a program may gain in a run."""


@dataclass(frozen=True)
class Course:
    """One kind of thing that one program took up, over its life."""

    program: str
    kind: str
    level: float  # the median behind the warm-up
    gain: float  # of the line, from its begin to its end
    most: float

    @property
    def allowed(self) -> float:
        """The gain that is not taken for growth."""
        part, besides = SLACK.get(self.kind, OTHER_SLACK)
        return part * self.level + besides

    @property
    def grows(self) -> bool:
        """Whether it gains more than it may."""
        return self.gain > self.allowed

    def __str__(self) -> str:
        return f"{self.program}: {self.kind} {self.level:,.0f}, gains {self.gain:,.0f}"


def courses(lines: Iterable[Line], begin: int = 0, end: int = 0) -> list[Course]:
    """What became of each kind in each program, between two moments where they are given;
    programs that did not live long enough are left out."""
    samples: dict[str, list[tuple[int, tuple[float, ...]]]] = defaultdict(list)
    for line in lines:
        if line.verb == ledger.FOOTPRINT and begin <= line.at <= (end or line.at):
            samples[line.by].append((line.at, line.values))
    found = []
    for program, those in sorted(samples.items()):
        behind = those[round(len(those) * WARM_UP) :]
        if len(behind) < FEWEST_SAMPLES:
            continue
        for number, kind in enumerate(KINDS):
            points = [(at, values[number]) for at, values in behind]
            most = max(values[number] for _, values in those)
            level = median(value for _, value in points)
            found.append(Course(program, kind, level, gain(points), most))
    return found


def gain(points: Sequence[tuple[int, float]]) -> float:
    """What the line through these points gains (Theil and Sen)."""
    some = thinned(points)
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(some, 2) if b[0] > a[0]]
    return median(slopes) * (some[-1][0] - some[0][0]) if slopes else 0.0


def thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS points, each the median of its neighbours."""
    size = -(-len(points) // MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(median(at for at, _ in g), median(value for _, value in g)) for g in groups]
