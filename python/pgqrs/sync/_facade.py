"""What the classes of pgqrs.sync have in common: each stands before one of pgqrs, its
`inner`, hands every call to it by run(), and puts itself before what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from .._errors import ValidationError
from .._handler import is_coroutine_function, takes_consumer
from .._queue_info import RetryPolicy

if TYPE_CHECKING:
    from ._classes import Message

Handler: TypeAlias = "Callable[..., bool | None]"
"""What consume() calls: with a Message, and with the Consumer where it takes a second
argument."""

BatchHandler: TypeAlias = "Callable[..., bool | None]"
"""The same of consume_batch(): its first argument is a list of Messages."""

Retry: TypeAlias = "RetryPolicy | Callable[[Message, BaseException | None], float | None]"
"""When a message whose handler failed comes again, as pgqrs.consume() has it."""

Inner = TypeVar("Inner")


class Facade(Generic[Inner]):
    """Stands before an object of pgqrs. Two are equal when they stand before the same."""

    __slots__ = ("__weakref__", "_inner")

    def __init__(self, inner: Inner) -> None:
        self._inner = inner

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facade) and other._inner is self._inner

    def __hash__(self) -> int:
        return hash(id(self._inner))

    def __repr__(self) -> str:
        return repr(self._inner).replace("<pgqrs.", "<pgqrs.sync.", 1)


def inner(value: Any) -> Any:
    """What the facade stands before; another object is as it is, and those who check
    arguments will say what is wrong with it."""
    return value._inner if isinstance(value, Facade) else value


def handler_of(handler: Any) -> Any:
    """A handler for consume() that calls one of pgqrs.sync."""
    if not callable(handler):
        return handler
    if is_coroutine_function(handler):
        raise ValidationError(
            "the handler of a blocking consume() must be a plain function: coroutine functions are "
            "for pgqrs.consume()"
        )
    if takes_consumer(handler):
        return lambda message, consumer: handler(_before(message), _before(consumer))
    return lambda message: handler(_before(message))


def retry_of(retry: Any) -> Any:
    """A `retry` for consume() that asks one of pgqrs.sync. It is asked in the loop."""
    if retry is None or isinstance(retry, RetryPolicy) or not callable(retry):
        return retry
    return lambda message, error: retry(_before(message), error)


def _before(value: Any) -> Any:
    """A facade before what a handler is given: a Message, a list of them, a Consumer."""
    from . import _classes

    if isinstance(value, list):
        return [_classes.Message(message) for message in value]
    return getattr(_classes, type(value).__name__)(value)
