"""Config, and where the DSN comes from."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import pytest

import pgqrs

ROOT = Path(__file__).parents[3]


LIMITS = json.loads((ROOT / "core" / "testdata" / "config.json").read_text())
"""The table of limits is one for Go and Python."""

OPTIONS = [option.name for option in dataclasses.fields(pgqrs.Config) if option.name != "dsn"]


def test_the_table_of_limits_has_every_option():
    assert sorted(LIMITS) == sorted(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_out_of_its_range_is_a_config_error_that_names_it(name):
    for value in LIMITS[name]["good"]:
        pgqrs.Config("memory://x", **{name: value})
    config = pgqrs.Config("memory://x")
    bad = [*LIMITS[name]["bad"], float("nan")]
    if name not in ("schema", "max_connections"):
        bad.append(None)
    for value in bad:
        with pytest.raises(pgqrs.ConfigError, match=name):
            pgqrs.Config("memory://x", **{name: value})
        with pytest.raises(pgqrs.ConfigError, match=name):
            setattr(config, name, value)
    assert config == pgqrs.Config("memory://x")
    for value in LIMITS[name]["good"]:
        setattr(config, name, value)
    assert config == pgqrs.Config("memory://x", **{name: LIMITS[name]["good"][-1]})


def test_the_first_three_options_may_be_given_by_position_or_as_none():
    config = pgqrs.Config("memory://x", "s", 3)
    assert (config.schema, config.max_connections) == ("s", 3)
    config.schema = config.max_connections = None
    assert config == pgqrs.Config("memory://x", None, None) == pgqrs.Config("memory://x")
    with pytest.raises(TypeError):
        pgqrs.Config("memory://x", "s", 3, True)


def test_the_dsn_of_a_config_stays_and_a_name_that_is_no_option_is_refused():
    config = pgqrs.Config("memory://x")
    with pytest.raises(AttributeError, match="with_dsn"):
        config.dsn = "memory://y"
    with pytest.raises(AttributeError, match="max_conections"):
        config.max_conections = 3
    assert config.with_dsn("memory://y").dsn == "memory://y"


@pytest.mark.parametrize("given", ["", 5, "memory://\0"])
def test_a_dsn_that_is_none_is_a_config_error(given):
    with pytest.raises(pgqrs.ConfigError, match=r"(?i)dsn"):
        pgqrs.Config(given)


def test_connect_has_the_options_of_a_config():
    taken = list(inspect.signature(pgqrs.connect).parameters)
    assert taken == ["dsn", *OPTIONS]


def test_no_password_is_in_the_repr_of_a_config():
    config = pgqrs.Config("postgresql://user:secret@host/db?password=secret")
    assert "secret" not in f"{config!r}{config}"


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
        "max_prefetch_bytes": 67108864,
        "max_string_length": 0,
        "max_object_depth": 0,
        "forbidden_keys": [],
        "required_keys": [],
        "max_enqueue_per_second": 0,
        "max_enqueue_burst": 50,
        "rate_limit_waits": True,
    }
    assert pgqrs.Config.from_dsn("memory://x") == pgqrs.Config("memory://x")


def test_the_environment_is_read_before_the_file(monkeypatch, tmp_path):
    file = tmp_path / "pgqrs.toml"
    file.write_text("""
        dsn = "memory://file"
        schema = "of_the_file"
        max_connections = 3
        max_read_ct = 9
        forbidden_keys = ["x"]
    """)
    monkeypatch.setenv("PGQRS_DSN", "memory://environment")
    monkeypatch.setenv("PGQRS_SCHEMA", "of_the_environment")
    monkeypatch.setenv("PGQRS_AUTO_INSTALL", "off")
    monkeypatch.setenv("PGQRS_HEARTBEAT_INTERVAL_SECONDS", "0.5")
    monkeypatch.setenv("PGQRS_REQUIRED_KEYS", "a, b,")
    monkeypatch.setenv("PGQRS_MAX_READ_CT", "8")
    want = pgqrs.Config(
        "memory://environment",
        schema="of_the_environment",
        max_connections=3,
        auto_install=False,
        heartbeat_interval_seconds=0.5,
        max_read_ct=7,
        forbidden_keys=["x"],
        required_keys=["a", "b"],
    )
    assert pgqrs.Config.load(file, max_read_ct=7, schema=None) == want
    monkeypatch.setenv("PGQRS_CONFIG_FILE", str(file))
    assert pgqrs.Config.load(max_read_ct=7) == want


@pytest.mark.parametrize(
    ("name", "value"),
    [("AUTO_INSTALL", "maybe"), ("MAX_READ_CT", "many"), ("MAX_LEASE_SECONDS", "long")],
)
def test_what_is_wrong_with_a_variable_is_named(monkeypatch, name, value):
    monkeypatch.setenv("PGQRS_" + name, value)
    with pytest.raises(pgqrs.ConfigError, match=f"PGQRS_{name} must be .*{value}"):
        pgqrs.Config.load(dsn="memory://x")


@pytest.mark.parametrize("text", ["dsn =", "dns = 'memory://x'", "dsn = 5", None])
def test_what_is_wrong_with_a_file_is_named(tmp_path, text):
    file = tmp_path / "pgqrs.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(pgqrs.ConfigError, match=r"pgqrs\.toml|dns|dsn"):
        pgqrs.Config.load(file)


@pytest.mark.loops("plain")
async def test_connect_without_a_dsn_reads_the_environment(monkeypatch, memory_dsn):
    monkeypatch.setenv("PGQRS_DSN", memory_dsn)
    monkeypatch.setenv("PGQRS_MAX_READ_CT", "3")
    async with pgqrs.connect(max_connections=2) as store:
        assert store.config == pgqrs.Config(memory_dsn, max_read_ct=3, max_connections=2)
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
    config = pgqrs.Config(memory_dsn)
    async with pgqrs.connect_with(config) as store:
        config.max_read_ct = 9
        assert store.config == pgqrs.Config(memory_dsn)
    with pytest.raises(pgqrs.ValidationError, match="Config"):
        pgqrs.connect_with("memory://x")


@pytest.mark.loops("plain")
async def test_a_dsn_of_no_known_kind_is_a_config_error():
    with pytest.raises(pgqrs.ConfigError):
        await pgqrs.connect("mysql://localhost/x")
