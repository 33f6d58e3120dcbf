"""ConsumerIterator: what consume_iter() returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

from . import _types
from ._consumer import Consumer
from ._message import Message
from ._native import StreamOptions
from ._payload_type import Payload
from ._stream import Stream

if TYPE_CHECKING:
    from ._store import Store


class ConsumerIterator(AsyncIterator[Message[Payload]], Generic[Payload]):
    """Yields the messages of a queue, one at a time, and never ends by itself.

    What it has fetched and not yielded is given back when the loop over it is
    left, by break, return or an exception, because nothing refers to it then;
    at once by aclose() or the end of `async with`; and by store.close(), which
    ends it normally.
    """

    def __init__(self, stream: Stream, consumer: Consumer[Payload]) -> None:
        self._stream = stream
        self._consumer = consumer

    def __aiter__(self) -> ConsumerIterator[Payload]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Message[Payload]]:
        return _next(self)

    async def aclose(self) -> None:
        """Ends it, and waits until what was not yielded has been given back."""
        self._stream.check_loop()
        self._stream.close()
        await asyncio.shield(self._stream.finished())

    async def close(self) -> None:
        """Another name of aclose()."""
        await self.aclose()

    async def archive(self, message_id: int) -> bool:
        """Moves a message that it yielded to the archive. False: it is not ours any more.
        msg.archive() does the same, of that very delivery."""
        return await self._consumer.archive(message_id)

    async def delete(self, message_id: int) -> bool:
        """Removes a message that it yielded without a trace, likewise."""
        return await self._consumer.delete(message_id)

    async def __aenter__(self) -> ConsumerIterator[Payload]:
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


def iterate(
    store: Store,
    queue: str,
    batch_size: int | None,
    vt: float | None,
    payload_type: type[Payload] | None,
) -> ConsumerIterator[Payload]:
    """The iterator of consume_iter()."""
    options = StreamOptions(batch_size=_types.batch_size(batch_size), vt_us=_types.vt_us(vt))
    stream = Stream(store._link, _types.queue_name(queue), options)
    return ConsumerIterator(stream, Consumer(store, queue, payload_type=payload_type))


async def _next(iterator: ConsumerIterator[Payload]) -> Message[Payload]:
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
