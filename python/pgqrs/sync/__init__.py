"""pgqrs for code that blocks: scripts, threads, Django, Flask.

    import pgqrs.sync

    with pgqrs.sync.connect("postgresql://localhost/mydb") as store:
        pgqrs.sync.produce(store, "tasks", {"task": "send_email"})
        pgqrs.sync.consume(store, "tasks", handler, until_empty=True)

The names are those of pgqrs, and so is what they do; what is awaited there is
returned here, and a store serves any thread (docs/blocking.md).

    _classes, _functions   a facade of each class and function (made by `make sync`)
    _facade                what the facades have in common
    _loop                  the one event loop behind them, and how a thread waits for it
"""

from __future__ import annotations

from .. import (
    ArchivedMessage,
    Attempt,
    AttemptOutcome,
    Config,
    ConfigError,
    InternalError,
    LoopError,
    MessageInfo,
    MessageNotFoundError,
    MessageState,
    Outcome,
    PgqrsConnectionError,
    PgqrsError,
    ProducedId,
    QueueAlreadyExistsError,
    QueueInfo,
    QueueMetrics,
    QueueNotFoundError,
    QueueSettings,
    RateLimitedError,
    RetryPolicy,
    SerializationError,
    StateTransitionError,
    SystemStats,
    TimeoutError,
    ValidationError,
    WorkerHealth,
    WorkerInfo,
    WorkerLeases,
    WorkerNotFoundError,
    WorkerStatus,
)
from .._public import move as _move
from ._classes import (
    Admin,
    Archive,
    Consumer,
    ConsumerIterator,
    DequeueBuilder,
    Message,
    Messages,
    Producer,
    Queues,
    Store,
    Workers,
)
from ._facade import BatchHandler, Handler
from ._functions import (
    admin,
    archive,
    archive_batch,
    connect,
    connect_with,
    consume,
    consume_batch,
    consume_iter,
    consumer,
    delete,
    dequeue,
    enqueue,
    enqueue_batch,
    enqueue_delayed,
    extend_vt,
    produce,
    produce_batch,
    producer,
    schema_sql,
)

QueueMessage = Message

__all__ = [
    "Admin",
    "Archive",
    "ArchivedMessage",
    "Attempt",
    "AttemptOutcome",
    "BatchHandler",
    "Config",
    "ConfigError",
    "Consumer",
    "ConsumerIterator",
    "DequeueBuilder",
    "Handler",
    "InternalError",
    "LoopError",
    "Message",
    "MessageInfo",
    "MessageNotFoundError",
    "MessageState",
    "Messages",
    "Outcome",
    "PgqrsConnectionError",
    "PgqrsError",
    "ProducedId",
    "Producer",
    "QueueAlreadyExistsError",
    "QueueInfo",
    "QueueMessage",
    "QueueMetrics",
    "QueueNotFoundError",
    "QueueSettings",
    "Queues",
    "RateLimitedError",
    "RetryPolicy",
    "SerializationError",
    "StateTransitionError",
    "Store",
    "SystemStats",
    "TimeoutError",
    "ValidationError",
    "WorkerHealth",
    "WorkerInfo",
    "WorkerLeases",
    "WorkerNotFoundError",
    "WorkerStatus",
    "Workers",
    "admin",
    "archive",
    "archive_batch",
    "connect",
    "connect_with",
    "consume",
    "consume_batch",
    "consume_iter",
    "consumer",
    "delete",
    "dequeue",
    "enqueue",
    "enqueue_batch",
    "enqueue_delayed",
    "extend_vt",
    "produce",
    "produce_batch",
    "producer",
    "schema_sql",
]

_move(__name__, (globals()[_name] for _name in __all__))
