"""How consume() calls the handler it was given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from ._consumer import Consumer
from ._errors import ValidationError
from ._threads import caller, start_in_thread

if TYPE_CHECKING:
    from concurrent.futures import Executor, ThreadPoolExecutor


class Caller:
    """Makes one kind of call of a coroutine function or a plain function, with
    one argument or two. Plain functions run in threads of its own, as many as
    handlers may run at once; under pgqrs.sync, where that is one, in the thread that
    called."""

    def __init__(self, handler: Any, consumer: Consumer, concurrency: int) -> None:
        if not callable(handler):
            raise ValidationError(f"the handler must be callable, not {type(handler).__name__}")
        self._executor: Executor | None = None
        self._pool: ThreadPoolExecutor | None = None
        if takes_consumer(handler):
            handler = functools.partial(_with_consumer, handler, consumer)
        self.call = cast("Callable[[Any], Awaitable[object]]", handler)
        """Awaits the handler for one message, or a list of them; what it returns or raises."""
        if not is_coroutine_function(handler):
            self._handler = handler
            self._executor = caller.get() if concurrency == 1 else None
            if self._executor is None:
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="pgqrs-handler")
                self._executor = self._pool
            self.call = self._in_thread

    async def _in_thread(self, message: Any) -> object:
        result = await start_in_thread(self._executor, _guarded, self._handler, message)
        # A plain function may return a coroutine: `lambda msg: send(msg, retries=3)`.
        return await result if inspect.isawaitable(result) else result

    def close(self) -> None:
        """Gives the threads back, without waiting for one that hangs."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _guarded(handler: Callable[[Any], Any], message: Any) -> Any:
    try:
        return handler(message)
    except StopIteration as error:
        # A future refuses it, and whoever awaits that would wait for ever.
        raise RuntimeError("the handler raised StopIteration") from error


def _with_consumer(handler: Callable[..., Any], consumer: Consumer, message: Any) -> Any:
    return handler(message, consumer)


def is_coroutine_function(handler: Any) -> bool:
    """Whether calling it makes a coroutine: async def, also behind partial() or
    as the __call__ of an object."""
    while isinstance(handler, functools.partial):
        if handler.func is _with_consumer:
            return is_coroutine_function(handler.args[0])
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(type(handler), "__call__", None)  # noqa: B004
    )


def takes_consumer(handler: Callable[..., Any]) -> bool:
    """Whether it wants the consumer as its second argument: one that it must be
    given, or that is called `consumer`."""
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError):  # some built-ins have no signature
        return False
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(places) < 2:
        return False
    return places[1].default is inspect.Parameter.empty or places[1].name == "consumer"
