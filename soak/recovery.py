"""Who went on after a fault, how soon, and what was logged about it. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import ledger
from .history import Fault
from .ledger import Line

LIMIT_US = 5_000_000
"""Within that time after the end of a fault each program goes on by itself."""

LOG_LINES = 12
"""How many lines one program may log about one fault,"""

LINES_WHILE_IT_LASTS = 2
"""and for each ten seconds that it lasts: that the server is still away, and what was not
stored meanwhile."""

_LOGGED = re.compile(r"^(\d+\.\d+) (WARNING|ERROR|CRITICAL) (.*)")


@dataclass
class Recovery:
    """What became of the programs after each kind of fault."""

    late: list[str] = field(default_factory=list)
    talkative: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)  # by fault, seconds
    most_lines: dict[str, int] = field(default_factory=dict)  # by fault, of one program
    judged: int = 0  # pairs of a fault and a program


class Lives:
    """When each program ran, and when it had a success."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.started: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.successes: dict[str, list[int]] = defaultdict(list)
        for line in lines:
            if line.verb == ledger.STARTED:
                self.started[line.values[0]] = line.at
            elif line.verb == ledger.ENDED:
                self.ended.setdefault(line.values[0], line.at)
            elif line.verb in (ledger.STORED, ledger.GOT):
                self.successes[line.by].append(line.at)

    def through(self, begin: int, end: int) -> list[str]:
        """The programs that were at work before `begin` and not told to end before `end`."""
        return [
            name
            for name, since in self.started.items()
            if since < begin
            and self.ended.get(name, end + 1) > end
            and self.successes[name]
            and self.successes[name][0] < begin
        ]

    def next_success(self, name: str, moment: int) -> int | None:
        """The first success of a program at that moment or later."""
        moments = self.successes[name]
        i = bisect_left(moments, moment)
        return moments[i] if i < len(moments) else None


def judge_recovery(faults: list[Fault], lives: Lives) -> Recovery:
    """Each fault that was over and followed by no other one for LIMIT_US: each program that
    ran all the time goes on within it."""
    recovery = Recovery()
    for fault in faults:
        until = fault.end + LIMIT_US
        if any(f is not fault and f.begin < until and f.end > fault.end for f in faults):
            continue
        for name in lives.through(fault.begin, until):
            recovery.judged += 1
            success = lives.next_success(name, fault.end)
            seconds = (success - fault.end) / 1e6 if success is not None else float("inf")
            recovery.slowest[fault.name] = max(seconds, recovery.slowest.get(fault.name, 0))
            if seconds > LIMIT_US / 1e6:
                recovery.late.append(f"{name}, {seconds:.1f} s after {fault.name}")
    return recovery


def judge_logs(faults: list[Fault], logs: dict[str, list[str]], recovery: Recovery) -> None:
    """The lines that each program logged from the begin of each fault until the next one."""
    begins = sorted({f.begin for f in faults})
    names = {f.begin: f.name for f in faults}
    limits = {
        f.begin: LOG_LINES + LINES_WHILE_IT_LASTS * ((f.end - f.begin) // 10_000_000)
        for f in faults
    }
    for program, lines in logs.items():
        moments = [float(m[1]) * 1e6 for text in lines if (m := _LOGGED.match(text))]
        counts: dict[int, int] = defaultdict(int)
        for moment in moments:
            i = bisect_left(begins, moment)
            counts[begins[i - 1] if i else 0] += 1
        for begin, count in counts.items():
            name = names.get(begin, "no fault")
            recovery.most_lines[name] = max(count, recovery.most_lines.get(name, 0))
            if count > limits.get(begin, LOG_LINES):
                recovery.talkative.append(f"{program}, {count} lines about {name}")
