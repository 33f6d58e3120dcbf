"""What the library says of its work in the background, to `logging`.

The core of pgqrs works in threads that Python does not see: it keeps leases,
fetches ahead, reconnects. Its records come as completions, and go to the logger
"pgqrs" in the thread of the loop.
"""

from __future__ import annotations

import logging
from typing import Any

from ._errors import PgqrsError
from ._native import status

logger = logging.getLogger("pgqrs")

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}


class LogInbox:
    """Takes the log records of one store; an Inbox of its link."""

    def arrived(self, record: dict[str, Any]) -> None:
        """Logs one record: its message, and behind it what it is about."""
        level = LEVELS.get(record.pop("level", ""), logging.WARNING)
        message = record.pop("msg", "")
        record.pop("time", None)  # logging has its own
        about = ", ".join(f"{name}: {value}" for name, value in record.items())
        logger.log(level, "%s (%s)" if about else "%s%s", message, about)

    def ended(self, error: PgqrsError | None) -> None:
        """The store is closed, or the process is short of memory."""

    def stop(self) -> None:
        """Goes on until the store is closed."""


def wanted_level() -> int:
    """The level from which on the library should make records at all."""
    return status.LOG_DEBUG if logger.isEnabledFor(logging.DEBUG) else status.LOG_INFO
