"""How the handler of consume() is understood."""

from __future__ import annotations

import asyncio
import functools

import pytest

import pgqrs
from pgqrs._handler import Caller, is_coroutine_function, takes_consumer


async def coroutine(msg): ...
async def with_consumer(msg, consumer): ...
async def with_optional_consumer(msg, consumer=None): ...
async def with_another_option(msg, retries=3): ...
def plain(msg): ...
def plain_with_consumer(msg, c): ...


class Object:
    async def __call__(self, msg): ...
    async def method(self, msg): ...
    def plain_method(self, msg, consumer): ...


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (coroutine, False),
        (with_consumer, True),
        (with_optional_consumer, True),
        (with_another_option, False),
        (plain, False),
        (plain_with_consumer, True),
        (Object(), False),
        (Object().method, False),
        (Object().plain_method, True),
        (print, False),
        (lambda *args: None, False),
        (functools.partial(with_another_option, retries=5), False),
        (functools.partial(with_consumer, 1), False),
    ],
)
def test_the_consumer_is_given_to_those_that_want_it(handler, expected):
    assert takes_consumer(handler) is expected


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (coroutine, True),
        (plain, False),
        (Object(), True),
        (Object().method, True),
        (Object().plain_method, False),
        (functools.partial(with_another_option, retries=5), True),
        (functools.partial(plain), False),
        (lambda msg: coroutine(msg), False),
        (print, False),
    ],
)
def test_coroutine_functions_are_told_from_plain_functions(handler, expected):
    assert is_coroutine_function(handler) is expected


async def test_each_kind_of_handler_is_called_with_what_it_wants():
    consumer, message = object(), object()
    for handler in (
        with_consumer := _recorder(2),
        plain_two := _plain_recorder(2),
        one := _recorder(1),
        plain_one := _plain_recorder(1),
    ):
        caller = Caller(handler, consumer, 1)  # type: ignore[arg-type]
        assert await caller.call(message) == "answer"  # type: ignore[arg-type]
        caller.close()
    assert with_consumer.got == plain_two.got == (message, consumer)
    assert one.got == plain_one.got == (message,)


async def test_a_plain_function_may_return_a_coroutine():
    async def later(msg):
        return msg

    caller = Caller(lambda msg: later(msg), None, 1)  # type: ignore[arg-type]
    assert await caller.call("x") == "x"  # type: ignore[arg-type]
    caller.close()


async def test_a_plain_function_that_raises_stop_iteration_is_a_failure_and_no_hang():
    def handler(msg):
        return next(iter(()))

    caller = Caller(handler, None, 1)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(caller.call("x"), 5)  # type: ignore[arg-type]
    caller.close()


@pytest.mark.parametrize("handler", [None, 5, "name"])
def test_a_handler_must_be_callable(handler):
    with pytest.raises(pgqrs.ValidationError, match="callable"):
        Caller(handler, None, 1)  # type: ignore[arg-type]


def _recorder(count):
    if count == 2:

        async def record(msg, consumer):
            record.got = (msg, consumer)
            return "answer"
    else:

        async def record(msg):
            record.got = (msg,)
            return "answer"

    return record


def _plain_recorder(count):
    if count == 2:

        def record(msg, consumer):
            record.got = (msg, consumer)
            return "answer"
    else:

        def record(msg):
            record.got = (msg,)
            return "answer"

    return record
