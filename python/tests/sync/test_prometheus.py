"""pgqrs.prometheus: what Prometheus is told of queues."""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pgqrs import sync
from pgqrs.prometheus import QueueCollector


def scraped(collector: QueueCollector) -> dict[str, float]:
    """What Prometheus reads, by name and labels."""
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_queue_is_told_of_and_the_database_as_a_whole(dsn):
    with sync.connect(dsn, max_read_ct=1) as store:
        sync.produce_batch(store, "mails", [1, 2, 3, 4])
        sync.produce(store, "mails", 5, delay_seconds=60)
        sync.produce(store, 'other "queue"', 1)
        first, second = store.consumer("mails").dequeue_many_with_delay(2, 60)
        assert first.archive()
        sync.admin(store).pause_queue('other "queue"')
        collector = QueueCollector(store)
        told = scraped(collector)
        assert told.pop("pgqrs_oldest_ready_age_seconds mails") > 0
        assert all(told.pop(f"pgqrs_table_bytes {name}") > 0 for name in ("log", "spans", "done"))
        del told['pgqrs_oldest_ready_age_seconds other "queue"']
        assert told.pop("pgqrs_workers") >= 1
        other = 'other "queue"'
        assert told == {
            "pgqrs_up": 1,
            "pgqrs_messages mails ready": 2,
            "pgqrs_messages mails delayed": 1,
            "pgqrs_messages mails leased": 1,
            "pgqrs_messages mails archived": 1,
            "pgqrs_messages mails dead": 0,
            "pgqrs_produced_messages_total mails": 5,
            "pgqrs_acked_messages_total mails": 1,
            "pgqrs_queue_paused mails": 0,
            f"pgqrs_messages {other} ready": 1,
            f"pgqrs_messages {other} delayed": 0,
            f"pgqrs_messages {other} leased": 0,
            f"pgqrs_messages {other} archived": 0,
            f"pgqrs_messages {other} dead": 0,
            f"pgqrs_produced_messages_total {other}": 1,
            f"pgqrs_acked_messages_total {other}": 0,
            f"pgqrs_queue_paused {other}": 1,
        }
        collector.close()
        assert second.archive(), "the store is still its owner's"


def test_a_collector_connects_by_itself_and_again_after_it_was_closed(dsn):
    with sync.connect(dsn, schema="apart") as store:
        sync.produce(store, "mails", 1)
    collector = QueueCollector(dsn, schema="apart")
    for _ in range(2):
        assert scraped(collector)["pgqrs_messages mails ready"] == 1
        collector.close()
    collector.close()


def test_a_database_that_does_not_answer_is_told_of_and_asked_again(private_server, caplog):
    dsn = private_server.fresh_database()
    collector = QueueCollector(dsn)
    private_server.stop()
    with caplog.at_level(logging.WARNING, "pgqrs"):
        assert scraped(collector) == {"pgqrs_up": 0}
    assert "could not be collected" in caplog.text
    private_server.start()
    assert scraped(collector)["pgqrs_up"] == 1
    collector.close()
