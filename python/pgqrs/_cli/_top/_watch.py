"""Watch: what the database says of queues and workers, and how the counters grow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..._admin import Admin
from ..._metrics import QueueMetrics, SystemStats
from ..._store import Store
from ..._worker_info import WorkerInfo, WorkerLeases, WorkerStatus
from ..._workers import Workers

WORKERS = 500
"""How many workers are shown, the newest."""

LOOKS = 60
"""How many rates are kept for the sparklines."""


@dataclass
class Rates:
    """How many messages a second, between each two looks, the latest last."""

    produced: deque[float]
    acked: deque[float]


@dataclass(frozen=True)
class Look:
    """What the database said at one moment."""

    queues: list[QueueMetrics]
    workers: list[WorkerInfo]
    leases: dict[int, WorkerLeases]
    """By the ids of those workers that hold anything, from the queues of their own."""
    stats: SystemStats


class Watch:
    """Looks again and again at one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._before: dict[int, tuple[float, int, int]] = {}
        self._rates: dict[int, Rates] = {}

    def rates(self, queue_id: int) -> Rates:
        """The rates of a queue until now."""
        rates = self._rates.get(queue_id)
        if rates is None:
            rates = self._rates[queue_id] = Rates(deque(maxlen=LOOKS), deque(maxlen=LOOKS))
        return rates

    async def look(self) -> Look:
        """Looks once."""
        admin = Admin(self._store)
        queues = await admin.all_queues_metrics()
        now = time.monotonic()
        for queue in queues:
            self._measure(queue, now)
        for gone in set(self._before) - {queue.queue_id for queue in queues}:
            del self._before[gone]
            self._rates.pop(gone, None)
        workers = [worker async for worker in self._workers()]
        leases = {held.worker_id: held for held in await Workers(self._store).leases()}
        return Look(queues, workers, leases, await admin.system_stats())

    def _measure(self, queue: QueueMetrics, now: float) -> None:
        before = self._before.get(queue.queue_id)
        self._before[queue.queue_id] = (now, queue.produced, queue.acked)
        if before is None:
            return
        seconds = max(now - before[0], 1e-3)
        rates = self.rates(queue.queue_id)
        rates.produced.append((queue.produced - before[1]) / seconds)
        rates.acked.append((queue.acked - before[2]) / seconds)

    async def _workers(self) -> AsyncIterator[WorkerInfo]:
        """Those that have not stopped, the newest."""
        left = WORKERS
        for status in WorkerStatus:
            if status is WorkerStatus.STOPPED:
                continue
            async for worker in Workers(self._store).iterate(status=status):
                if not left:
                    return
                left -= 1
                yield worker
