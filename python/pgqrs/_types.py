"""Checks of what callers pass, and the units in which the C library wants it.

Every check raises ValidationError with a sentence that names the argument.
"""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from ._errors import ValidationError
from ._moment import microseconds

Handler: TypeAlias = "Callable[..., Awaitable[bool | None]] | Callable[..., bool | None]"
"""What consume() calls: with a Message, and with the Consumer where it takes a
second argument. A plain function runs in a thread."""

BatchHandler: TypeAlias = "Callable[..., Awaitable[bool | None]] | Callable[..., bool | None]"
"""The same of consume_batch(): its first argument is a list of Messages."""

Member = TypeVar("Member", bound=Enum)

DAY = 86_400
MAX_DELAY_SECONDS = 3650 * DAY
MIN_VT_SECONDS = 0.1
MAX_VT_SECONDS = 7 * DAY
MAX_BATCH_SIZE = 10_000
MAX_NAME_LENGTH = 255
MAX_KEY_LENGTH = 255
MAX_KEYS = 1000
MAX_READ_CT = 1_000_000


def number(value: object, name: str) -> float:
    """An int or a float that is a number; a bool is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError(f"{name} must be an int or a float, not {_kind(value)}")
    if value != value:
        raise ValidationError(f"{name} must be a number, not NaN")
    return value


def bounded(value: object, name: str, low: float, high: float) -> float:
    """A number between two bounds."""
    checked = number(value, name)
    if not low <= checked <= high:
        raise ValidationError(f"{name} must be between {low:g} and {high:g}, not {_shown(value)}")
    return checked


def keys(value: object, name: str) -> tuple[str, ...]:
    """Keys of objects: at most 1000 str."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValidationError(f"{name} must be a list of str, not {_kind(value)}")
    for key in value:
        if not isinstance(key, str):
            raise ValidationError(f"{name} must be a list of str, not of {_kind(key)}")
        text(key, name)
    if len(value) > MAX_KEYS:
        raise ValidationError(f"{name} must be at most {MAX_KEYS} keys, not {len(value)}")
    return tuple(value)


def seconds(value: object, name: str, low: float, high: float) -> float:
    """A duration in seconds between two bounds."""
    duration = number(value, name)
    if not low <= duration <= high:
        raise ValidationError(
            f"{name} must be between {low:g} and {high} seconds, not {_shown(value)}"
        )
    return duration


def delay_us(value: object, name: str = "delay_seconds") -> int:
    """A delay, in microseconds: 0 to ten years."""
    if value == 0 and type(value) is int:  # by far the most frequent
        return 0
    return round(seconds(value, name, 0, MAX_DELAY_SECONDS) * 1_000_000)


def vt_us(value: object, name: str = "vt") -> int:
    """A visibility timeout, in microseconds: 0.1 s to 7 days. None is 0, which
    the library takes as the store's default."""
    if value is None:
        return 0
    return round(seconds(value, name, MIN_VT_SECONDS, MAX_VT_SECONDS) * 1_000_000)


def extension_us(value: object) -> int:
    """How much longer a lease should last, in microseconds: 0 to 7 days."""
    return round(seconds(value, "seconds", 0, MAX_VT_SECONDS) * 1_000_000)


def retention_us(value: object, name: str = "retention_seconds") -> int:
    """How long done messages are kept, in microseconds: 0 to 100 years."""
    return age_us(value, name)


def age_us(value: object, name: str) -> int:
    """An age, in microseconds: 0 to 100 years."""
    return round(seconds(value, name, 0, 36_500 * DAY) * 1_000_000)


def moment_us(value: object, name: str) -> int:
    """A moment, in microseconds since 1970: a datetime that knows its time zone."""
    if not isinstance(value, datetime):
        raise ValidationError(f"{name} must be a datetime, not {_kind(value)}")
    if value.utcoffset() is None:
        raise ValidationError(
            f"{name} must have a time zone, as datetime.now(timezone.utc) has, not {value}"
        )
    return microseconds(value)


def delay_until_us(value: object, name: str) -> int:
    """How far a moment is away by our own clock, in microseconds: 0 where it has passed.
    A str is read as datetime.fromisoformat() does."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))  # 3.10 knows no Z
        except ValueError as error:
            raise ValidationError(f"{name} must be a moment, not {_shown(value)}") from error
    ahead = moment_us(value, name) - microseconds(datetime.now(timezone.utc))
    return delay_us(max(0, ahead) / 1_000_000, name)


def integer(value: object, name: str, low: int, high: int) -> int:
    """An int between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValidationError(f"{name} must be an int, not {_kind(value)}")
    if not low <= value <= high:
        raise ValidationError(f"{name} must be between {low} and {high}, not {_shown(value)}")
    return value


def batch_size(value: object, name: str = "batch_size") -> int:
    """How many messages at once: 1 to 10000. None is 0, the store's default."""
    return 0 if value is None else integer(value, name, 1, MAX_BATCH_SIZE)


def poll_interval(value: object) -> None:
    """How often to look for messages, in milliseconds: 1 to a day. None: not said."""
    if value is not None:
        integer(value, "poll_interval_ms", 1, DAY * 1000)


def boolean(value: object, name: str) -> bool:
    """True or False, and nothing that only counts as one."""
    if not isinstance(value, bool):
        raise ValidationError(f"{name} must be True or False, not {_kind(value)}")
    return value


def queue_name(value: object) -> bytes:
    """The name of a queue in UTF-8: 1 to 255 characters, any but NUL."""
    if not isinstance(value, str):
        raise ValidationError(f"the name of a queue must be a str, not {_kind(value)}")
    return _queue_name(value)


@lru_cache(maxsize=1024)
def _queue_name(name: str) -> bytes:
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise ValidationError(
            f"the name of a queue must have 1 to {MAX_NAME_LENGTH} characters, not {len(name)}"
        )
    return text(name, "the name of a queue")


def dedup_key(value: object, name: str = "dedup_key") -> bytes:
    """A dedup key in UTF-8: 1 to 255 characters, any but NUL."""
    if not isinstance(value, str):
        raise ValidationError(f"{name} must be a str, not {_kind(value)}")
    if not value:
        raise ValidationError(f"{name} must not be empty: pass None for a message without a key")
    if len(value) > MAX_KEY_LENGTH:
        raise ValidationError(
            f"{name} must have at most {MAX_KEY_LENGTH} characters, not {len(value)}: "
            "use a digest of it (hashlib.sha256(text.encode()).hexdigest())"
        )
    return text(value, name)


def dedup_keys(values: object, count: int) -> list[bytes]:
    """A key, or None, for each of `count` payloads; none is b""."""
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise ValidationError(f"dedup_keys must be an iterable of str or None, not {_kind(values)}")
    keys = [
        b"" if value is None else dedup_key(value, f"dedup_keys[{index}]")
        for index, value in enumerate(values)
    ]
    if len(keys) != count:
        raise ValidationError(
            f"dedup_keys must have one key, or None, for each of the {count} payloads, "
            f"not {len(keys)}"
        )
    return keys


def dedup_us(value: object) -> int:
    """For how long a key is taken, in microseconds: 0.001 s to ten years. None is 0: as
    long as the message lives."""
    if value is None:
        return 0
    return round(seconds(value, "dedup_seconds", 0.001, MAX_DELAY_SECONDS) * 1_000_000)


def text(value: object, name: str) -> bytes:
    """A str in UTF-8, without NUL and lone surrogates."""
    if not isinstance(value, str):
        raise ValidationError(f"{name} must be a str, not {_kind(value)}")
    if "\0" in value:
        raise ValidationError(f"{name} must not contain the character NUL")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise ValidationError(f"{name} must not contain a lone surrogate") from error


def message_ids(values: Iterable[int]) -> array[int]:
    """Ids of messages, for C."""
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise ValidationError(f"ids must be an iterable of int, not {_kind(values)}")
    ids = list(values)
    if set(map(type, ids)) == {int}:  # quicker than to look at each
        with suppress(OverflowError):
            return array("q", ids)
    return array("q", [message_id(value) for value in ids])


def message_id(value: Any) -> int:
    """One id of a message."""
    return integer(value, "the id of a message", -(2**63), 2**63 - 1)


def worker_id(value: Any) -> int:
    """One id of a worker."""
    return integer(value, "the id of a worker", -(2**63), 2**63 - 1)


def member(value: object, name: str, members: type[Member]) -> Member:
    """A member of an enumeration of strings, or what it equals."""
    try:
        return members(value)
    except ValueError as error:
        names = ", ".join(member.value for member in members)
        raise ValidationError(f"{name} must be one of {names}, not {_shown(value)}") from error


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _shown(value: object) -> str:
    try:
        return f"{value!r:.40}"
    except ValueError:  # an int of more digits than Python prints
        return "a number with thousands of digits"
