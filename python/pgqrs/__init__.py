"""pgqrs: a job queue on PostgreSQL.

    store = await pgqrs.connect("postgresql://localhost/mydb")
    await pgqrs.produce(store, "tasks", {"task": "send_email"})
    await pgqrs.consume(store, "tasks", handler)

What is public is named here, and documented where it is made:

    _api, _functions  the functions      _producer, _consumer, _worker
    _dequeue    dequeue, DequeueBuilder  _consume, _consume_batch, _handler, _settle, _failure
    _store      Store                    _iterate   ConsumerIterator
    _admin      Admin                    _stream
    _messages   Messages                 _message_info MessageInfo, MessageState
    _queues     Queues                   _queue_info QueueInfo, QueueSettings
    _metrics    QueueMetrics, SystemStats  _schema   install, verify, uninstall
    _archive    Archive                  _archive_info ArchivedMessage, Attempt
    _workers    Workers                  _worker_info WorkerInfo, WorkerHealth, …
    _queue_admin, _worker_admin, _archive_admin  Admin's parts of them
                                         _asking     what a Store and an Admin share
    _message    Message                  _link, _watch  completions to futures
    _config     Config                   _codec     payloads to JSON
    _errors     the errors               _types     checks of arguments
    _dedup      ProducedId               _keyed     what is stored with dedup keys
    _threads    where what blocks is run _native    the C library
    _payload_type  typed payloads        _decoder   JSON to payloads
    _interpreter  what Python it needs   sync       the same for code that blocks
    _public     where a name is found

Importing pgqrs does not load the C library: the first connect() does. So a
process may import it, fork, and connect in its children.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._interpreter import check as _check_interpreter

_check_interpreter()

from ._admin import Admin
from ._api import (
    admin,
    connect,
    connect_with,
    consume,
    consume_batch,
    consume_iter,
    consumer,
    produce,
    produce_batch,
    producer,
)
from ._archive import Archive
from ._archive_info import ArchivedMessage, Attempt, AttemptOutcome, Outcome
from ._config import Config
from ._consumer import Consumer
from ._dedup import ProducedId
from ._dequeue import DequeueBuilder, dequeue
from ._errors import (
    ConfigError,
    InternalError,
    LoopError,
    MessageNotFoundError,
    PgqrsConnectionError,
    PgqrsError,
    QueueAlreadyExistsError,
    QueueNotFoundError,
    RateLimitedError,
    SerializationError,
    StateTransitionError,
    TimeoutError,
    ValidationError,
    WorkerNotFoundError,
)
from ._functions import (
    archive,
    archive_batch,
    delete,
    enqueue,
    enqueue_batch,
    enqueue_delayed,
    extend_vt,
)
from ._iterate import ConsumerIterator
from ._message import Message, QueueMessage
from ._message_info import MessageInfo, MessageState
from ._messages import Messages
from ._metrics import QueueMetrics, SystemStats
from ._producer import Producer
from ._public import move as _move
from ._queue_info import QueueInfo, QueueSettings, RetryPolicy
from ._queues import Queues
from ._schema import schema_sql
from ._store import Store
from ._types import BatchHandler, Handler
from ._worker_info import WorkerHealth, WorkerInfo, WorkerLeases, WorkerStatus
from ._workers import Workers

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
    "__version__",
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

_move(__name__, (globals()[_name] for _name in __all__ if _name != "__version__"))

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        if name == "__version__":  # looked up when asked for: it takes long
            from importlib.metadata import version

            return version("pgqrs")
        raise AttributeError(f"module 'pgqrs' has no attribute {name!r}")
