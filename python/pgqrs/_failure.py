"""Failures: what consume() does about messages whose handler failed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from . import _types
from ._errors import ValidationError
from ._link import Link, request_text
from ._message import Message
from ._native import Deliveries
from ._queue_info import RetryPolicy
from ._settle import Settler

logger = logging.getLogger("pgqrs")

Retry: TypeAlias = "RetryPolicy | Callable[[Message, BaseException | None], float | None]"
"""When a message whose handler failed comes again: a policy; or a function of the message
and what its handler raised (None: it returned False) that says after how many seconds,
None where the policy of the queue is to say it."""


class FailureSettler(Settler):
    """Ends deliveries as failed, in the background, with what went wrong."""

    piece = 256  # a request has at most 16 MiB, and an error some kB

    def __init__(self, link: Link, retry: Retry | None) -> None:
        super().__init__(link, link.native.request, "given back")
        if not (retry is None or isinstance(retry, RetryPolicy) or callable(retry)):
            raise ValidationError(
                f"retry must be a RetryPolicy or a function, not {type(retry).__name__}"
            )
        self._policy = retry._record() if isinstance(retry, RetryPolicy) else None
        self._ask = None if isinstance(retry, RetryPolicy) else retry
        self._failures: list[dict[str, Any]] = []

    def fail(self, message: Message, error: BaseException | str) -> None:
        """Ends this delivery as failed soon."""
        self._failures.append(message._failure(error, self._delay_us(message, error)))
        self.add(message)

    def _delay_us(self, message: Message, error: BaseException | str) -> int | None:
        if self._ask is None:
            return None
        try:
            delay = self._ask(message, error if isinstance(error, BaseException) else None)
            return None if delay is None else _types.delay_us(delay, "what retry returns")
        except Exception:
            logger.exception("retry failed on %r; the policy of its queue counts", message)
            return None

    def _submit(self, deliveries: Deliveries) -> Any:
        failures = self._failures[: len(deliveries.ids)]
        arguments = {"queue_id": self._queue_id, "failures": failures, "retry": self._policy}
        return self._link.submit(self._operation, *request_text("message_fail", arguments))

    def _drop(self, number: int) -> None:
        super()._drop(number)
        del self._failures[:number]
