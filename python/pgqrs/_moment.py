"""Moments and durations: microseconds in the C library, datetimes and seconds here."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def moment(microseconds: int) -> datetime:
    """The datetime, in UTC, of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def microseconds(at: datetime) -> int:
    """The microseconds since 1970 of a datetime with a time zone."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment_or_none(microseconds: int | None) -> datetime | None:
    """The same, of a moment that may not have come."""
    return None if microseconds is None else moment(microseconds)
