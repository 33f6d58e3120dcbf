"""Dead letters: how messages die, what is known of them, and how they come back."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from fix_store import Database, until

import pgqrs

pytestmark = pytest.mark.loops("plain")

SOON = pgqrs.RetryPolicy(kind="fixed", base_seconds=0.01)
BOOM = ValueError("boom")


async def fail(store, queue, error=BOOM, **options):
    """Consumes until nothing is left, with a handler that fails."""

    async def handler(msg):
        raise error

    options = {"retry": SOON, **options}
    run = asyncio.ensure_future(pgqrs.consume(store, queue, handler, **options))
    admin = pgqrs.admin(store)

    async def over():
        return (await admin.queue_metrics(queue)).depth == 0

    await until(over, "all messages to be dead")
    run.cancel()
    await asyncio.wait([run])


async def test_a_message_whose_handler_fails_dies_with_its_error_and_its_history(any_dsn, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(any_dsn, max_read_ct=3) as store:
        admin = pgqrs.admin(store)
        number = await pgqrs.produce(store, "tasks", {"task": "send ✉"})
        await fail(store, "tasks")
        [letter] = await admin.dlq("tasks")
        assert isinstance(letter, pgqrs.ArchivedMessage)
        assert (letter.id, letter.payload) == (number, {"task": "send ✉"})
        assert (letter.outcome, letter.error) == (pgqrs.Outcome.DEAD, "ValueError: boom")
        assert (letter.read_ct, letter.original_msg_id) == (3, number)
        assert datetime.now(timezone.utc) - letter.archived_at < timedelta(minutes=1)
        archive = await store.get_archive()
        history = await archive.history(number)
        assert [(a.attempt, a.outcome, a.error) for a in history] == [
            (n, pgqrs.AttemptOutcome.FAILED, "ValueError: boom") for n in (1, 2, 3)
        ]
        for attempt in history:
            assert attempt.consumer_worker_id == letter.consumer_worker_id is not None
            assert letter.enqueued_at <= attempt.started_at <= attempt.ended_at
        assert await archive.dlq_count("tasks") == 1
        assert (await admin.queue_metrics("tasks")).dead == 1
        assert await archive.get(number) == letter


async def test_what_a_handler_says_by_false_is_kept_too(memory_dsn):
    async with pgqrs.connect(memory_dsn, max_read_ct=1) as store:
        await pgqrs.produce(store, "tasks", 1)
        await pgqrs.consume(store, "tasks", lambda msg: False, until_empty=True)
        [letter] = await pgqrs.admin(store).dlq()
        assert letter.error == "the handler returned False"


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("x" * 5000), "ValueError: " + "x" * 1987 + "…"),
        (ValueError("a\0b\ud800c"), "ValueError: a\ufffdb?c"),
        (KeyError(), "KeyError"),
    ],
    ids=["long", "no text", "empty"],
)
async def test_the_error_is_bounded_and_is_text(any_dsn, error, kept, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(any_dsn, max_read_ct=1) as store:
        await pgqrs.produce(store, "tasks", 1)
        await fail(store, "tasks", error)
        assert [letter.error for letter in await pgqrs.admin(store).dlq("tasks")] == [kept]


async def test_a_replayed_message_is_consumed_as_if_it_were_new(any_dsn, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(any_dsn, max_read_ct=1) as store:
        admin = pgqrs.admin(store)
        number = await pgqrs.produce(store, "tasks", "again")
        await fail(store, "tasks")
        seen = asyncio.get_running_loop().create_future()

        async def handler(msg):
            seen.set_result((msg.id, msg.payload, msg.read_ct))

        run = asyncio.ensure_future(pgqrs.consume(store, "tasks", handler))
        await asyncio.sleep(0)
        await admin.replay_message(number)
        assert await asyncio.wait_for(seen, 20) == (number, "again", 1)
        run.cancel()
        await asyncio.wait([run])
        assert await admin.dlq("tasks") == []
        archive = await admin.get_archive()
        history = await archive.history(number)
        assert [a.outcome.value for a in history] == ["failed", "archived"]
        assert (await archive.get(number)).outcome == "archived"
        await admin.replay_message(number)  # an archived one too
        assert (await admin.queue_metrics("tasks")).ready == 1
        with pytest.raises(pgqrs.MessageNotFoundError, match="neither archived nor dead"):
            await admin.replay_message(number)
        with pytest.raises(pgqrs.MessageNotFoundError):
            await admin.replay_message(2**60)


async def test_dead_letters_are_replayed_by_filter_and_by_number(any_dsn, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(any_dsn, max_read_ct=1) as store:
        admin = pgqrs.admin(store)
        for queue in ("tasks", "emails"):
            await pgqrs.produce_batch(store, queue, range(700))
            await fail(store, queue)
        assert await admin.replay_dlq("tasks", limit=10) == 10
        assert (await admin.queue_metrics("tasks")).ready == 10
        long_ago = datetime.now(timezone.utc) - timedelta(hours=1)
        assert await admin.replay_dlq(until=long_ago) == 0
        assert await admin.replay_dlq("tasks", since=long_ago) == 690
        assert await admin.replay_dlq(limit=0) == 0
        assert await admin.replay_dlq() == 700
        assert len(await admin.dlq()) == 0
        with pytest.raises(pgqrs.QueueNotFoundError):
            await admin.replay_dlq("nowhere")


async def test_a_replay_keeps_to_its_rate(memory_dsn, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(memory_dsn, max_read_ct=1) as store:
        await pgqrs.produce_batch(store, "tasks", range(30))
        await fail(store, "tasks")
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await pgqrs.admin(store).replay_dlq("tasks", per_second=60) == 30
        assert loop.time() - began > 0.4  # the last piece is followed by its share too


async def test_a_policy_says_when_a_failed_message_comes_again(any_dsn, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(any_dsn) as store:
        admin = pgqrs.admin(store)
        await admin.create_queue("tasks", retry=pgqrs.RetryPolicy(kind="fixed", base_seconds=3600))
        await pgqrs.produce(store, "tasks", 1)
        await pgqrs.consume(store, "tasks", lambda msg: 1 / 0, until_empty=True)
        metrics = await admin.queue_metrics("tasks")
        assert (metrics.delayed, metrics.ready) == (1, 0)
        # The policy of the call comes first; a function decides for each message.
        await pgqrs.produce_batch(store, "tasks", [2, 3])
        asked = []

        def retry(msg, error):
            asked.append((msg.payload, type(error)))
            return 0 if msg.payload == 2 and msg.read_ct < 3 else None

        await pgqrs.consume(store, "tasks", lambda msg: 1 / 0, retry=retry, until_empty=True)
        assert sorted(asked) == [(2, ZeroDivisionError)] * 3 + [(3, ZeroDivisionError)]
        assert (await admin.queue_metrics("tasks")).delayed == 3


@pytest.mark.parametrize("wrong", [lambda msg, error: 1 / 0, lambda msg, error: -1, lambda: 1])
async def test_a_retry_function_that_fails_leaves_it_to_the_policy(memory_dsn, wrong, caplog):
    async with pgqrs.connect(memory_dsn) as store:
        admin = pgqrs.admin(store)
        await admin.create_queue("tasks", retry=pgqrs.RetryPolicy(kind="fixed", base_seconds=60))
        await pgqrs.produce(store, "tasks", 1)
        await pgqrs.consume(store, "tasks", lambda msg: False, retry=wrong, until_empty=True)
        assert (await admin.queue_metrics("tasks")).delayed == 1
        assert "retry failed" in caplog.text


@pytest.mark.parametrize("wrong", [7, "soon", pgqrs.RetryPolicy])
async def test_what_is_no_policy_is_refused(memory_dsn, wrong):
    if wrong is pgqrs.RetryPolicy:
        wrong = object()
    async with pgqrs.connect(memory_dsn) as store:
        with pytest.raises(pgqrs.ValidationError, match="retry"):
            await pgqrs.consume(store, "tasks", lambda msg: None, retry=wrong)


async def test_a_message_can_be_failed_without_consume(any_dsn):
    async with pgqrs.connect(any_dsn, max_read_ct=2) as store:
        number = await pgqrs.produce(store, "tasks", 1)
        consumer = await store.consumer("tasks")
        [msg] = await consumer.dequeue()
        assert await msg.fail(RuntimeError("first"), delay_seconds=0)
        assert not await msg.fail("again")
        [msg] = await consumer.dequeue()
        assert await msg.fail("second")
        [letter] = await pgqrs.admin(store).dlq("tasks")
        assert (letter.id, letter.error) == (number, "second")
        history = await (await store.get_archive()).history(number)
        assert [a.error for a in history] == ["RuntimeError: first", "second"]
        with pytest.raises(pgqrs.ValidationError, match="error must be"):
            await msg.fail(7)
        with pytest.raises(pgqrs.ValidationError, match="delay_seconds"):
            await msg.fail(delay_seconds=-1)


async def test_a_handler_that_fails_after_its_transaction_rolled_back_leaves_its_error(dsn, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with (
        pgqrs.connect(dsn, max_read_ct=1) as store,
        await psycopg.AsyncConnection.connect(dsn) as connection,
    ):
        await pgqrs.produce(store, "tasks", 1)

        async def handler(msg):
            async with connection.transaction():
                assert await msg.archive(tx=connection)
                raise OSError("the disk is full")

        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        [letter] = await pgqrs.admin(store).dlq("tasks")
        assert letter.error == "OSError: the disk is full"


async def test_the_views_and_the_attempts_show_it_in_sql(dsn, database: Database, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(dsn, max_read_ct=2) as store:
        number = await pgqrs.produce(store, "tasks", 1)
        await fail(store, "tasks")
    assert database.rows("select id, outcome, read_ct from pgqrs_archive") == [(number, "dead", 2)]
    assert database.rows(
        "select message_id, attempt, outcome, error from pgqrs_attempts order by attempt"
    ) == [(number, n, "failed", "ValueError: boom") for n in (1, 2)]
