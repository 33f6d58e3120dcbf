"""pgqrs.sync: the calls of pgqrs, without await."""

from __future__ import annotations

import inspect
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import pgqrs
from pgqrs import sync


def test_the_names_are_those_of_pgqrs():
    assert set(sync.__all__) == set(pgqrs.__all__) - {"__version__"}
    assert sync.__all__ == sorted(sync.__all__)


def test_nothing_in_it_has_to_be_awaited_and_all_of_it_is_documented():
    for name in sync.__all__:
        thing = getattr(sync, name)
        assert not inspect.iscoroutinefunction(thing), name
        if getattr(thing, "__module__", "") != "pgqrs.sync":
            continue
        assert inspect.getdoc(thing), name
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            assert not inspect.iscoroutinefunction(value), f"{name}.{member}"
            if not member.startswith("_") and inspect.isfunction(value):
                assert inspect.getdoc(value), f"{name}.{member}"


def test_a_message_goes_through_all_of_its_life(any_dsn):
    with sync.connect(any_dsn, max_read_ct=2) as store:
        number = sync.produce(store, "tasks", {"n": 2**70})
        ids = sync.produce_batch(store, "tasks", iter(["a", "b", "c"]), delay_seconds=0)
        consumer = sync.consumer(sync.admin(store), "tasks", "host", 1)
        first, second, third, fourth = consumer.dequeue(10)
        assert [first.id, second.id, third.id, fourth.id] == [number, *ids]
        assert first.payload == {"n": 2**70}
        assert first.consumer == consumer
        assert first.extend_vt(60)
        assert (first.archive(), first.archive()) == (True, False)
        assert first.settled
        assert second.delete()
        assert third.fail("not now", delay_seconds=0)
        assert sync.archive_batch(consumer, [fourth, fourth.id]) is True
        assert store.get_messages().count("tasks") == 1
        (again,) = sync.dequeue(consumer, 5)
        assert isinstance(again, sync.Message)
        assert again.read_ct == 2
        again.fail(ValueError("boom"))
        (dead,) = sync.admin(store).dlq("tasks")
        assert dead.error == "ValueError: boom"
        assert [queue.queue_name for queue in store.get_queues().iterate()] == ["tasks"]
        assert store.get_workers().count("tasks") == 1
        assert {done.id for done in store.get_archive().iterate("tasks")} == {
            number,
            dead.id,
            fourth.id,
        }


def test_an_admin_and_a_producer_connect_on_their_own(any_dsn):
    with sync.admin(any_dsn) as admin:
        admin.create_queue("tasks", max_read_ct=1)
        producer = sync.producer(admin, "tasks", "host", 1)
        assert producer.queue == "tasks"
        assert producer.enqueue_batch([1, 2]) == [1, 2]
        assert sync.enqueue_delayed(producer, 3, 60) == 3
        assert admin.queue_metrics("tasks").delayed == 1
        assert producer.is_healthy()


def test_the_errors_are_those_of_pgqrs(memory_dsn):
    with pytest.raises(pgqrs.ConfigError):
        sync.connect("nonsense://")
    with sync.connect(memory_dsn) as store:
        with pytest.raises(pgqrs.SerializationError) as caught:
            sync.produce_batch(store, "tasks", [1, float("nan")])
        assert caught.value.index == 1
        with pytest.raises(pgqrs.ValidationError, match="must be a Store, not int"):
            sync.produce(7, "tasks", 1)
        with pytest.raises(pgqrs.QueueNotFoundError):
            sync.admin(store).queue_metrics("nothing")

        async def handler(message):
            return True

        with pytest.raises(pgqrs.ValidationError, match="plain function"):
            sync.consume(store, "tasks", handler)
        with pytest.raises(pgqrs.ValidationError, match="must be callable"):
            sync.consume(store, "tasks", 7)
    with pytest.raises(pgqrs.PgqrsConnectionError, match="closed"):
        sync.produce(store, "tasks", 1)


def test_handlers_run_in_the_thread_that_called(any_dsn):
    here, seen = threading.get_ident(), []

    def handler(message: sync.Message, consumer: sync.Consumer) -> bool | None:
        seen.append((message.payload, threading.get_ident() == here))
        if message.payload == "by id":
            return consumer.archive(message.id)
        sync.produce(store, "results", message.payload)  # a call inside the call
        return None

    with sync.connect(any_dsn) as store:
        sync.produce_batch(store, "tasks", ["by id", 1, 2])
        sync.consume(store, "tasks", handler, until_empty=True)
        assert seen == [("by id", True), (1, True), (2, True)]
        assert store.get_messages().count("results") == 2
        assert store.get_archive().count("tasks") == 3


@dataclass
class Order:
    number: int


def test_payloads_have_types(memory_dsn):
    taken = []

    def handler(message: sync.Message[Order]) -> None:
        taken.append(message.payload)

    with sync.connect(memory_dsn) as store:
        sync.produce_batch(store, "tasks", [Order(1), Order(2), Order(3)])
        for message in sync.consume_iter(store, "tasks", payload_type=Order):
            taken.append(message.payload)
            message.archive()
            break
        consumer = store.consumer("tasks", payload_type=Order)
        taken.append(consumer.dequeue(1)[0].payload)
        sync.consume(store, "tasks", handler, payload_type=Order, until_empty=True)
    assert taken == [Order(1), Order(2), Order(3)]


def test_several_handlers_run_in_threads_of_their_own(memory_dsn):
    together = threading.Barrier(3)

    def handler(message):
        together.wait(20)

    with sync.connect(memory_dsn) as store:
        sync.produce_batch(store, "tasks", range(6))
        sync.consume(store, "tasks", handler, concurrency=3, until_empty=True)
        assert store.get_archive().count("tasks") == 6


def test_a_handler_that_fails_is_asked_about_by_retry(any_dsn, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    asked = []

    def handler(message):
        if message.read_ct == 1:
            raise ValueError("boom")

    def retry(message, error):
        asked.append((type(message), repr(error)))
        return 0

    with sync.connect(any_dsn) as store:
        number = sync.produce(store, "tasks", 1)
        sync.consume(store, "tasks", handler, retry=retry, until_empty=True)
        assert asked == [(sync.Message, "ValueError('boom')")]
        assert [attempt.error for attempt in store.get_archive().history(number)] == [
            "ValueError: boom",
            None,
        ]


def test_retry_cannot_call_pgqrs(memory_dsn, caplog):
    with sync.connect(memory_dsn) as store:
        sync.produce(store, "tasks", 1)

        def handler(message):
            return message.read_ct > 1

        def retry(message, error):
            return sync.produce(store, "others", 1)

        sync.admin(store).update_queue(
            "tasks", retry=pgqrs.RetryPolicy(kind="fixed", base_seconds=0.01)
        )
        sync.consume(store, "tasks", handler, retry=retry, until_empty=True)
        assert "wait for itself" in caplog.text


def test_batches_and_the_builder(memory_dsn):
    taken: list[object] = []

    def handler(messages: list[sync.Message]) -> None:
        taken.append([message.payload for message in messages])
        if len(taken) == 4:
            closing.submit(store.close)

    with ThreadPoolExecutor(1) as closing, sync.connect(memory_dsn) as store:
        sync.produce_batch(store, "tasks", range(3))
        sync.consume_batch(store, "tasks", 2, handler, until_empty=True)
        assert taken == [[0, 1], [2]]
        sync.produce_batch(store, "tasks", range(4))
        consumer = store.consumer("tasks")
        builder = sync.dequeue().worker(consumer).batch(2).handle_batch(handler)
        builder.poll(store)  # until the store is closed
        assert taken[2:] == [[0, 1], [2, 3]]


def test_an_iterator_gives_back_what_it_did_not_yield(any_dsn):
    with sync.connect(any_dsn) as store:
        sync.produce_batch(store, "tasks", range(5))
        with sync.consume_iter(store, "tasks", vt=60) as messages:
            for message in messages:
                assert message.archive()
                break
        assert store.get_messages().count("tasks", "ready") == 4
        for message in store.consume_iter("tasks", vt=60):
            assert message.payload == 1
            break
        taken = sync.consume_iter(store, "tasks")
        assert [next(taken).payload for _ in range(3)] == [2, 3, 4]
        store.close()
        assert list(taken) == []


def test_many_threads_use_one_store(dsn):
    with sync.connect(dsn) as store, ThreadPoolExecutor(16) as threads:
        ids = list(threads.map(lambda n: sync.produce(store, "tasks", n), range(400)))
        assert len(set(ids)) == 400

        def drain(_: int) -> list[int]:
            found: list[int] = []
            sync.consume(store, "tasks", lambda m: found.append(m.id), until_empty=True)
            return found

        found = [number for part in threads.map(drain, range(4)) for number in part]
        assert sorted(found) == sorted(ids)


def test_closing_ends_what_runs_in_other_threads(memory_dsn):
    started = threading.Event()
    with ThreadPoolExecutor(2) as threads:
        store = sync.connect(memory_dsn)
        sync.produce(store, "tasks", 1)
        consuming = threads.submit(sync.consume, store, "tasks", lambda m: started.set())
        iterating = threads.submit(list, sync.consume_iter(store, "others"))
        assert started.wait(20)
        store.close()
        store.close()
        assert consuming.result(20) is None
        assert iterating.result(20) == []


def test_what_ends_the_program_comes_out_of_a_handler(memory_dsn):
    def handler(message):
        raise SystemExit(3)

    with sync.connect(memory_dsn) as store:
        for concurrency in (1, 2):
            sync.produce(store, "tasks", 1)
            with pytest.raises(SystemExit):
                sync.consume(store, "tasks", handler, concurrency=concurrency, vt=60)
        assert sync.produce(store, "tasks", 2)  # the loop goes on


def test_a_store_that_is_dropped_is_closed(dsn):
    store = sync.connect(dsn)
    sync.produce(store, "tasks", 1)
    del store  # nothing_is_left looks


def test_signals_are_for_the_main_thread(memory_dsn):
    with sync.connect(memory_dsn) as store, ThreadPoolExecutor(1) as thread:
        consuming = thread.submit(
            sync.consume, store, "tasks", print, handle_signals=True, until_empty=True
        )
        with pytest.raises(pgqrs.ValidationError, match="main thread"):
            consuming.result(20)
        sync.consume(store, "tasks", print, handle_signals=True, until_empty=True)
        with pytest.raises(pgqrs.ValidationError, match="handle_signals"):
            sync.consume(store, "tasks", print, handle_signals=1, until_empty=True)
