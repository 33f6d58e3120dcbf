"""The methods of a Producer or Consumer as functions that take it first, for those who
like these better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._consumer import Consumer
from ._message import Message
from ._producer import Producer


async def enqueue(producer: Producer, payload: Any) -> int:
    """producer.enqueue(payload)."""
    return await producer.enqueue(payload)


async def enqueue_batch(producer: Producer, payloads: Iterable[Any]) -> list[int]:
    """producer.enqueue_batch(payloads)."""
    return await producer.enqueue_batch(payloads)


async def enqueue_delayed(producer: Producer, payload: Any, delay_seconds: float) -> int:
    """producer.enqueue_delayed(payload, delay_seconds)."""
    return await producer.enqueue_delayed(payload, delay_seconds)


async def archive(consumer: Consumer, message: Message | int) -> bool:
    """consumer.archive(id), of a message or its id."""
    return await consumer.archive(_id(message))


async def archive_batch(consumer: Consumer, messages: Iterable[Message | int]) -> bool:
    """Archives messages, given as such or by their ids. True: all of them; False: some
    are not ours any more, and consumer.archive_batch(ids) would tell which."""
    return all(await consumer.archive_batch([_id(message) for message in messages]))


async def delete(consumer: Consumer, message: Message | int) -> bool:
    """consumer.delete(id), of a message or its id."""
    return await consumer.delete(_id(message))


async def extend_vt(consumer: Consumer, message: Message | int, seconds: float) -> bool:
    """consumer.extend_vt(id, seconds), of a message or its id."""
    return await consumer.extend_vt(_id(message), seconds)


def _id(message: Message | int) -> int:
    return message.id if isinstance(message, Message) else message
