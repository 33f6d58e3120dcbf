"""pgqrs top: in a pseudo-terminal, and with its pilot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fix_store import until
from terminal import Terminal

import pgqrs as package
from pgqrs._cli._top._app import Top


async def fill(store: package.Store) -> None:
    """Two queues: one with dead letters, one with messages that are ready."""
    queues = await store.get_queues()
    await queues.create("bad", max_read_ct=1)
    await package.produce_batch(store, "bad", [{"n": n} for n in range(3)])
    await package.consume(store, "bad", lambda message: False, until_empty=True)
    await package.produce_batch(store, "good", range(1234))


async def see_leases(dsn: str) -> None:
    """A worker is shown with what it holds, while it holds it."""
    async with package.connect(dsn) as store:
        consumer = await store.consumer("good")
        held = await consumer.dequeue_many_with_delay(321, 60)
        with Terminal("top", "--every", "0.2", PGQRS_DSN=dsn) as terminal:
            await asyncio.to_thread(terminal.shows, "longest")
            await asyncio.to_thread(terminal.until, lambda text: text.count("321") >= 3, "both")
            assert await consumer.release_messages([message.id for message in held]) == 321
            await asyncio.to_thread(terminal.until, lambda text: "321 leased" not in text)
            terminal.press("q")
            assert await asyncio.to_thread(terminal.ended) == 0


def test_somebody_at_a_terminal_sees_queues_and_acts_on_them(pgqrs, dsn):
    async def prepare() -> None:
        async with package.connect(dsn) as store:
            await fill(store)

    asyncio.run(prepare())
    asyncio.run(see_leases(dsn))
    with Terminal("top", "--every", "0.2", PGQRS_DSN=dsn) as terminal:
        terminal.shows("1,234")
        terminal.shows("3 dead")
        terminal.press("p")
        terminal.shows("paused")
        terminal.press("p")
        terminal.until(lambda text: "paused" not in text, "no pause")
        terminal.press("i")
        terminal.shows('{"n": 2}')
        terminal.press("\r")
        terminal.shows("Deliveries:")
        terminal.press("\x1b")
        terminal.until(lambda text: "Deliveries:" not in text, "the tables")
        terminal.press("r")
        terminal.shows("Replay the 3 dead letters of 'bad'?")
        terminal.press("y")
        terminal.shows("0 dead")
        terminal.press("\x1b[B")
        terminal.press("i")
        terminal.shows("Messages of 'good'")
        terminal.press("\x1b")
        terminal.until(lambda text: "Messages of" not in text, "the tables")
        terminal.press("x")
        terminal.shows("Delete the 1,234 live messages of 'good'?")
        terminal.press("n")
        terminal.until(lambda text: "Delete" not in text, "no question")
        terminal.press("x")
        terminal.shows("Delete the 1,234 live messages of 'good'?")
        terminal.press("y")
        terminal.shows("deleted 1,234 messages")
        terminal.press("q")
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.text
    assert [q["depth"] for q in pgqrs.json("queue", "list")] == [3, 0]


def test_a_picture_needs_no_terminal(pgqrs, tmp_path):
    pgqrs("produce", "tasks", "1")
    path: Path = tmp_path / "top.svg"
    pgqrs("top", "--every", "0.1", "--picture", path)
    text = path.read_text()
    assert text.startswith("<svg")
    assert "tasks" in text
    said = pgqrs.refused("top", status=2)
    assert said.startswith("top wants a terminal")


@pytest.mark.loops("plain")
async def test_the_screen_outlives_a_server_that_is_away(private_server):
    dsn = private_server.fresh_database()
    async with package.connect(dsn, connection_timeout_seconds=1) as store:
        await fill(store)
        app = Top(store, 0.1)
        async with app.run_test(size=(110, 30)):
            error = app.query_one("#error")
            table = app.query_one("#queues")
            await until(lambda: len(table.rows) == 2, "queues")
            private_server.stop()
            await until(lambda: bool(error.display), "the error", 60)
            private_server.start()
            await until(lambda: not error.display, "the server", 60)
            assert len(table.rows) == 2
