"""Payloads to JSON and back."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

import pgqrs
from pgqrs._codec import TURN, encode, encode_all, encode_array
from pgqrs._decoder import decode

EXACT = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**64) - 1,
    10**4299,
    0.1,
    -0.0,
    1e300,
    5e-324,
    1.7976931348623157e308,
    "",
    "é",
    "🐘",
    '"\\/\b\f\n\r\t\x01',
    "\u2028",
    "\x7f",
    [],
    {},
    [[[]]],
    {"b": 1, "a": 2},
    {"": {"": [""]}},
    [1, 1.0, "1", None, True],
]


@pytest.mark.parametrize("payload", EXACT, ids=range(len(EXACT)))
def test_what_goes_in_comes_out_exactly(payload):
    copy = decode(encode(payload))
    assert copy == payload
    assert type(copy) is type(payload)
    assert encode(copy) == encode(payload)  # sign of zero, order of keys


def test_deep_nesting_comes_out_as_it_went_in():
    payload = []
    for _ in range(500):
        payload = [payload]
    assert decode(encode(payload)) == payload


CIRCULAR: list = []
CIRCULAR.append(CIRCULAR)


BAD = [
    ({"a": math.nan}, "NaN"),
    ([math.inf], "infinities"),
    ("\ud800", "lone surrogate"),
    ({"\udfff": 1}, "lone surrogate"),
    (CIRCULAR, "contain themselves"),
    ({1, 2}, "set"),
    (b"bytes", "bytes"),
    (datetime(2020, 1, 1), "datetime"),
    (object(), "object"),
    ({(1, 2): 3}, "keys"),
    (10**4300, "limit"),
]


@pytest.mark.parametrize(("payload", "says"), BAD, ids=range(len(BAD)))
def test_what_json_cannot_hold_is_a_clear_error(payload, says):
    with pytest.raises(pgqrs.SerializationError, match="cannot be stored as JSON") as caught:
        encode(payload)
    assert says in str(caught.value)


@pytest.mark.parametrize("payload", EXACT, ids=range(len(EXACT)))
def test_the_text_is_that_of_json_dumps(payload):
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    assert encode(payload) == text.encode()


class Word(str):
    pass


class Number(enum.IntEnum):
    ONE = 1


class Lazy(dict):
    def items(self):
        return [(1, None), (True, 2.5), (None, Word("w")), (0.5, (Number.ONE,))]


@pytest.mark.parametrize("payload", [Word("w"), Number.ONE, {Number.ONE: Word("w")}, Lazy(a=1)])
def test_subclasses_are_written_like_json_dumps_writes_them(payload):
    assert encode(payload) == json.dumps(payload, separators=(",", ":")).encode()


def test_a_refused_payload_leaves_nothing_behind():
    inner: dict = {"bad": {1, 2}}
    outer = [inner]
    with pytest.raises(pgqrs.SerializationError, match="set"):
        encode(outer)
    inner["bad"] = [1, 2]
    assert encode(outer) == b'[{"bad":[1,2]}]'
    CIRCULAR.append(inner)
    with pytest.raises(pgqrs.SerializationError, match="contain themselves"):
        encode([outer, CIRCULAR])
    assert encode([outer, outer]) == b'[[{"bad":[1,2]}],[{"bad":[1,2]}]]'


class Reentrant(dict):
    """Encodes others, good and bad, while it is being encoded."""

    def __init__(self, *others):
        super().__init__(a=1)
        self.others = others

    def items(self):
        for other in self.others:
            with contextlib.suppress(pgqrs.SerializationError):
                encode(other)
        return super().items()


def test_encoding_within_encoding_disturbs_neither():
    assert encode([[Reentrant({"b": [1]}, {2}, CIRCULAR)]]) == b'[[{"a":1}]]'


def test_threads_may_encode_the_same_objects():
    shared = [[Reentrant({"b": [i]}, {i})] for i in range(20)]
    with ThreadPoolExecutor(4) as threads:
        texts = set(threads.map(lambda _: encode(shared), range(200)))
    assert texts == {json.dumps(shared, separators=(",", ":")).encode()}


def test_threads_may_encode_arrays_of_the_same_objects():
    shared = [[Reentrant({"b": [i]}, {i})] for i in range(20)]
    with ThreadPoolExecutor(4) as threads:
        texts = set(threads.map(lambda _: asyncio.run(encode_array(shared)), range(100)))
    assert texts == {json.dumps(shared, separators=(",", ":")).encode()}


def test_without_an_encoder_in_c_the_texts_are_the_same(monkeypatch):
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    write = pgqrs._codec._writer()
    assert [write(payload).encode() for payload in EXACT] == [encode(payload) for payload in EXACT]


def test_what_is_nested_too_deeply_is_a_clear_error():
    payload: list = []
    for _ in range(100_000):
        payload = [payload]
    with pytest.raises(pgqrs.SerializationError, match="too deeply"):
        encode(payload)


async def test_an_array_has_the_texts_of_its_elements():
    odd = [Word("w"), Number.ONE, {Number.ONE: Word("w")}, Lazy(a=1), Reentrant({2}, CIRCULAR)]
    same = {"a": [1]}
    payloads = [*EXACT, *odd, same, same, [same, same]]
    want = b"[" + b",".join(map(encode, payloads)) + b"]"
    for form in (list, tuple, iter):
        assert await encode_array(form(payloads)) == want
    assert await encode_array([]) == await encode_array(()) == await encode_array(iter([])) == b"[]"


async def test_a_long_array_gives_other_tasks_a_turn_and_keeps_its_order():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    payloads = list(range(5 * TURN + 1))
    for batch in (payloads, tuple(payloads), iter(payloads)):
        turns = 0
        assert await encode_array(batch) == json.dumps(payloads, separators=(",", ":")).encode()
        assert turns >= 5
    counting.cancel()


async def test_a_generator_may_give_the_same_object_again():
    def generate():
        payload = {}
        for n in range(3):
            payload["n"] = n
            yield payload

    assert await encode_array(generate()) == b'[{"n":0},{"n":1},{"n":2}]'


async def test_a_batch_may_be_nested_as_deeply_as_its_payloads_one_by_one():
    payload: list = []
    with contextlib.suppress(pgqrs.SerializationError):
        while True:
            payload = [payload]
            texts = await encode_all([1, payload])
            assert await encode_array([1, payload]) == b"[" + b",".join(texts) + b"]"
    with pytest.raises(pgqrs.SerializationError, match=r"payload 1 .* too deeply"):
        await encode_all([1, payload])


@pytest.mark.parametrize("form", [list, tuple, iter])
@pytest.mark.parametrize("encode_many", [encode_all, encode_array])
@pytest.mark.parametrize("index", [3, TURN + 3])
async def test_the_error_of_a_batch_names_the_index(encode_many, form, index):
    for bad, says in BAD:
        payloads = list(range(index))
        expected = rf"payload {index} of the batch cannot be stored as JSON: .*{says}"
        with pytest.raises(pgqrs.SerializationError, match=expected) as caught:
            await encode_many(form([*payloads, bad, 5, bad]))
        assert caught.value.index == index


@pytest.mark.parametrize("payloads", ["text", b"bytes", {"a": 1}, 5, None])
@pytest.mark.parametrize("encode_many", [encode_all, encode_array])
async def test_a_single_payload_is_not_taken_for_a_batch(encode_many, payloads):
    with pytest.raises(pgqrs.ValidationError, match="iterable of payloads"):
        await encode_many(payloads)


def test_numbers_that_other_clients_stored_are_read_like_json_reads_them():
    assert decode(b"1e999") == math.inf
    assert decode(b' {"a" : 1} ') == {"a": 1}
