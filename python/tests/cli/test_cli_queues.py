"""pgqrs queue."""

from __future__ import annotations


def test_queues_are_made_looked_at_and_changed(pgqrs):
    made = pgqrs.json("queue", "create", "tasks", "--vt", "1.5min", "--retention", "7d")[0]
    assert made["queue_name"] == "tasks"
    assert made["settings"]["default_vt"] == 90
    assert made["settings"]["retention_seconds"] == 7 * 86_400
    assert pgqrs.json("queue", "get", "tasks") == [made]
    assert "tasks" in pgqrs.refused("queue", "create", "tasks")
    retry = ["--retry", "exponential", "--retry-base", "1s", "--retry-max", "1h", "--jitter", 0.5]
    updated = pgqrs.json("queue", "update", "tasks", "--vt", "default", *retry)[0]["settings"]
    assert updated["default_vt"] is None
    assert updated["retention_seconds"] == 7 * 86_400
    assert updated["retry"] == {
        "kind": "exponential",
        "base_seconds": 1,
        "max_seconds": 3600,
        "jitter": 0.5,
    }
    assert pgqrs.json("queue", "settings", "tasks") == [updated]
    assert (
        pgqrs.json("queue", "update", "tasks", "--retry", "default")[0]["settings"]["retry"] is None
    )


def test_wrong_settings_are_wrong_usage(pgqrs_nowhere):
    refused = pgqrs_nowhere.refused
    assert "'soon'" in refused("queue", "create", "q", "--vt", "soon", status=2)
    assert "--max-read-ct" in refused("queue", "create", "q", "--max-read-ct", "1.5", status=2)
    assert "--retry KIND" in refused("queue", "create", "q", "--jitter", 1, status=2)
    assert "at least one" in refused("queue", "update", "q", status=2)


def test_a_queue_is_paused_purged_and_deleted(pgqrs):
    assert pgqrs("produce", "tasks", "-", input="1\n2\n3\n").startswith("stored 3 messages in ")
    assert pgqrs("queue", "pause", "tasks") == "queue 'tasks' is paused\n"
    (numbers,) = pgqrs.json("queue", "list")
    assert numbers["paused_at"] is not None
    assert (numbers["depth"], numbers["ready"]) == (3, 3)
    assert pgqrs.json("queue", "metrics", "tasks")[0]["produced"] == 3
    assert pgqrs.json("queue", "metrics")[0]["queues"] == 1
    pgqrs("queue", "resume", "tasks")
    table = pgqrs("queue", "list").splitlines()
    assert table[0].split()[:3] == ["queue", "depth", "ready"]
    assert table[1].split()[:3] == ["tasks", "3", "3"]
    assert "3 live messages of queue 'tasks'" in pgqrs.refused("queue", "purge", "tasks", status=2)
    assert "use --force" in pgqrs.refused("--yes", "queue", "delete", "tasks")
    assert pgqrs("queue", "purge", "tasks", "-y") == "deleted 3 messages\n"
    assert pgqrs("queue", "delete", "tasks", "--yes") == "deleted queue 'tasks'\n"
    assert pgqrs.json("queue", "list") == []
    for command in ("get", "pause", "purge", "delete", "metrics", "settings"):
        assert "tasks" in pgqrs.refused("queue", command, "tasks", "--yes")
