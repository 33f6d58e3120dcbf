"""Config: where a store keeps its queues and how it behaves."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ParamSpec, TypeVar

from . import _types
from ._errors import ConfigError, ValidationError

Arguments = ParamSpec("Arguments")
Checked = TypeVar("Checked")


@dataclass(kw_only=True)
class Config:
    """The options of connect() as an object. Each is checked when it is set, in the call
    or afterwards: ConfigError names the one that is out of its range. A store goes by the
    options as they were when it was connected."""

    dsn: str = field(repr=False, kw_only=False)
    """`postgresql://…`, `embedded:///folder` or `memory://name`. It may hold a
    password, so it is in no repr. It stays: with_dsn() makes another Config."""
    schema: str = field(default="public", kw_only=False)
    """The schema of the tables; made when it is missing. None is the default."""
    max_connections: int = field(default=16, kw_only=False)
    """The size of the connection pool, 1 to 1000. One more connection listens. None is
    the default."""
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
    max_prefetch_bytes: int = 64 * 2**20
    """How much of the payloads that one consume() or consume_iter() has fetched, and not
    delivered, may fill the memory: 64 KiB to 1 TiB. One message is always fetched."""
    max_string_length: int = 0
    """Payloads with longer strings or keys, in bytes of UTF-8, are refused; 0: no limit."""
    max_object_depth: int = 0
    """Payloads with more objects and arrays in each other are refused; 0: no limit but
    5000."""
    forbidden_keys: Sequence[str] = ()
    """Payloads with one of these keys, however deep, are refused."""
    required_keys: Sequence[str] = ()
    """Payloads that are objects and lack one of these keys are refused."""
    max_enqueue_per_second: float = 0
    """How many messages this store produces into one queue in a second, over time: 0.001
    to 1000000; 0: as many as there are."""
    max_enqueue_burst: int = 50
    """How many of them at once after a pause: 1 to 1000000. A batch that is larger goes
    as soon as so many might, and the next ones wait the longer."""
    rate_limit_waits: bool = True
    """Whether produce() and its like wait until the rate allows them; else they raise
    RateLimitedError, whose retry_after says how long it would have been."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in type(self).__dataclass_fields__:
            raise AttributeError(f"a Config has no option {name!r}")
        if name == "dsn" and "dsn" in vars(self):
            raise AttributeError("the dsn of a Config cannot be changed: with_dsn() makes another")
        if value is None and name in ("schema", "max_connections"):
            value = getattr(Config, name)
        super().__setattr__(name, _accepted(name, value))

    @classmethod
    def from_dsn(cls, dsn: str) -> Config:
        """The defaults for that DSN: Config(dsn)."""
        return cls(dsn)

    @classmethod
    def load(cls, file: str | os.PathLike[str] | None = None, **options: Any) -> Config:
        """The options that are given here (and not None); else those of the environment
        variables that are called after them (PGQRS_DSN, PGQRS_SCHEMA, …); else those of a
        TOML file, that of PGQRS_CONFIG_FILE where none is named; else the defaults."""
        return cls(**load_options(file, options))

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

_WHOLE = {
    "max_connections": (1, 1000),
    "default_max_batch_size": (1, _types.MAX_BATCH_SIZE),
    "max_read_ct": (0, _types.MAX_READ_CT),
    "max_payload_size_bytes": (0, 2**63 - 1),
    "max_pending_bytes": (2**16, 2**40),
    "max_prefetch_bytes": (2**16, 2**40),
    "max_string_length": (0, 2**30),
    "max_object_depth": (0, 5000),
    "max_enqueue_burst": (1, 1_000_000),
}

_SECONDS = {
    "connection_timeout_seconds": (0.1, 3600),
    "answer_timeout_seconds": (1, _types.DAY),
    "produce_timeout_seconds": (0, _types.DAY),
    "default_lock_time_seconds": (_types.MIN_VT_SECONDS, _types.MAX_VT_SECONDS),
    "max_lease_seconds": (1, 30 * _types.DAY),
    "heartbeat_interval_seconds": (0.1, 3600),
}


def _accepted(name: str, value: Any) -> Any:
    """The value of an option as it is kept; ConfigError when it is out of its range."""
    if name == "dsn":
        if not _checked(_types.text, value, name):
            raise ConfigError("the DSN is empty: " + WAYS)
    elif name == "schema":
        if not 1 <= len(_checked(_types.text, value, name)) <= 63:
            raise ConfigError("schema must have 1 to 63 bytes")
    elif name in _WHOLE:
        _checked(_types.integer, value, name, *_WHOLE[name])
    elif name in _SECONDS:
        _checked(_types.seconds, value, name, *_SECONDS[name])
    elif name in ("forbidden_keys", "required_keys"):
        return _checked(_types.keys, value, name)
    elif name == "max_enqueue_per_second":
        if value != 0:
            _checked(_types.bounded, value, name, 0.001, 1e6)
    else:
        _checked(_types.boolean, value, name)
    return value


def load_options(file: str | os.PathLike[str] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of Config.load(): those that are set anywhere. ConfigError when no DSN
    is: a silent default would be a trap in production."""
    known = {f.name: f for f in fields(Config)}
    if file is None:
        file = os.environ.get("PGQRS_CONFIG_FILE") or None
    options = {} if file is None else _read_file(file)
    for name, option in known.items():
        text = os.environ.get("PGQRS_" + name.upper())
        if text is not None:
            options[name] = _from_variable(text, name, option.type)
    options.update((name, value) for name, value in given.items() if value is not None)
    for name in options:
        if name not in known:
            raise ConfigError(f"there is no option {name!r}")
    if not options.get("dsn"):
        raise ConfigError("there is no DSN: " + WAYS)
    return options


def _read_file(file: str | os.PathLike[str]) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pyright: ignore[reportMissingImports]
    try:
        with open(file, "rb") as opened:
            options: dict[str, Any] = tomllib.load(opened)
            return options
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the configuration file {os.fspath(file)} cannot be read: {error}"
        ) from error


_WORDS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def _from_variable(text: str, name: str, kind: object) -> Any:
    """The value of an option that is written in a variable; its range is checked later."""
    try:
        if kind == "bool":
            return _WORDS[text.lower()]
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"the environment variable PGQRS_{name.upper()} must be {_KINDS[str(kind)]}, "
            f"not {text!r:.40}"
        ) from error
    if kind == "Sequence[str]":
        return [key for key in map(str.strip, text.split(",")) if key]
    return text


_KINDS = {"bool": "true or false", "int": "an integer", "float": "a number"}


def _checked(
    check: Callable[Arguments, Checked], *arguments: Arguments.args, **options: Arguments.kwargs
) -> Checked:
    """What the check returns; its ValidationError becomes a ConfigError."""
    try:
        return check(*arguments, **options)
    except ValidationError as error:
        raise ConfigError(str(error)) from error
