"""What the library says in the background reaches `logging`."""

from __future__ import annotations

import logging

from fix_store import until

import pgqrs


async def test_dead_letters_are_told_to_the_logger_pgqrs(memory_dsn, caplog):
    caplog.set_level(logging.INFO, logger="pgqrs")
    async with pgqrs.connect(memory_dsn, max_read_ct=1) as store:
        await pgqrs.produce(store, "tasks", "x")
        consumer = await store.consumer("tasks")
        [message] = await consumer.dequeue()
        assert await message.release()
        assert await consumer.dequeue() == []
        await until(lambda: bool(caplog.records), "the record")
    assert [(r.name, r.levelname) for r in caplog.records] == [("pgqrs", "WARNING")]
    assert "dead letters" in caplog.text
    assert "messages: 1" in caplog.text
