"""Every name that the original has, in version 0.5.0 or 0.15.3, is here, or stands in
docs/migrating.md; workflows, steps and S3 apart."""

from __future__ import annotations

from pathlib import Path

import pytest

import pgqrs

MIGRATING = (Path(__file__).parents[3] / "docs/migrating.md").read_text()

NAMES = {
    "": """connect connect_with admin produce produce_batch consume consume_batch enqueue
        enqueue_batch enqueue_delayed dequeue archive archive_batch delete extend_vt
        Config Store Producer Consumer ConsumerIterator Admin Workers Queues Messages Archive
        QueueMessage QueueInfo WorkerInfo WorkerStatus ArchivedMessage DequeueBuilder
        PgqrsError PgqrsConnectionError QueueNotFoundError QueueAlreadyExistsError
        ConfigError ValidationError RateLimitedError StateTransitionError InternalError
        SerializationError TimeoutError MessageNotFoundError WorkerNotFoundError""",
    # What the page has.
    " ": "consume_iter producer consumer",
    "Config": """from_dsn dsn schema max_connections connection_timeout_seconds
        default_lock_time_seconds default_max_batch_size max_read_ct
        heartbeat_interval_seconds max_payload_size_bytes max_string_length
        max_object_depth forbidden_keys required_keys max_enqueue_per_second
        max_enqueue_burst""",
    "Store": """producer consumer consume_iter queue get_workers get_queues get_messages
        get_archive bootstrap""",
    "Producer": "new_producer enqueue enqueue_delayed enqueue_batch worker_id",
    "Consumer": """new_consumer worker_id dequeue dequeue_batch dequeue_many_with_delay
        dequeue_at consume_batch archive archive_many archive_batch delete delete_many
        delete_batch extend_vt release_messages release_with_visibility status interrupt
        heartbeat suspend resume shutdown is_healthy""",
    "ConsumerIterator": "archive delete close __aiter__ __anext__ __aenter__ __aexit__",
    "QueueMessage": """id queue_id payload vt enqueued_at read_ct dequeued_at
        producer_worker_id consumer_worker_id archive delete""",
    "QueueInfo": "id queue_name created_at",
    "WorkerInfo": "id hostname status name queue_id heartbeat_at",
    "WorkerStatus": "Ready Polling Suspended Interrupted Stopped",
    "Admin": """install verify create_queue delete_queue release_worker_messages get_workers
        get_queues get_messages get_archive queue_metrics all_queues_metrics system_stats
        purge_queue reclaim_messages""",
    "Workers": "count list get health_stats purge_stale",
    "Queues": "count list purge metrics list_metrics",
    "Messages": "count list_archived_by_queue",
    "Archive": "count list_by_worker count_by_worker get delete dlq_count replay",
    "ArchivedMessage": """id original_msg_id queue_id payload producer_worker_id
        consumer_worker_id vt dequeued_at archived_at enqueued_at read_ct""",
    "DequeueBuilder": """worker from_queue batch poll_interval at handle handle_batch poll
        queue batch_size poll_interval_ms has_worker""",
}


@pytest.mark.parametrize("owner", NAMES)
def test_every_name_of_the_original_is_here_or_explained(owner):
    home = getattr(pgqrs, owner) if owner.strip() else pgqrs
    fields = getattr(home, "__dataclass_fields__", {})
    for name in NAMES[owner].split():
        there = hasattr(home, name) or name in fields
        told = f"`{name}`" in MIGRATING or f"`{name}(" in MIGRATING or f"`.{name}(" in MIGRATING
        assert there or told, f"{owner}.{name}"
        if owner == "" and there:
            assert name in pgqrs.__all__
