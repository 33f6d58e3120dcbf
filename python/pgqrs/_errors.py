"""The errors that pgqrs raises:

    PgqrsError
     ├── PgqrsConnectionError        also a ConnectionError
     ├── ConfigError
     ├── ValidationError
     ├── QueueNotFoundError
     ├── QueueAlreadyExistsError
     ├── MessageNotFoundError
     ├── WorkerNotFoundError
     ├── SerializationError
     ├── RateLimitedError
     ├── StateTransitionError
     ├── TimeoutError                also the built-in TimeoutError
     ├── LoopError                   also a RuntimeError
     └── InternalError

No message holds a password. All can be pickled. Nothing outside this module
turns a status of the C library into an exception.
"""

from __future__ import annotations

import builtins

from ._native import Failure, status


class PgqrsError(Exception):
    """Any error of pgqrs. Its text says in a sentence what is wrong and, where
    that is known, what to do."""

    sqlstate: str | None
    """PostgreSQL's five characters, where the server refused."""
    retryable: bool
    """Doing it again may succeed, and does nothing twice."""
    index: int | None
    """Which element of a batch is at fault, counted from 0."""

    def __init__(
        self,
        message: str = "",
        *,
        sqlstate: str | None = None,
        retryable: bool = False,
        index: int | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.retryable = retryable
        self.index = index


class PgqrsConnectionError(PgqrsError, ConnectionError):
    """The server cannot be reached, the connection broke, or the store is closed."""

    maybe_committed: bool
    """The answer was lost: what was asked may have been done, or not."""

    def __init__(
        self,
        message: str = "",
        *,
        sqlstate: str | None = None,
        retryable: bool = False,
        index: int | None = None,
        maybe_committed: bool = False,
    ) -> None:
        super().__init__(message, sqlstate=sqlstate, retryable=retryable, index=index)
        self.maybe_committed = maybe_committed


class ConfigError(PgqrsError):
    """What was given to connect is wrong, or the schema is of a version that
    this library cannot use."""


class ValidationError(PgqrsError):
    """An argument is not acceptable. Nothing was done."""


class QueueNotFoundError(PgqrsError):
    """There is no queue of that name, and Config.auto_create_queues is off."""


class QueueAlreadyExistsError(PgqrsError):
    """There is a queue of that name already."""


class MessageNotFoundError(PgqrsError):
    """There is no message with that id."""


class WorkerNotFoundError(PgqrsError):
    """There is no worker with that id."""


class SerializationError(PgqrsError):
    """A payload is not JSON that can be stored and read back exactly."""


class RateLimitedError(PgqrsError):
    """The rate limit of the store refused a message."""

    retry_after: float | None = None
    """In how many seconds it will be accepted."""


class StateTransitionError(PgqrsError):
    """A worker cannot go from its state to that one; or a message is leased, and what was
    asked would take it from its holder."""


class TimeoutError(PgqrsError, builtins.TimeoutError):
    """The operation took longer than it was given."""


class LoopError(PgqrsError, RuntimeError):
    """A store was used from another event loop or thread than the one that
    connected it."""


class InternalError(PgqrsError):
    """A bug in pgqrs, or in what it stands on."""


_CLASSES: dict[int, type[PgqrsError]] = {
    status.BAD_HANDLE: PgqrsConnectionError,
    status.BAD_ARGUMENT: ValidationError,
    status.FORKED: PgqrsConnectionError,
    status.CANCELLED: PgqrsConnectionError,
    status.CLOSED: PgqrsConnectionError,
    status.CONNECTION: PgqrsConnectionError,
    status.CONFIG: ConfigError,
    status.INVALID: ValidationError,
    status.SERIALIZATION: SerializationError,
    status.QUEUE_NOT_FOUND: QueueNotFoundError,
    status.QUEUE_EXISTS: QueueAlreadyExistsError,
    status.MESSAGE_NOT_FOUND: MessageNotFoundError,
    status.WORKER_NOT_FOUND: WorkerNotFoundError,
    status.RATE_LIMITED: RateLimitedError,
    status.STATE_TRANSITION: StateTransitionError,
    status.TIMEOUT: TimeoutError,
}

_TEXTS = {
    status.BAD_HANDLE: "the store is closed",
    status.CLOSED: "the store was closed before the operation ended",
    status.CANCELLED: "the operation was cancelled",
    status.NO_MEMORY: "the C library is out of memory",
}


def refusal(code: int, text: str) -> PgqrsError:
    """The error for a submit that the library refused, with what it says."""
    return _CLASSES.get(code, InternalError)(_TEXTS.get(code) or text or f"status {code}")


def failure(failed: Failure) -> PgqrsError:
    """The error for an operation that the library accepted and that failed."""
    text = _TEXTS.get(failed.status) or failed.message or f"status {failed.status}"
    error = _CLASSES.get(failed.status, InternalError)(
        text,
        sqlstate=failed.sqlstate or None,
        retryable=bool(failed.flags & status.ERROR_RETRYABLE),
        index=failed.index if failed.index >= 0 else None,
    )
    if isinstance(error, PgqrsConnectionError):
        error.maybe_committed = bool(failed.flags & status.ERROR_MAYBE_COMMITTED)
    elif isinstance(error, RateLimitedError):
        error.retry_after = failed.retry_after_us / 1_000_000
    return error
