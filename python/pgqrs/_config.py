"""Config: where a store keeps its queues and how it behaves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import ParamSpec, TypeVar

from . import _types
from ._errors import ConfigError, ValidationError

Arguments = ParamSpec("Arguments")
Checked = TypeVar("Checked")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The options of connect() as an object, checked when it is made:
    ConfigError names the option that is out of its range."""

    dsn: str = field(repr=False, kw_only=False)
    """`postgresql://…`, `embedded:///folder` or `memory://name`. It may hold a
    password, so it is in no repr."""
    schema: str = "public"
    """The schema of the tables; made when it is missing."""
    max_connections: int = 16
    """The size of the connection pool, 1 to 1000. One more connection listens."""
    auto_install: bool = True
    """Whether connecting installs or upgrades the tables."""
    auto_create_queues: bool = True
    """Whether a queue is made on first use; else QueueNotFoundError."""
    connection_timeout_seconds: float = 30
    """How long connecting, and waiting for a free connection, may take: 0.1 to 3600."""
    answer_timeout_seconds: float = 60
    """How long one operation waits for the server's answer: 1 s to one day. Then it is
    cancelled, and the connection given up where even that has no answer."""
    default_lock_time_seconds: float = 5
    """The vt where none is given and the queue has none of its own: 0.1 s to 7 days."""
    default_max_batch_size: int = 100
    """How many messages a dequeue takes at most where it does not say: 1 to 10000."""
    max_read_ct: int = 5
    """What was delivered that often and never settled is dead, where the queue has no
    limit of its own: 1 to 1000000; 0: never."""
    max_lease_seconds: float = 3600
    """How long consume() keeps the message of one running handler: 1 s to 30 days."""
    heartbeat_interval_seconds: float = 5
    """How often a store tells that its workers are alive: 0.1 to 3600. No lease depends
    on it."""
    max_payload_size_bytes: int = 0
    """Longer payloads are refused; 0: no limit but PostgreSQL's."""
    max_pending_bytes: int = 256 * 2**20
    """How much of produced messages that are not stored yet may fill the memory, each
    counted with 1 KiB beside its payload: 64 KiB to 1 TiB. Then produce() waits for room."""
    produce_timeout_seconds: float = 0
    """How long produce() waits for room, up to a day; then TimeoutError, and nothing was
    stored. 0: until there is room."""

    def __post_init__(self) -> None:
        _checked(_types.text, self.dsn, "dsn")
        if not self.dsn:
            raise ConfigError("the DSN is empty: " + WAYS)
        if not 1 <= len(_checked(_types.text, self.schema, "schema")) <= 63:
            raise ConfigError("schema must have 1 to 63 bytes")
        for name in ("auto_install", "auto_create_queues"):
            _checked(_types.boolean, getattr(self, name), name)
        for name, low, high in _WHOLE:
            _checked(_types.integer, getattr(self, name), name, low, high)
        for name, shortest, longest in _SECONDS:
            _checked(_types.seconds, getattr(self, name), name, shortest, longest)

    def with_dsn(self, dsn: str) -> Config:
        """The same options with another DSN."""
        return replace(self, dsn=dsn)

    def encoded(self) -> bytes:
        """The JSON that pgqrs_connect takes."""
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self)}).encode()


WAYS = (
    "give connect() a DSN, or set PGQRS_DSN: postgresql://user@host/database for a server, or "
    "embedded:///folder for a private one that pgqrs starts itself (pip install 'pgqrs[embedded]')"
)

_WHOLE = (
    ("max_connections", 1, 1000),
    ("default_max_batch_size", 1, _types.MAX_BATCH_SIZE),
    ("max_read_ct", 0, _types.MAX_READ_CT),
    ("max_payload_size_bytes", 0, 2**63 - 1),
    ("max_pending_bytes", 2**16, 2**40),
)

_SECONDS = (
    ("connection_timeout_seconds", 0.1, 3600),
    ("answer_timeout_seconds", 1, _types.DAY),
    ("produce_timeout_seconds", 0, _types.DAY),
    ("default_lock_time_seconds", _types.MIN_VT_SECONDS, _types.MAX_VT_SECONDS),
    ("max_lease_seconds", 1, 30 * _types.DAY),
    ("heartbeat_interval_seconds", 0.1, 3600),
)


def dsn_or_environment(dsn: str | None) -> str:
    """The DSN, or that of PGQRS_DSN; ConfigError when there is neither. There is
    no default: a silent one would be a trap in production."""
    if dsn is None:
        dsn = os.environ.get("PGQRS_DSN")
    if not dsn:
        raise ConfigError("there is no DSN: " + WAYS)
    return dsn


def _checked(
    check: Callable[Arguments, Checked], *arguments: Arguments.args, **options: Arguments.kwargs
) -> Checked:
    """What the check returns; its ValidationError becomes a ConfigError."""
    try:
        return check(*arguments, **options)
    except ValidationError as error:
        raise ConfigError(str(error)) from error
