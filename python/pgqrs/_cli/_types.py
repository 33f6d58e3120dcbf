"""What people write on a command line: durations and moments."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import click

UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}

WRITTEN = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?([a-z]*)")


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic from 8.3 on
    """Seconds: 90, 90s, 1.5min, 2h, 7d or 4w."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return value
        seconds = duration(value)
        if seconds is None:
            self.fail(f"{value!r} is no duration: write 90, 90s, 1.5min, 2h or 7d")
        return seconds


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A moment: as ISO 8601, in local time where it names no zone; or a duration, so long
    ago."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        seconds = duration(value)
        if seconds is not None:
            return datetime.now(timezone.utc) - timedelta(seconds=seconds)
        try:
            # Before Python 3.11 fromisoformat() knows no Z.
            found = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value))
        except ValueError:
            self.fail(f"{value!r} is no moment: write 2026-01-31T12:00:00Z, or 2h for so long ago")
        return found if found.tzinfo else found.astimezone()


def duration(text: str) -> float | None:
    """The seconds of a duration; None: it is none."""
    found = WRITTEN.fullmatch(text.strip())
    if found is None or found[2] not in UNITS:
        return None
    return float(found[1]) * UNITS[found[2]]


DURATION = Duration()
MOMENT = Moment()
