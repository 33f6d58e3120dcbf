"""Config, and where the DSN comes from."""

from __future__ import annotations

import json

import pytest

import pgqrs


@pytest.mark.parametrize(
    "options",
    [
        {"dsn": ""},
        {"dsn": 5},
        {"dsn": "memory://\0"},
        {"schema": ""},
        {"schema": "x" * 64},
        {"schema": None},
        {"max_connections": 0},
        {"max_connections": 1001},
        {"max_connections": True},
        {"max_connections": 1.5},
        {"auto_install": 1},
        {"auto_create_queues": None},
        {"connection_timeout_seconds": 0},
        {"answer_timeout_seconds": 0.5},
        {"max_pending_bytes": 1000},
        {"produce_timeout_seconds": -1},
        {"connection_timeout_seconds": float("nan")},
        {"default_lock_time_seconds": 0.05},
        {"default_lock_time_seconds": 604801},
        {"default_max_batch_size": 0},
        {"default_max_batch_size": 10001},
        {"max_read_ct": -1},
        {"max_lease_seconds": 0.5},
        {"heartbeat_interval_seconds": 0.05},
        {"max_payload_size_bytes": -1},
    ],
    ids=str,
)
def test_an_option_out_of_its_range_is_a_config_error_that_names_it(options):
    (name,) = options
    with pytest.raises(pgqrs.ConfigError, match="(?i)" + name):
        pgqrs.Config(**{"dsn": "memory://x"} | options)


def test_no_password_is_in_the_repr_of_a_config():
    config = pgqrs.Config("postgresql://user:secret@host/db?password=secret")
    assert "secret" not in repr(config)


def test_a_config_becomes_the_json_that_the_library_takes():
    config = pgqrs.Config("memory://x", max_connections=3)
    assert json.loads(config.encoded()) == {
        "dsn": "memory://x",
        "schema": "public",
        "max_connections": 3,
        "auto_install": True,
        "auto_create_queues": True,
        "connection_timeout_seconds": 30,
        "answer_timeout_seconds": 60,
        "default_lock_time_seconds": 5,
        "default_max_batch_size": 100,
        "max_read_ct": 5,
        "max_lease_seconds": 3600,
        "heartbeat_interval_seconds": 5,
        "max_payload_size_bytes": 0,
        "max_pending_bytes": 268435456,
        "produce_timeout_seconds": 0,
    }


@pytest.mark.loops("plain")
async def test_connect_without_a_dsn_reads_the_environment(monkeypatch, memory_dsn):
    monkeypatch.setenv("PGQRS_DSN", memory_dsn)
    async with pgqrs.connect() as store:
        assert store.config.dsn == memory_dsn
    async with pgqrs.producer(pgqrs.admin(None), "q", "host", 1)._source as admin:
        assert (await admin._connected()).config.dsn == memory_dsn


@pytest.mark.loops("plain")
async def test_connect_without_any_dsn_says_what_to_do(monkeypatch):
    monkeypatch.delenv("PGQRS_DSN", raising=False)
    for given in (None, ""):
        with pytest.raises(pgqrs.ConfigError, match=r"PGQRS_DSN.*embedded://"):
            await pgqrs.connect(given)


@pytest.mark.loops("plain")
async def test_connect_with_takes_a_config(memory_dsn):
    async with pgqrs.connect_with(pgqrs.Config(memory_dsn, default_lock_time_seconds=7)) as store:
        assert store.config.default_lock_time_seconds == 7
    with pytest.raises(pgqrs.ValidationError, match="Config"):
        pgqrs.connect_with("memory://x")


@pytest.mark.loops("plain")
async def test_a_dsn_of_no_known_kind_is_a_config_error():
    with pytest.raises(pgqrs.ConfigError):
        await pgqrs.connect("mysql://localhost/x")
