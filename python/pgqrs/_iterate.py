"""MessageIterator: what consume_iter() returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from types import TracebackType
from typing import Any

from ._consumer import Consumer
from ._message import Message
from ._stream import Stream


class MessageIterator(AsyncIterator[Message]):
    """Yields the messages of a queue, one at a time, and never ends by itself.

    What it has fetched and not yielded is given back when the loop over it is
    left, by break, return or an exception, because nothing refers to it then;
    at once by aclose() or the end of `async with`; and by store.close(), which
    ends it normally.
    """

    def __init__(self, stream: Stream, consumer: Consumer) -> None:
        self._stream = stream
        self._consumer = consumer

    def __aiter__(self) -> MessageIterator:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Message]:
        return _next(self)

    async def aclose(self) -> None:
        """Ends it, and waits until what was not yielded has been given back."""
        self._stream.check_loop()
        self._stream.close()
        await asyncio.shield(self._stream.finished())

    async def __aenter__(self) -> MessageIterator:
        self._stream.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # An async generator would do this only when the loop finalises it.
        self._stream.close()


async def _next(iterator: MessageIterator) -> Message:
    try:
        stream = iterator._stream
        stream.check_loop()
        stream.open()
        while (message := stream.take(iterator._consumer)) is None:
            if not await stream.wait():
                if (error := stream.error) is not None:
                    stream.error = None
                    raise error
                raise StopAsyncIteration
        return message
    finally:
        # A traceback holds this frame; it must not hold the iterator too, whose
        # end gives messages back.
        del iterator
