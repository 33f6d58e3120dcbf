"""docs/message-lifecycle.md, as it is printed."""

from __future__ import annotations

import logging

import pytest
from fix_page import blocks, run

import pgqrs

SNIPPETS = blocks("message-lifecycle.md", "python")


@pytest.mark.loops("plain")
async def test_the_snippets_show_what_became_of_messages(dsn, capsys, caplog):
    caplog.set_level(logging.CRITICAL, "pgqrs")
    async with pgqrs.connect(dsn, max_read_ct=1) as store:
        await pgqrs.produce_batch(store, "tasks", ["good", "bad"])

        async def handler(msg):
            if msg.payload == "bad":
                raise ValueError("boom")

        names = {"store": store, "handler": handler, "pgqrs": pgqrs}
        assert len(SNIPPETS) == 4
        for snippet in SNIPPETS:
            await run(snippet, names)
        policy = (await pgqrs.admin(store).queue_settings("tasks")).retry
        assert policy == pgqrs.RetryPolicy(
            kind="exponential", base_seconds=1, max_seconds=600, jitter=0.5
        )
        printed = capsys.readouterr().out
        assert "bad 1 ValueError: boom" in printed
        assert "1 failed" in printed
        metrics = await pgqrs.admin(store).queue_metrics("tasks")
        assert (metrics.archived, metrics.dead, metrics.ready) == (1, 0, 1)
        assert printed.endswith("1\n")
