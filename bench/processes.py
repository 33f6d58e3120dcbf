"""CPU time and memory of processes, with all that they started. From /proc: where
there is none, everything is 0."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat after the name, from the third on; [] when it ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def tree(pid: int) -> dict[int, list[str]]:
    """The process and its descendants that live, with their stat."""
    if not Path("/proc").is_dir():
        return {}
    children: dict[int, list[int]] = {}
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(entry)):
            stats[int(entry)] = stat
            children.setdefault(int(stat[1]), []).append(int(entry))
    found, pending = {}, [pid]
    while pending:
        one = pending.pop()
        if one in stats:
            found[one] = stats[one]
            pending += children.get(one, [])
    return found


def cpu_seconds(pid: int) -> float:
    """That all of them have used, those that ended and were waited for included."""
    return sum(sum(map(int, stat[11:15])) for stat in tree(pid).values()) / TICKS


def resident_bytes(pid: int) -> int:
    """Of all of them together."""
    return sum(int(stat[21]) for stat in tree(pid).values()) * PAGE
