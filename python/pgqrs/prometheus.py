"""The numbers of all queues for Prometheus (the extra `pgqrs[prometheus]`).

    from prometheus_client import start_http_server
    from prometheus_client.core import REGISTRY
    from pgqrs.prometheus import QueueCollector

    REGISTRY.register(QueueCollector("postgresql://localhost/mydb"))
    start_http_server(9090)

One collector in one process is enough for a database: the numbers are those of the
database, not of the process. Nothing is measured but when somebody collects; what that
costs does not grow with the messages (`Admin.all_queues_metrics`).

| metric | labels | |
|---|---|---|
| `pgqrs_up` | | 1: the database answered; 0: it did not, and there is nothing else |
| `pgqrs_messages` | queue, state | ready, delayed, leased, archived, dead |
| `pgqrs_oldest_ready_age_seconds` | queue | how long the first ready message has been ready |
| `pgqrs_produced_messages_total` | queue | |
| `pgqrs_acked_messages_total` | queue | archived or deleted by whoever held the lease |
| `pgqrs_queue_paused` | queue | 1: it gives no messages |
| `pgqrs_workers` | | that have not stopped |
| `pgqrs_table_bytes` | table | log, spans, done: on the disk, with indexes |
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from . import sync
from ._errors import PgqrsError

__all__ = ["QueueCollector"]

log: logging.Logger = logging.getLogger("pgqrs")


class QueueCollector(Collector):
    """Collects the metrics of this module.

    From a DSN (`schema` as for `connect`) it connects when it collects first, in whatever
    thread that is, and keeps the store until `close()`; or it uses a store of
    `pgqrs.sync`, which stays its owner's. Where the database does not answer it collects
    `pgqrs_up 0`, logs why, and tries again the next time.
    """

    def __init__(self, source: str | sync.Store, *, schema: str = "public") -> None:
        self._store = None if isinstance(source, str) else source
        self._dsn = source if isinstance(source, str) else None
        self._schema = schema
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that to register it asks no database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told."""
        try:
            metrics = [*self._measured()]
        except PgqrsError as error:
            log.warning("the metrics of queues could not be collected: %s", error)
            metrics = []
        yield GaugeMetricFamily("pgqrs_up", "1: the database answered.", float(bool(metrics)))
        yield from metrics

    def close(self) -> None:
        """Closes the store that it connected. The next collection connects again."""
        with self._lock:
            store, self._store = self._store, None if self._dsn else self._store
        if self._dsn and store:
            store.close()

    def _connected(self) -> sync.Store:
        with self._lock:
            if self._store is None:
                assert self._dsn is not None
                self._store = sync.connect(self._dsn, schema=self._schema, max_connections=2)
            return self._store

    def _measured(self) -> Iterator[Metric]:
        admin = sync.admin(self._connected())
        queues, system = admin.all_queues_metrics(), admin.system_stats()
        messages = GaugeMetricFamily(
            "pgqrs_messages", "Messages of a queue by state.", labels=["queue", "state"]
        )
        age = GaugeMetricFamily(
            "pgqrs_oldest_ready_age_seconds",
            "How long the first ready message has been ready; 0: there is none.",
            labels=["queue"],
        )
        produced = CounterMetricFamily(
            "pgqrs_produced_messages", "Messages that were ever produced.", labels=["queue"]
        )
        acked = CounterMetricFamily(
            "pgqrs_acked_messages",
            "Messages that were archived or deleted by whoever held the lease.",
            labels=["queue"],
        )
        paused = GaugeMetricFamily(
            "pgqrs_queue_paused", "1: the queue gives no messages.", labels=["queue"]
        )
        for queue in queues:
            name = [queue.queue_name]
            for state in ("ready", "delayed", "leased", "archived", "dead"):
                messages.add_metric([*name, state], getattr(queue, state))
            age.add_metric(name, queue.oldest_ready_age_seconds)
            produced.add_metric(name, queue.produced)
            acked.add_metric(name, queue.acked)
            paused.add_metric(name, float(queue.paused_at is not None))
        yield from (messages, age, produced, acked, paused)
        yield GaugeMetricFamily(
            "pgqrs_workers", "Workers that have not stopped.", system.active_workers
        )
        tables = GaugeMetricFamily(
            "pgqrs_table_bytes", "Tables on the disk, with their indexes.", labels=["table"]
        )
        for table in ("log", "spans", "done"):
            tables.add_metric([table], getattr(system, f"{table}_bytes"))
        yield tables
