"""pgqrs archive, dlq, message and worker: what was, and who did it."""

from __future__ import annotations

import asyncio

import pgqrs as package


def fail_all(dsn: str, queue: str, most: int) -> None:
    """Delivers every message once, and fails."""

    async def main() -> None:
        async with package.connect(dsn) as store:
            await store.queue(queue)
            await (await store.get_queues()).update(queue, max_read_ct=1)
            await package.produce_batch(store, queue, [{"n": n} for n in range(most)])
            await package.consume(store, queue, lambda message: False, until_empty=True)

    asyncio.run(main())


def test_dead_letters_are_listed_and_replayed(pgqrs, dsn):
    fail_all(dsn, "bad", 7)
    fail_all(dsn, "worse", 2)
    letters = pgqrs.json("dlq", "list", "bad")
    assert [letter["payload"]["n"] for letter in letters] == list(reversed(range(7)))
    assert letters[0]["outcome"] == "dead"
    assert letters[0]["error"] == "the handler returned False"
    assert len(pgqrs.json("dlq", "list")) == 9
    assert len(pgqrs.json("dlq", "list", "--limit", 3)) == 3
    assert pgqrs.json("dlq", "list", "--until", "1h") == []
    assert len(pgqrs.json("dlq", "list", "--since", "1h")) == 9
    worker = letters[0]["consumer_worker_id"]
    assert len(pgqrs.json("dlq", "list", "--worker", worker)) == 7
    table = pgqrs("dlq", "list", "bad").splitlines()
    assert table[1].split()[0] == str(letters[0]["id"])
    assert '{"n": 6}' in table[1]
    replay = ("dlq", "replay", "bad", "--per-second", 1000)
    assert pgqrs(*replay, "--limit", 3) == "replayed 3 messages\n"
    assert pgqrs(*replay) == "replayed 4 messages\n"
    assert pgqrs(*replay) == "replayed 0 messages\n"
    numbers = pgqrs.json("queue", "list")
    assert [(q["ready"], q["dead"]) for q in numbers] == [(7, 0), (0, 2)]
    (attempt,) = pgqrs.json("message", "history", letters[0]["id"])
    assert (attempt["attempt"], attempt["outcome"]) == (1, "failed")


def test_the_archive_is_listed_shown_replayed_and_purged(pgqrs):
    pgqrs("produce", "tasks", "-", input="".join(f'{{"n": {n}}}\n' for n in range(2500)))
    assert len(pgqrs("consume", "tasks", "--until-empty").splitlines()) == 2500
    found = pgqrs.json("archive", "list", "tasks", "--limit", 2200)
    assert len({message["id"] for message in found}) == 2200
    assert len(pgqrs.json("archive", "list", "--outcome", "archived")) == 100
    assert pgqrs.json("archive", "list", "--outcome", "dead") == []
    one, two = found[0]["id"], found[1]["id"]
    assert pgqrs.json("archive", "show", one) == [found[0]]
    assert f"id                  {one}" in pgqrs("archive", "show", one)
    assert pgqrs("archive", "replay", one, two).splitlines()[0] == f"message {one} is ready"
    assert str(one) in pgqrs.refused("archive", "replay", one)
    assert pgqrs.json("queue", "metrics", "tasks")[0]["ready"] == 2
    assert "--yes" in pgqrs.refused("archive", "purge", "--older-than", "0", status=2)
    purge = ("archive", "purge", "tasks", "--yes", "--older-than")
    assert pgqrs(*purge, "1h") == "deleted 0 messages\n"
    assert pgqrs(*purge, "0s") == "deleted 2,498 messages\n"
    assert pgqrs.refused("message", "history", one + 10**6)


def test_live_messages_are_listed_and_one_is_shown_wherever_it_is(pgqrs):
    pgqrs("produce", "tasks", "-", input="".join(f'{{"n": {n}}}\n' for n in range(250)))
    later = int(pgqrs("produce", "others", '"later"', "--delay", "1h"))
    found = pgqrs.json("message", "list", "tasks", "--limit", 240)
    assert [message["payload"]["n"] for message in found] == list(range(240))
    assert pgqrs.json("message", "list", "--state", "delayed")[0]["id"] == later
    assert pgqrs.json("message", "list", "--state", "leased") == []
    table = pgqrs("message", "list", "tasks", "--limit", 1).splitlines()
    assert len(table) == 2
    assert table[1].split()[0] == str(found[0]["id"])
    assert pgqrs.json("message", "show", later)[0]["state"] == "delayed"
    pgqrs("consume", "tasks", "--count", 1)
    first = found[0]["id"]
    assert pgqrs.json("message", "show", first)[0]["outcome"] == "archived"
    assert pgqrs("archive", "delete", first, "--yes") == f"deleted message {first}\n"
    assert str(first) in pgqrs.refused("message", "show", first)


def test_live_messages_are_released_and_deleted_by_their_ids(pgqrs, dsn):
    late = [int(pgqrs("produce", "tasks", str(n), "--delay", "1h")) for n in range(3)]
    assert pgqrs("message", "release", *late[:2]).splitlines()[1] == f"message {late[1]} is ready"

    async def hold() -> None:
        async with package.connect(dsn) as store:
            (held,) = await (await store.consumer("tasks")).dequeue_many_with_delay(1, 60)
            assert held.id == late[0]
            refused = await asyncio.to_thread(pgqrs.refused, "message", "delete", held.id, "-y")
            assert f"message {held.id} is leased" in refused
            forced = ("message", "delete", held.id, "--force", "--yes")
            assert await asyncio.to_thread(pgqrs, *forced) == f"deleted message {held.id}\n"
            assert not await held.archive()

    asyncio.run(hold())
    assert "--yes" in pgqrs.refused("message", "delete", late[1], status=2)
    assert pgqrs("message", "delete", *late[1:], "--yes").count("deleted message") == 2
    assert pgqrs.json("message", "list") == []
    assert str(late[1]) in pgqrs.refused("message", "release", late[1])


def test_workers_are_listed_and_told_what_to_do(pgqrs, dsn):
    async def work() -> None:
        async with package.connect(dsn) as store:
            worker = (await store.consumer("tasks")).worker_id
            ask = asyncio.to_thread
            (found,) = await ask(pgqrs.json, "worker", "list", "--queue", "tasks")
            assert found["id"] == worker
            assert found["status"] == "ready"
            assert found["heartbeat_age"] < 60
            assert await ask(pgqrs.json, "worker", "list", "--status", "stopped") == []
            suspended = await ask(pgqrs.json, "worker", "suspend", worker)
            assert suspended[0]["status"] == "suspended"
            assert (await ask(pgqrs.json, "worker", "resume", worker))[0]["status"] == "ready"
            assert "ready" in await ask(pgqrs.refused, "worker", "interrupt", worker, "--yes")
            assert await ask(pgqrs, "worker", "release", worker) == "released 0 messages\n"
            refused = await ask(lambda: pgqrs.refused("worker", "shutdown", worker, status=2))
            assert "--yes" in refused
            stopped = await ask(pgqrs.json, "worker", "shutdown", worker, "--yes")
            assert stopped[0]["status"] == "stopped"
            (health,) = await ask(pgqrs.json, "worker", "health")
            assert (health["total"], health["stopped"], health["stale"]) == (1, 1, 0)
            (health,) = await ask(pgqrs.json, "worker", "health", "--by-queue")
            assert health["queue_id"] == found["queue_id"]

    asyncio.run(work())
    assert pgqrs("worker", "purge", "--older-than", "1h", "-y") == "deleted 0 workers\n"
    assert pgqrs("worker", "purge", "--older-than", "0", "-y") == "deleted 1 workers\n"
    assert "9" in pgqrs.refused("worker", "get", 9)


def test_the_bench_measures_and_leaves_nothing(pgqrs):
    produced, consumed = pgqrs.json("bench", "--messages", 1500)
    assert (produced["work"], consumed["work"]) == ("produce", "consume")
    assert produced["messages"] == consumed["messages"] == 1500
    assert produced["per_second"] > 0
    assert pgqrs.json("queue", "list") == []


def test_shells_can_complete(pgqrs_nowhere):
    for shell in ("bash", "zsh", "fish"):
        assert "_PGQRS_COMPLETE" in pgqrs_nowhere("completion", shell)
