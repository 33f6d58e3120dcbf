"""What a Config allows of payloads, and how many of them in a second."""

from __future__ import annotations

import asyncio

import pytest

import pgqrs

pytestmark = pytest.mark.loops("plain")


@pytest.mark.parametrize(
    ("option", "limit", "good", "bad"),
    [
        ("max_payload_size_bytes", 10, "x" * 8, "x" * 9),
        ("max_string_length", 3, {"abc": 12345}, ["ää"]),
        ("max_object_depth", 2, [[1], {}], {"a": [[]]}),
        ("forbidden_keys", ["__proto__"], ["__proto__"], [{"__proto__": 1}]),
        ("required_keys", ["task"], {"task": None}, {"a": {"task": 1}}),
    ],
)
async def test_a_payload_that_the_config_does_not_allow_is_refused(
    any_dsn, option, limit, good, bad
):
    async with pgqrs.connect(any_dsn, **{option: limit}) as store:
        await pgqrs.produce(store, "tasks", good)
        with pytest.raises(pgqrs.ValidationError, match=option):
            await pgqrs.produce(store, "tasks", bad)
        with pytest.raises(pgqrs.ValidationError, match=f"index 1.*{option}") as caught:
            await pgqrs.produce_batch(store, "tasks", [good, bad])
        assert caught.value.index == 1
    async with pgqrs.connect(any_dsn) as store:  # off by default
        await pgqrs.produce(store, "tasks", bad)


async def test_what_is_over_the_rate_is_refused_or_waits(memory_dsn):
    limits = {"max_enqueue_per_second": 20, "max_enqueue_burst": 2}
    async with pgqrs.connect(memory_dsn, rate_limit_waits=False, **limits) as store:
        await pgqrs.produce_batch(store, "tasks", range(100))  # a whole burst and more
        with pytest.raises(pgqrs.RateLimitedError, match="max_enqueue_per_second") as caught:
            await pgqrs.produce(store, "tasks", 1)
        assert 4 < caught.value.retry_after < 6
        assert caught.value.retryable
        await pgqrs.produce(store, "others", 1)
    async with pgqrs.connect(memory_dsn, **limits) as store:
        clock = asyncio.get_running_loop().time
        began = clock()
        producing = [pgqrs.produce(store, "tasks", number) for number in range(10)]
        assert sorted(ids := await asyncio.gather(*producing)) == ids
        assert clock() - began > 7.9 / 20


async def test_a_payload_of_200_mb_comes_out_as_it_went_in_and_more_than_256_mib_is_refused(dsn):
    text = "x" * 200_000_000
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce_batch(store, "tasks", [1, text, 2])
        consumer = await store.consumer("tasks")
        assert [m.payload for m in await consumer.dequeue(1)] == [1]
        messages = pgqrs.consume_iter(store, "tasks", vt=60)  # it is longer than all prefetch
        message = await messages.__anext__()
        assert message.payload == text
        assert await message.archive()
        assert (await messages.__anext__()).payload == 2
        with pytest.raises(pgqrs.ValidationError, match="256 MB"):
            await pgqrs.produce(store, "tasks", "x" * 270_000_000)
