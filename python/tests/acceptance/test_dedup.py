"""dedup_key=: at most one message of a queue has a key."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from fix_store import Database, drain, until

import pgqrs

pytestmark = pytest.mark.loops("plain")


def told(answers: list[pgqrs.ProducedId]) -> list[tuple[int, bool]]:
    return [(int(answer), answer.deduplicated) for answer in answers]


async def test_a_key_is_taken_while_its_message_lives_and_the_existing_id_comes_back(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        first = await pgqrs.produce(store, "q", "one", dedup_key="k")
        again = await pgqrs.produce(store, "q", "two", dedup_key="k", delay_seconds=3600)
        assert (first.deduplicated, again.deduplicated, again) == (False, True, first)
        assert isinstance(again, int)
        assert pickle.loads(pickle.dumps(again)).deduplicated
        other = await pgqrs.produce(store, "another queue", "one", dedup_key="k")
        assert not other.deduplicated
        (message,) = await drain(store, "q")
        assert (message.id, message.payload) == (first, "one")
        assert (await pgqrs.produce(store, "q", 3, dedup_key="k")).deduplicated
        assert await message.archive()
        assert not (await pgqrs.produce(store, "q", 4, dedup_key="k")).deduplicated


async def test_a_key_for_a_time_is_taken_whatever_becomes_of_its_message(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        first = await pgqrs.produce(store, "q", 1, dedup_key="k", dedup_seconds=0.5)
        for message in await drain(store, "q"):
            await message.delete()
        assert await pgqrs.produce(store, "q", 2, dedup_key="k") == first

        async def free() -> bool:
            return not (await pgqrs.produce(store, "q", 3, dedup_key="k")).deduplicated

        await until(free, "the time to be over")


async def test_each_payload_of_a_batch_is_answered_in_its_place(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        old = await pgqrs.produce(store, "q", 0, dedup_key="old")
        keys = ["a", None, "old", "a", None, "b"]
        found = await pgqrs.produce_batch(store, "q", range(6), dedup_keys=iter(keys))
        ids = [int(number) for number in found]
        assert told(found) == list(zip(ids, [False, False, True, True, False, False], strict=True))
        assert ids[2] == old
        assert ids[3] == ids[0] < ids[1] < ids[4] < ids[5]
        assert [message.payload for message in await drain(store, "q")] == [0, 0, 1, 4, 5]
        assert await pgqrs.produce_batch(store, "q", [], dedup_keys=[]) == []
        producer = await store.producer("q")
        assert await producer.enqueue("x", dedup_key="old") == old
        assert await producer.enqueue_delayed("x", 5, dedup_key="old") == old
        mine = await producer.enqueue_batch(["x", "y"], dedup_keys=["old", "mine"], dedup_seconds=9)
        assert [answer.deduplicated for answer in mine] == [True, False]
        (message,) = await drain(store, "q")
        assert (message.payload, message.producer_worker_id) == ("y", producer.worker_id)


async def test_of_many_tasks_and_stores_with_one_key_one_stores_its_message(any_dsn):
    async with pgqrs.connect(any_dsn) as one, pgqrs.connect(any_dsn) as two:
        calls = [
            pgqrs.produce((one, two)[number % 2], "q", number, dedup_key=f"k{number % 5}")
            for number in range(200)
        ]
        answers = await asyncio.gather(*calls)
        assert len(set(answers)) == 5
        assert sum(not answer.deduplicated for answer in answers) == 5
        assert len(await drain(one, "q")) == 5


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dedup_key": ""}, "must not be empty"),
        ({"dedup_key": "x" * 256}, "at most 255 characters.*digest"),
        ({"dedup_key": b"k"}, "must be a str, not bytes"),
        ({"dedup_key": 7}, "must be a str, not int"),
        ({"dedup_key": "a\0b"}, "NUL"),
        ({"dedup_key": "\ud800"}, "surrogate"),
        ({"dedup_seconds": 5}, "pass dedup_key too"),
        ({"dedup_key": "k", "dedup_seconds": 0}, "dedup_seconds must be between"),
        ({"dedup_key": "k", "dedup_seconds": -1}, "dedup_seconds must be between"),
        ({"dedup_key": "k", "dedup_seconds": float("nan")}, "dedup_seconds"),
        ({"dedup_key": "k", "dedup_seconds": True}, "dedup_seconds"),
        ({"dedup_key": "k", "dedup_seconds": 4e9}, "dedup_seconds"),
    ],
)
async def test_what_is_no_key_is_refused_and_said(memory_dsn, options, text):
    async with pgqrs.connect(memory_dsn) as store:
        with pytest.raises(pgqrs.ValidationError, match=text):
            await pgqrs.produce(store, "q", 1, **options)
        assert await drain(store, "q") == []


async def test_what_are_no_keys_of_a_batch_is_refused_and_said(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        for keys, text in (
            (["a"], "for each of the 2 payloads, not 1"),
            (["a", "b", "c"], "not 3"),
            ("ab", "must be an iterable of str or None, not str"),
            ([None, ""], r"dedup_keys\[1\] must not be empty"),
            (["x" * 256, None], r"dedup_keys\[0\] must have at most 255"),
        ):
            with pytest.raises(pgqrs.ValidationError, match=text):
                await pgqrs.produce_batch(store, "q", [1, 2], dedup_keys=keys)
        with pytest.raises(pgqrs.ValidationError, match="pass dedup_keys too"):
            await pgqrs.produce_batch(store, "q", [1, 2], dedup_seconds=5)
        with pytest.raises(pgqrs.SerializationError) as caught:
            await pgqrs.produce_batch(store, "q", [1, "\0"], dedup_keys=["a", "b"])
        assert caught.value.index == 1
        assert await drain(store, "q") == []


async def test_sql_takes_the_same_keys_and_tells_too(dsn):
    database = Database(dsn)
    async with pgqrs.connect(dsn) as store:
        first = await pgqrs.produce(store, "q", 1, dedup_key="k")
        assert database.value("select pgqrs_produce('q', '2', dedup_key => 'k')") == first
        rows = database.rows(
            "select id, deduplicated from pgqrs_produce_keyed("
            "'q', array['1', '2', '3']::json[], array['k', null, 'l'], dedup_for => '1 h')"
        )
        assert rows[0] == (first, True)
        assert [new for _, new in rows[1:]] == [False, False]
        assert await pgqrs.produce(store, "q", 4, dedup_key="l") == rows[2][0]
