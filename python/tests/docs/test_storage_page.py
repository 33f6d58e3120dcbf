"""docs/storage.md: the pictures, step by step, on a real queue."""

from __future__ import annotations

import pytest
from fix_page import blocks
from fix_store import Database

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def test_sets_are_split_settled_and_merged_as_the_pictures_show(dsn, database: Database):
    (look,) = blocks("storage.md", "sql")
    spans, done, _ = look.split(";")

    def rows() -> list[tuple[int, str]]:
        """Of each span how often it was delivered, and its ids."""
        return [(row[2], str(row[-1]).replace(" ", "")) for row in database.rows(spans)]

    async with pgqrs.connect(dsn) as store:
        # lease.svg
        first = await pgqrs.produce_batch(store, "tasks", range(10))
        assert first == [*range(1, 11)]
        assert rows() == [(0, "{[1,11)}")]
        one, other = await store.consumer("tasks"), await store.consumer("tasks")
        await one.dequeue_many_with_delay(4, 60)
        assert rows() == [(0, "{[5,11)}"), (1, "{[1,5)}")]
        await other.dequeue_many_with_delay(6, 90)
        assert rows() == [(1, "{[1,5)}"), (1, "{[5,11)}")]
        leases = database.rows("select count(distinct lease) from pgqrs_spans where lease > 0")
        assert leases == [(2,)]
        assert all(await one.archive_batch([1, 2, 3, 4]))
        assert all(await other.delete_batch([*range(5, 11)]))
        assert [str(row[-1]) for row in database.rows(done)] == ["{[1, 5)}"]
        assert database.value("select count(*) from pgqrs_log") == 4

        # merge.svg
        for number in range(4):
            await pgqrs.produce(store, "tasks", number)
        assert len(rows()) == 4
        await one.dequeue_many_with_delay(4, 60)
        assert rows() == [(1, "{[11,15)}")]

        # settle.svg
        assert all(await one.archive_batch([11, 13]))
        assert rows() == [(1, "{[12,13),[14,15)}")]
        assert await one.delete(12)
        assert rows() == [(1, "{[14,15)}")]
        assert await one.release_messages([14]) == 1
        assert rows() == [(1, "{[14,15)}")]
        assert database.value("select lease from pgqrs_spans") == 0
