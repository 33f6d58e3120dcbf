"""consume(): what it does with the answers of the handler, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from fix_store import Database, drain, until

import pgqrs


async def cancel(task: asyncio.Task[None]) -> None:
    """Cancels and waits; it must end as cancelled."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_true_and_none_archive(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(300))
        seen = []

        async def handler(msg):
            seen.append(msg.payload)
            return True if msg.payload % 2 else None

        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        assert seen == list(range(300))
        assert await drain(store, "tasks") == []


async def test_what_was_archived_is_committed_when_consume_returns(dsn, database: Database):
    async with pgqrs.connect(dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(100))

        async def handler(msg):
            return True

        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        assert database.rows("select id from pgqrs_archive order by id") == [(n,) for n in ids]
        assert database.value("select count(*) from pgqrs_messages") == 0


@pytest.mark.parametrize(
    "answer",
    [False, ValueError("no"), asyncio.CancelledError(), 0, 1, "yes", [], object()],
    ids=repr,
)
async def test_false_exceptions_and_other_values_are_retried_vt_later(memory_dsn, answer, caplog):
    async with pgqrs.connect(memory_dsn) as store:
        await pgqrs.produce(store, "tasks", "x")
        times: list[tuple[int, float]] = []
        loop = asyncio.get_running_loop()

        async def handler(msg):
            times.append((msg.read_ct, loop.time()))
            if len(times) == 2:
                return True
            if isinstance(answer, BaseException):
                raise answer
            return answer

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=0.6))
        await until(lambda: len(times) == 2)
        await cancel(task)
        assert [read_ct for read_ct, _ in times] == [1, 2]
        assert 0.59 < times[1][1] - times[0][1] < 3
        assert await drain(store, "tasks") == []
        logged = [record.message for record in caplog.records if record.name == "pgqrs"]
        if answer is False:
            assert logged == []
        else:
            assert len(logged) == 1
            assert "queue 'tasks'" in logged[0]


async def test_retried_on_postgresql_too_and_an_exception_never_ends_the_loop(
    dsn, database: Database
):
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(40))
        seen: Counter[int] = Counter()

        async def handler(msg):
            seen[msg.payload] += 1
            if seen[msg.payload] == 1 and msg.payload % 2:
                raise RuntimeError(f"no {msg.payload}")
            return True if msg.payload % 4 else seen[msg.payload] == 2

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=1))
        await until(lambda: seen.total() == 40 + 20 + 10)
        await cancel(task)
        rows = database.rows("select outcome, count(*), max(read_ct) from pgqrs_archive group by 1")
        assert rows == [("archived", 40, 2)]


async def test_nothing_is_archived_whose_handler_did_not_return(dsn, database: Database):
    async with pgqrs.connect(dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        running = asyncio.Event()

        async def handler(msg):
            running.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, shutdown_timeout=0))
        await running.wait()
        await cancel(task)
        assert database.value("select count(*) from pgqrs_archive") == 0
        assert database.value("select count(*) from pgqrs_messages") == 1


async def test_a_plain_function_runs_in_a_thread(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(20))
        threads: set[threading.Thread] = set()

        def handler(msg):
            threads.add(threading.current_thread())
            return msg.payload >= 0

        await pgqrs.consume(store, "tasks", handler, until_empty=True, concurrency=3)
        assert threading.main_thread() not in threads
        assert 1 <= len(threads) <= 3
        assert await drain(store, "tasks") == []


@pytest.mark.parametrize("concurrency", [1, 5])
async def test_as_many_handlers_run_at_once_as_concurrency_says(any_dsn, concurrency):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(40))
        running, most = 0, 0

        async def handler(msg):
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(20):
                await asyncio.sleep(0)
            running -= 1

        await pgqrs.consume(store, "tasks", handler, until_empty=True, concurrency=concurrency)
        assert most == concurrency
        assert await drain(store, "tasks") == []


async def test_the_handler_is_given_the_consumer_when_it_wants_it(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        ids = await pgqrs.produce_batch(store, "tasks", range(3))
        answers = []

        async def handler(msg, consumer):
            assert consumer is msg.consumer
            answers.append(await consumer.extend_vt(msg.id, 60))
            answers.append(await consumer.archive(msg.id))

        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        assert answers == [True] * 6
        assert await drain(store, "tasks") == []
        assert len(ids) == 3


async def test_a_handler_may_settle_its_message_itself(any_dsn, caplog):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", ["archive", "delete", "release"])

        async def handler(msg):
            if msg.payload == "release":
                await msg.release(3600)
                return False
            assert await getattr(msg, msg.payload)()
            return None

        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        assert await drain(store, "tasks") == []
        assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_consumer_object_of_the_page_extends_inside_a_handler(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        consumer = pgqrs.consumer(pgqrs.admin(store), "tasks", "host", 8080)
        answers = []

        async def handler(msg):
            answers.append(await consumer.extend_vt(msg.id, 60))

        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        assert answers == [True]


async def test_the_message_of_a_running_handler_is_kept_for_longer_than_its_vt(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        other = await store.consumer("tasks")
        loop, counts = asyncio.get_running_loop(), []

        async def handler(msg):
            counts.append(msg.read_ct)
            end = loop.time() + 2
            while loop.time() < end:
                assert await other.dequeue() == []

        await pgqrs.consume(store, "tasks", handler, vt=0.6, until_empty=True)
        assert counts == [1]
        assert await drain(store, "tasks") == []


async def test_the_message_is_kept_while_the_handler_blocks_the_event_loop(dsn, database: Database):
    async with pgqrs.connect(dsn) as store, pgqrs.connect(dsn) as elsewhere:
        await pgqrs.produce(store, "tasks", 1)
        counts = []

        async def handler(msg):
            counts.append(msg.read_ct)
            end = time.monotonic() + 2
            while time.monotonic() < end:  # no await: the loop stands still
                assert database.value("select vt > clock_timestamp() from pgqrs_messages")
            return True

        await pgqrs.consume(store, "tasks", handler, vt=0.8, until_empty=True)
        assert counts == [1]
        assert await drain(elsewhere, "tasks") == []


async def test_without_auto_extend_a_handler_that_is_too_slow_loses_its_message(any_dsn, caplog):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        counts: list[int] = []
        second = asyncio.Event()

        async def handler(msg):
            counts.append(msg.read_ct)
            if msg.read_ct == 1:
                await second.wait()
            else:
                second.set()

        task = asyncio.create_task(
            pgqrs.consume(store, "tasks", handler, vt=1, auto_extend=False, concurrency=2)
        )
        await until(lambda: counts == [1, 2])
        await cancel(task)
        assert "no longer ours" in caplog.text
        assert await drain(store, "tasks") == []


async def test_a_hung_handler_is_kept_for_max_lease_seconds_and_not_for_ever(any_dsn, caplog):
    async with pgqrs.connect(any_dsn, max_lease_seconds=1) as store:
        await pgqrs.produce(store, "tasks", 1)
        counts: list[int] = []
        loop = asyncio.get_running_loop()
        begin = loop.time()
        second = asyncio.Event()

        async def handler(msg):
            counts.append(msg.read_ct)
            if msg.read_ct == 1:
                await second.wait()
            else:
                second.set()

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=0.5, concurrency=2))
        await until(lambda: counts == [1, 2])
        assert loop.time() - begin > 0.9
        await cancel(task)
        assert "no longer ours" in caplog.text


async def test_a_delivered_message_has_at_least_half_of_its_vt_left(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(30))
        left = []

        async def handler(msg):
            left.append((msg.vt - datetime.now(timezone.utc)).total_seconds())
            time.sleep(0.05)  # noqa: ASYNC251 - the loop stands still

        await pgqrs.consume(store, "tasks", handler, vt=0.6, until_empty=True)
        assert len(left) == 30
        assert min(left) > 0.3 - 0.05
        assert max(left) <= 0.6


async def test_until_empty_returns_and_otherwise_it_waits_for_more(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        seen = []

        async def handler(msg):
            seen.append(msg.payload)

        await pgqrs.consume(store, "tasks", handler, until_empty=True)
        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler))
        await pgqrs.produce(store, "tasks", 1)
        await until(lambda: seen == [1])
        await pgqrs.produce(store, "tasks", 2)
        await until(lambda: seen == [1, 2])
        await cancel(task)


async def test_when_cancelled_running_handlers_finish_and_the_rest_goes_back(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(50))
        running, go_on = asyncio.Event(), asyncio.Event()

        async def handler(msg):
            if msg.payload == 3:
                running.set()
                await go_on.wait()

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=3600))
        await running.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        found: list[pgqrs.Message] = []

        async def the_rest_is_back() -> bool:
            found.extend(await drain(store, "tasks"))
            return len(found) == 46

        await until(the_rest_is_back)
        assert sorted(message.payload for message in found) == list(range(4, 50))
        assert {message.read_ct for message in found} == {1}


async def test_the_message_of_a_running_handler_is_kept_while_consume_ends(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        other = await store.consumer("tasks")
        loop, running = asyncio.get_running_loop(), asyncio.Event()

        async def handler(msg):
            running.set()
            end = loop.time() + 1.5
            while loop.time() < end:
                assert await other.dequeue() == []

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=0.6))
        await running.wait()
        await cancel(task)
        assert await drain(store, "tasks") == []


async def test_after_shutdown_timeout_handlers_are_cancelled_and_their_messages_keep_their_vt(
    any_dsn,
):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        running, cancelled = asyncio.Event(), []

        async def handler(msg):
            running.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(msg.id)
                raise

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(
            pgqrs.consume(store, "tasks", handler, vt=0.5, shutdown_timeout=0.2)
        )
        await running.wait()
        begin = loop.time()
        await cancel(task)
        assert 0.15 < loop.time() - begin < 2
        assert len(cancelled) == 1
        other = await store.consumer("tasks")
        assert await other.dequeue() == []
        again: list[pgqrs.Message] = []

        async def comes_back() -> bool:
            again.extend(await other.dequeue())
            return bool(again)

        await until(comes_back)
        assert again[0].read_ct == 2


async def test_a_second_cancel_ends_at_once(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        running = asyncio.Event()

        async def handler(msg):
            running.set()
            await asyncio.Event().wait()

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler))
        await running.wait()
        begin = loop.time()
        task.cancel()
        await asyncio.sleep(0)
        await cancel(task)
        assert loop.time() - begin < 5


async def test_a_handler_that_ignores_its_cancel_does_not_hold_up_the_end(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        running, release = asyncio.Event(), asyncio.Event()

        async def handler(msg):
            running.set()
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, shutdown_timeout=0.05))
        await running.wait()
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        release.set()
        await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_closing_the_store_ends_it_normally_after_the_running_handlers(any_dsn):
    store = await pgqrs.connect(any_dsn)
    await pgqrs.produce_batch(store, "tasks", range(10))
    running, go_on, seen = asyncio.Event(), asyncio.Event(), []

    async def handler(msg):
        running.set()
        await go_on.wait()
        seen.append(msg.payload)

    task = asyncio.create_task(pgqrs.consume(store, "tasks", handler))
    await running.wait()
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert await task is None
    assert seen == [0]
    if any_dsn.startswith("postgresql"):
        async with pgqrs.connect(any_dsn) as again:
            assert [m.payload for m in await drain(again, "tasks")] == list(range(1, 10))


async def test_a_handler_may_close_the_store(any_dsn):
    store = await pgqrs.connect(any_dsn)
    await pgqrs.produce(store, "tasks", 1)

    async def handler(msg):
        await store.close()

    await asyncio.wait_for(pgqrs.consume(store, "tasks", handler), 10)
    with pytest.raises(pgqrs.PgqrsConnectionError, match="closed"):
        await pgqrs.consume(store, "tasks", handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_with_handle_signals_a_signal_ends_it_normally(memory_dsn, number):
    before = signal.getsignal(number)
    async with pgqrs.connect(memory_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(10))
        finished = []

        async def handler(msg):
            os.kill(os.getpid(), number)
            for _ in range(20):
                await asyncio.sleep(0)
            finished.append(msg.payload)

        both = [pgqrs.consume(store, "tasks", handler, handle_signals=True) for _ in range(2)]
        assert await asyncio.wait_for(asyncio.gather(*both), 10) == [None, None]
        assert finished
    assert signal.getsignal(number) is before


async def test_with_handle_signals_a_second_signal_ends_it_at_once(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)

        async def handler(msg):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()

        await asyncio.wait_for(pgqrs.consume(store, "tasks", handler, handle_signals=True), 10)


@pytest.mark.loops("plain")
async def test_handle_signals_in_another_thread_is_a_validation_error(memory_dsn):
    async def in_thread() -> None:
        async with pgqrs.connect(memory_dsn) as store:
            await pgqrs.consume(store, "tasks", print, handle_signals=True)

    with pytest.raises(pgqrs.ValidationError, match="main thread"):
        await asyncio.to_thread(asyncio.run, in_thread())


async def test_several_consumes_share_the_work(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce_batch(store, "tasks", range(400))
        seen: Counter[int] = Counter()

        async def handler(msg):
            seen[msg.payload] += 1
            await asyncio.sleep(0)

        await asyncio.gather(
            *(
                pgqrs.consume(store, "tasks", handler, until_empty=True, concurrency=n)
                for n in (1, 2, 3)
            )
        )
        assert seen == Counter(range(400))


async def test_what_a_handler_failed_on_max_read_ct_times_is_dead(dsn, database: Database):
    async with pgqrs.connect(dsn, max_read_ct=2) as store:
        await pgqrs.produce_batch(store, "tasks", ["bad", "good"])
        calls: Counter[str] = Counter()

        async def handler(msg):
            calls[msg.payload] += 1
            return msg.payload == "good"

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=1))
        query = "select payload #>> '{}', outcome from pgqrs_archive order by 1"
        await until(lambda: database.rows(query) == [("bad", "dead"), ("good", "archived")])
        await cancel(task)
        assert calls == {"bad": 2, "good": 1}


async def test_retries_come_vt_after_the_handler_ended(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        await pgqrs.produce(store, "tasks", 1)
        times: list[datetime] = []

        async def handler(msg):
            times.append(msg.dequeued_at)
            if msg.read_ct == 1:
                await asyncio.sleep(0.5)
                times.append(datetime.now(timezone.utc))
                return False
            return True

        task = asyncio.create_task(pgqrs.consume(store, "tasks", handler, vt=0.6))
        await until(lambda: len(times) == 3)
        await cancel(task)
        assert times[2] - times[1] >= timedelta(seconds=0.59)
