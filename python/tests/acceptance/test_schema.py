"""The schema: installed, verified and uninstalled by an Admin, or by hand."""

from __future__ import annotations

import pytest

import pgqrs

pytestmark = pytest.mark.loops("plain")


async def test_install_verify_and_uninstall(dsn, database):
    async with pgqrs.admin(dsn) as admin:
        with pytest.raises(pgqrs.ConfigError, match="not installed"):
            await admin.verify()
    assert database.value("select count(*) from pg_class where relname ~ '^pgqrs'") == 0
    async with pgqrs.admin(dsn) as admin:
        await admin.install()
        await admin.install()
        await admin.verify()
    database.execute("drop index pgqrs_spans_lookup; drop view pgqrs_metrics")
    async with pgqrs.admin(dsn) as admin:
        missing = r"index pgqrs_spans_lookup is missing"
        with pytest.raises(pgqrs.ConfigError, match=missing):
            await admin.verify()
        database.execute(
            "create view pgqrs_metrics as select 1 as nothing;"
            " create index pgqrs_spans_lookup on pgqrs_spans (queue_id, lo, hi)"
        )
        with pytest.raises(pgqrs.ConfigError, match=r"pgqrs_metrics\.depth is missing"):
            await admin.verify()
        database.execute("drop view pgqrs_metrics")
        await admin.uninstall()
    assert database.value("select count(*) from pg_class where relname ~ '^pgqrs'") == 0
    with pytest.raises(pgqrs.ConfigError, match="not installed"):
        await pgqrs.admin(dsn).uninstall()


async def test_nothing_differs_in_memory(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        admin = pgqrs.admin(store)
        await admin.install()
        await admin.verify()
        await admin.create_queue("tasks")
        with pytest.raises(pgqrs.ConfigError, match="no users"):
            await admin.grant_roles(viewers=["somebody"])
        with pytest.raises(pgqrs.ValidationError, match="viewers"):
            await admin.grant_roles(viewers="somebody")
        await admin.uninstall()
        assert await (await admin.get_queues()).count() == 0


async def test_the_sql_can_be_run_by_hand(dsn, database):
    database.execute(await pgqrs.schema_sql("jobs"))
    async with pgqrs.connect(dsn, schema="jobs", auto_install=False) as store:
        await pgqrs.admin(store).verify()
        await pgqrs.produce(store, "tasks", 1)
    with pytest.raises(pgqrs.ValidationError, match="from_version"):
        await pgqrs.schema_sql(from_version=-1)
    with pytest.raises(pgqrs.ValidationError, match="version to upgrade from"):
        await pgqrs.schema_sql(from_version=10_000)
