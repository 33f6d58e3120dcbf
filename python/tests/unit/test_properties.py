"""Random payloads against the standard json, and random calls against a small model."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pgqrs
from pgqrs._codec import encode
from pgqrs._decoder import decode

ECONOMICAL = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
PAYLOADS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
# What JSON in PostgreSQL cannot hold, somewhere in a payload.
IMPOSSIBLE = st.sampled_from([float("nan"), float("inf"), "\0", "a\0b", "\ud800", "\udc00x"])


def same(a: Any, b: Any) -> bool:
    """Equal, and written alike: the sign of zero, the kind of number, the order of keys."""
    return bool(a == b) and json.dumps(a) == json.dumps(b)


async def through_the_core(payloads: list[Any]) -> list[Any]:
    """What comes out of a store in the order in which it went in."""
    async with await pgqrs.connect(f"memory://{secrets.token_hex(6)}") as store:
        await pgqrs.produce_batch(store, "q", payloads)
        consumer = await store.consumer("q")
        return [m.payload for m in await consumer.dequeue_many_with_delay(len(payloads), 60)]


@ECONOMICAL
@given(st.lists(PAYLOADS, min_size=1, max_size=8))
def test_payloads_come_out_as_the_standard_json_would_give_them_back(payloads):
    for payload in payloads:
        assert same(json.loads(encode(payload)), payload)
        assert same(decode(encode(payload)), payload)
        assert same(decode(json.dumps(payload).encode()), payload)


@settings(ECONOMICAL, max_examples=15)
@given(st.lists(PAYLOADS, min_size=1, max_size=20))
def test_payloads_cross_the_core_unchanged(payloads):
    out = asyncio.run(through_the_core(payloads))
    assert len(out) == len(payloads)
    assert all(map(same, out, payloads))


@settings(ECONOMICAL, max_examples=15)
@given(st.lists(PAYLOADS, max_size=3), IMPOSSIBLE, st.booleans())
def test_what_postgresql_cannot_hold_is_refused_wherever_it_stands(beside, impossible, as_key):
    inner = {impossible: 1} if as_key and isinstance(impossible, str) else [impossible]
    with pytest.raises((pgqrs.SerializationError, pgqrs.ValidationError)):
        asyncio.run(through_the_core([*beside, inner]))


# Keys that may be, few enough to meet again, and what may not be.
KEYS = (
    st.none()
    | st.sampled_from("abc")
    | st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255
    )
)
NO_KEYS = (
    st.text(min_size=256, max_size=300)
    | st.just("")
    | st.sampled_from(["\0", "a\0b", "\ud800", "x\udfff"])
    | st.integers()
    | st.binary(max_size=3)
)


@settings(ECONOMICAL, max_examples=40)
@given(st.lists(st.lists(KEYS, max_size=8), max_size=8))
def test_of_any_keys_each_is_of_the_first_message_that_had_it(batches):
    async def run() -> None:
        async with await pgqrs.connect(f"memory://{secrets.token_hex(6)}") as store:
            first: dict[str, int] = {}
            for keys in batches:
                found = await pgqrs.produce_batch(store, "q", keys, dedup_keys=keys)
                for key, answer in zip(keys, found, strict=True):
                    assert answer.deduplicated == (key in first)
                    assert key is None or first.setdefault(key, answer) == answer

    asyncio.run(run())


@settings(ECONOMICAL, max_examples=40)
@given(NO_KEYS)
def test_what_is_no_key_is_refused_with_what_is_wrong(key):
    async def run() -> None:
        async with await pgqrs.connect(f"memory://{secrets.token_hex(6)}") as store:
            with pytest.raises(pgqrs.ValidationError, match="dedup_key must"):
                await pgqrs.produce(store, "q", 1, dedup_key=key)
            with pytest.raises(pgqrs.ValidationError, match=r"dedup_keys\[1\] must"):
                await pgqrs.produce_batch(store, "q", [1, 2], dedup_keys=["a", key])

    asyncio.run(run())


# A call, and which message it is about: the n-th of those there are.
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["produce", "dequeue", "archive", "delete", "release", "extend_vt"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


class Model:
    """What a queue is: messages that are ready, in order, and deliveries that are held."""

    def __init__(self) -> None:
        self.ready: list[int] = []
        self.leases: dict[int, int] = {}
        self.held: list[pgqrs.Message] = []
        self.over: list[pgqrs.Message] = []

    async def call(self, verb: str, n: int, store: pgqrs.Store, consumer: pgqrs.Consumer) -> None:
        """Make one call and compare its answer."""
        if verb == "produce":
            ids = await pgqrs.produce_batch(store, "q", list(range(n)))
            assert len(ids) == n
            assert ids == sorted(ids)
            self.ready += ids
        elif verb == "dequeue":
            got = await consumer.dequeue_many_with_delay(n + 1, 60)
            expected, self.ready = self.ready[: n + 1], self.ready[n + 1 :]
            assert [m.id for m in got] == expected
            for m in got:
                self.leases[m.id] = self.leases.get(m.id, 0) + 1
                assert m.read_ct == self.leases[m.id]
            self.held += got
        else:
            await self.settle(verb, n)

    async def settle(self, verb: str, n: int) -> None:
        """Settle what is held, which answers True, and what is over, which answers False."""
        arguments = (30,) if verb == "extend_vt" else ()
        if self.over:
            late = self.over[n % len(self.over)]
            assert await getattr(late, verb)(*arguments) is False
        if not self.held:
            return
        message = self.held[n % len(self.held)]
        assert await getattr(message, verb)(*arguments) is True
        if verb == "extend_vt":
            return
        self.held.remove(message)
        self.over.append(message)
        if verb == "release":
            self.ready.append(message.id)


@settings(ECONOMICAL, max_examples=40)
@given(CALLS)
def test_any_sequence_of_calls_does_what_a_small_model_says(calls):
    async def run() -> None:
        dsn = f"memory://{secrets.token_hex(6)}"
        async with await pgqrs.connect(dsn, max_read_ct=1000) as store:
            consumer = await store.consumer("q")
            model = Model()
            for verb, n in calls:
                await model.call(verb, n, store, consumer)
            left = await consumer.dequeue_many_with_delay(1000, 60)
            assert [m.id for m in left] == model.ready

    asyncio.run(run())
