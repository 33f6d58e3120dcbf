"""Records about queues: QueueInfo, QueueSettings, RetryPolicy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from . import _types
from ._errors import ValidationError
from ._moment import moment, moment_or_none


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When a message whose handler failed comes again: base_seconds after the failure
    ("fixed"), or that doubled with each delivery after the first, up to max_seconds
    ("exponential"); less a random part of it, at most jitter, which is between 0 and
    1. Without a policy it comes again at its vt."""

    kind: Literal["fixed", "exponential"]
    base_seconds: float = 0
    max_seconds: float = 0
    jitter: float = 0

    def __post_init__(self) -> None:
        if self.kind not in ("fixed", "exponential"):
            raise ValidationError(f"kind must be 'fixed' or 'exponential', not {self.kind!r:.40}")
        _types.delay_us(self.base_seconds, "base_seconds")
        _types.delay_us(self.max_seconds, "max_seconds")
        if not 0 <= _types.number(self.jitter, "jitter") <= 1:
            raise ValidationError(f"jitter must be between 0 and 1, not {self.jitter:g}")

    def _record(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "base_us": _types.delay_us(self.base_seconds),
            "max_us": _types.delay_us(self.max_seconds),
            "jitter": self.jitter,
        }

    @classmethod
    def _of(cls, record: dict[str, Any]) -> RetryPolicy:
        return cls(
            kind=record["kind"],
            base_seconds=record["base_us"] / 1_000_000,
            max_seconds=record["max_us"] / 1_000_000,
            jitter=record["jitter"],
        )


@dataclass(frozen=True, kw_only=True)
class QueueSettings:
    """What a queue has of its own."""

    default_vt: float | None = None
    """The vt of whoever names none, in seconds, 0.1 s to 7 days. None: that of
    Config.default_lock_time_seconds."""
    max_read_ct: int | None = None
    """What was delivered that often and never settled is dead; 0: never. None: that
    of Config.max_read_ct."""
    retention_seconds: float | None = None
    """How long archived and dead messages are kept. None: for ever."""
    retry: RetryPolicy | None = None
    """When a message whose handler failed comes again. None: at its vt."""

    def __post_init__(self) -> None:
        settings_arguments(**{name: getattr(self, name) for name in _SETTINGS})

    @classmethod
    def _of(cls, record: dict[str, Any]) -> QueueSettings:
        return cls(
            default_vt=_seconds(record["default_vt_us"]),
            max_read_ct=record["max_read_ct"],
            retention_seconds=_seconds(record["retention_us"]),
            retry=record["retry"] and RetryPolicy._of(record["retry"]),
        )


_SETTINGS = ("default_vt", "max_read_ct", "retention_seconds", "retry")


def settings_arguments(**settings: Any) -> dict[str, Any]:
    """The settings that are given, checked, as requests take them."""
    arguments: dict[str, Any] = {}
    for name, value in settings.items():
        if name == "default_vt":
            arguments["default_vt_us"] = _types.vt_us(value, name) or None
        elif name == "max_read_ct":
            arguments[name] = value and _types.integer(value, name, 0, _types.MAX_READ_CT)
        elif name == "retention_seconds":
            arguments["retention_us"] = value if value is None else _types.retention_us(value)
        elif name == "retry":
            if not isinstance(value, RetryPolicy | None):
                raise ValidationError(f"retry must be a RetryPolicy, not {type(value).__name__}")
            arguments[name] = value and value._record()
        else:
            raise ValidationError(f"a queue has no setting {name!r}; it has {', '.join(_SETTINGS)}")
    return arguments


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1_000_000


@dataclass(frozen=True, kw_only=True)
class QueueInfo:
    """One queue, as it was when it was asked for."""

    id: int
    """Unique in the schema; what Message.queue_id says."""
    queue_name: str
    created_at: datetime
    paused_at: datetime | None
    """Since when it gives no messages; None: it is not paused."""
    settings: QueueSettings

    @classmethod
    def _of(cls, record: dict[str, Any]) -> QueueInfo:
        return cls(
            id=record["id"],
            queue_name=record["queue_name"],
            created_at=moment(record["created_at_us"]),
            paused_at=moment_or_none(record["paused_at_us"]),
            settings=QueueSettings._of(record),
        )
