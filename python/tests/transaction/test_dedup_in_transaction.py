"""dedup_key= with tx=, through every library."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from drivers import DRIVERS, SCHEMA
from fix_store import drain

import pgqrs

KEYS = ["k", None, 'it\'s "quoted" \\ %s :x $1 {a,b}', "é🐘\u2028\x01\n\t", "null", "k"]

pytestmark = pytest.mark.loops("plain")


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.__name__)
async def test_keys_are_taken_inside_and_for_others_when_it_commits(driver, way, request):
    queue = request.node.name[:200]
    async with pgqrs.connect(way, schema=SCHEMA) as store:
        producer = await store.producer(queue)
        async with driver(way) as opened:
            await pgqrs.produce(store, queue, "gone", dedup_key="k", tx=opened.tx)
            await opened.rollback()
        async with driver(way) as opened:
            found = await pgqrs.produce_batch(
                store, queue, range(6), dedup_keys=KEYS, dedup_seconds=3600, tx=opened.tx
            )
            assert [answer.deduplicated for answer in found] == [False] * 5 + [True]
            assert found[5] == found[0]
            again = await producer.enqueue("x", dedup_key=KEYS[3], tx=opened.tx)
            assert (again.deduplicated, again) == (True, found[3])
            mine = await producer.enqueue_delayed("y", 3600, dedup_key="mine", tx=opened.tx)
            rival = asyncio.create_task(pgqrs.produce(store, queue, "rival", dedup_key="k"))
            free = await pgqrs.produce(store, queue, "free", dedup_key="free")
            assert not rival.done()  # it waits, and nobody waits for it
            assert not free.deduplicated
            await opened.commit()
        answer = await asyncio.wait_for(rival, 20)
        assert (answer.deduplicated, answer) == (True, found[0])
        assert await producer.enqueue_batch([1], dedup_keys=["mine"]) == [mine]
        async with driver(way) as opened:
            taken = await pgqrs.produce(store, queue, 1, dedup_key="mine", tx=opened.tx)
            assert (taken.deduplicated, taken) == (True, mine)
            await opened.rollback()
        ids = [message.id for message in await drain(store, queue)]
        assert sorted(ids) == sorted([*found[:5], free])


async def test_the_rival_of_a_transaction_that_rolls_back_stores_its_message(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        with psycopg.connect(place) as connection:
            gone = await pgqrs.produce(store, "rival", 1, dedup_key="k", tx=connection)
            rival = asyncio.create_task(pgqrs.produce(store, "rival", 2, dedup_key="k"))
            await pgqrs.produce(store, "rival", 3, dedup_key="another")
            connection.rollback()
        answer = await asyncio.wait_for(rival, 20)
        assert not answer.deduplicated
        assert answer > gone
        assert {message.payload for message in await drain(store, "rival")} == {2, 3}


async def test_keys_need_read_committed(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        for level in (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE):
            with psycopg.connect(place) as connection:
                connection.isolation_level = level
                with pytest.raises(pgqrs.ValidationError, match="READ COMMITTED") as caught:
                    await pgqrs.produce(store, "level", 1, dedup_key="k", tx=connection)
                assert caught.value.sqlstate == "PQ004"
                connection.rollback()


async def test_a_large_batch_with_keys_goes_in_several_statements(place):
    async with pgqrs.connect(place, schema=SCHEMA) as store:
        keys = [f"key {number % 22_000}" for number in range(25_000)]
        with psycopg.connect(place) as connection:
            found = await pgqrs.produce_batch(
                store, "large", range(25_000), dedup_keys=keys, tx=connection
            )
        assert sum(answer.deduplicated for answer in found) == 3000
        assert found[22_000:] == found[:3000]
