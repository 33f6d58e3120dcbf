"""Every Python snippet of the page does what the page says, word for word."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest
import snippets
from fix_store import Database, until

import pgqrs

DSN = "postgresql://localhost/mydb"
RAN: list[str] = []


class Page:
    """One snippet, found by what stands in it, and the database it works on."""

    def __init__(self, dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.database = Database(dsn)
        self._capsys = capsys

    def snippet(self, number: int, *marks: str) -> str:
        """The snippet of that number, which holds these marks."""
        code = list(snippets.snippets())[number - 1]
        assert all(mark in code for mark in marks), code
        RAN.append(code)
        return code

    async def run(self, code: str, **names: Any) -> dict[str, Any]:
        return await asyncio.wait_for(snippets.run(code, names), 20)

    async def run_until(self, condition: Callable[[], bool], code: str, **names: Any) -> None:
        """Runs an endless snippet until it has had its effect, then cancels it."""
        task = asyncio.create_task(snippets.run(code, names))
        try:
            await until(lambda: condition() or task.done(), "the snippet to have its effect")
            assert condition()
            assert not task.done(), "it should be endless"
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def run_program(self, code: str) -> None:
        """Runs a snippet that calls asyncio.run() itself, to its end."""
        exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})

    def run_program_until(self, condition: Callable[[], bool], code: str, monkeypatch: Any) -> None:
        """The same for an endless one: its main is cancelled by a Ctrl-C's means."""
        run = asyncio.run

        def run_and_cancel(main: Any) -> None:
            async def both() -> None:
                task = asyncio.ensure_future(main)
                try:
                    await until(lambda: condition() or task.done())
                    assert not task.done(), "it should be endless"
                finally:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

            run(both())

        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "run", run_and_cancel)
            self.run_program(code)
        assert condition()

    def printed(self) -> str:
        return self._capsys.readouterr().out

    def live(self) -> list[Any]:
        """Payloads of the messages that were not archived, by id."""
        return [
            row[0] for row in self.database.rows("select payload from pgqrs_messages order by id")
        ]

    def archived(self) -> list[Any]:
        query = "select payload from pgqrs_archive where outcome = 'archived' order by id"
        return [row[0] for row in self.database.rows(query)]


@pytest.fixture
def page(mydb: str, capsys: pytest.CaptureFixture[str]) -> Page:
    return Page(mydb, capsys)


@contextlib.asynccontextmanager
async def filled(queue: str, *payloads: Any):
    """A store on the page's database with these messages."""
    async with pgqrs.connect(DSN) as store:
        await pgqrs.produce_batch(store, queue, payloads)
        yield store


def test_01_creating_a_producer(page: Page):
    page.run_program(page.snippet(1, 'produce(store, "tasks", {"task": "send_email"})'))
    (number,) = re.findall(r"^Enqueued message: (\d+)$", page.printed(), re.MULTILINE)
    rows = page.database.rows("select id, payload from pgqrs_messages")
    assert rows == [(int(number), {"task": "send_email"})]


def test_02_single_message(page: Page):
    page.run_program(page.snippet(2, "Message ID: {msg_id}"))
    (number,) = re.findall(r"^Message ID: (\d+)$", page.printed(), re.MULTILINE)
    payload = {"action": "send_email", "to": "user@example.com"}
    assert page.database.rows("select id, payload from pgqrs_messages") == [(int(number), payload)]


def test_03_batch_enqueue(page: Page):
    page.run_program(page.snippet(3, "produce_batch"))
    assert page.printed() == "Enqueued 3 messages\n"
    assert page.live() == [{"task": 1}, {"task": 2}, {"task": 3}]


@pytest.mark.loops("plain", "uvloop")
async def test_04_delayed_messages(page: Page):
    names = await page.run(page.snippet(4, "enqueue_delayed(payload, delay_seconds=300)"))
    number = names["message_id"]
    assert page.printed() == f"Scheduled message {number} for 5 minutes from now\n"
    rows = page.database.rows(
        "select id, payload, vt - enqueued_at between '299 s' and '301 s', producer_worker_id"
        " from pgqrs_messages"
    )
    worker = names["producer"].worker_id
    assert rows == [(number, {"reminder": "Follow up with customer"}, True, worker)]
    hosts = page.database.rows("select id, name from pgqrs_workers")
    assert [row[0] for row in hosts] == [worker]
    assert "scheduler" in hosts[0][1]
    await names["admin"].close()


@pytest.mark.loops("plain", "uvloop")
async def test_05_extend_visibility_whose_fence_is_lost(page: Page):
    async with filled("tasks", 1) as store:
        consumer = await store.consumer("tasks")
        (msg,) = await consumer.dequeue_many_with_delay(1, 60)
        code = page.snippet(5, "# Note: Method is named 'extend_vt' in Python")
        names = await page.run(code, consumer=consumer, msg=msg)
        assert names["extended"] is True
        assert page.printed() == "Lock extended successfully\n"
        lease = page.database.value(
            "select extract(epoch from vt - dequeued_at) from pgqrs_messages"
        )
        assert float(lease) == 90
        assert await msg.archive()
        assert (await page.run(code, consumer=consumer, msg=msg))["extended"] is False
        assert page.printed() == ""


def test_06_creating_a_consumer(page: Page, monkeypatch):
    asyncio.run(_fill("tasks", {"n": 1}, {"n": 2}))
    code = page.snippet(6, "return True  # Return True to archive")
    page.run_program_until(lambda: page.archived() == [{"n": 1}, {"n": 2}], code, monkeypatch)
    assert page.live() == []
    assert page.printed() == "Processing: {'n': 1}\nProcessing: {'n': 2}\n"


def test_07_dequeue_messages(page: Page, monkeypatch):
    asyncio.run(_fill("tasks", "a", "b"))
    ids = [row[0] for row in page.database.rows("select id from pgqrs_messages order by id")]
    code = page.snippet(7, "# Dequeue using iterator pattern")
    page.run_program_until(lambda: page.archived() == ["a", "b"], code, monkeypatch)
    printed = page.printed()
    assert re.findall(r"^ID: (\d+)$", printed, re.MULTILINE) == [str(n) for n in ids]
    assert re.findall(r"^Payload: (\w+)$", printed, re.MULTILINE) == ["a", "b"]
    assert len(re.findall(r"^Enqueued at: \d{4}-.*\+00:00$", printed, re.MULTILINE)) == 2


async def _fill(queue: str, *payloads: Any) -> None:
    async with filled(queue, *payloads):
        pass


@pytest.mark.loops("plain", "uvloop")
async def test_08_dequeue_with_options(page: Page):
    async with filled("tasks", *range(60)) as store:
        leases: list[float] = []

        async def process_message(msg: pgqrs.Message) -> None:
            assert (
                page.database.value("select count(*) from pgqrs_messages where read_ct > 0") <= 51
            )
            leases.append((msg.vt - msg.dequeued_at).total_seconds())

        code = page.snippet(8, "batch_size=50", "vt=30")
        done = lambda: len(page.archived()) == 60  # noqa: E731
        await page.run_until(done, code, pgqrs=pgqrs, store=store, process_message=process_message)
        assert len(leases) == 60
        assert min(leases) >= 30


@pytest.mark.loops("plain", "uvloop")
async def test_09_archive_messages(page: Page):
    async with filled("tasks", "x", *range(3)) as store:
        consumer = await store.consumer("tasks")
        msg, msg1, msg2, msg3 = await consumer.dequeue()
        code = page.snippet(9, "await msg.archive()", "consumer.archive_batch")
        await page.run(code, msg=msg)
        assert page.archived() == ["x"]
        commented = re.search(r"^# (await consumer.*)$", code, re.MULTILINE)
        assert commented
        await page.run(commented[1], consumer=consumer, msg1=msg1, msg2=msg2, msg3=msg3)
        assert page.archived() == ["x", 0, 1, 2]
        assert page.live() == []


@pytest.mark.loops("plain", "uvloop")
async def test_10_delete_messages(page: Page):
    async with filled("tasks", "x", *range(3)) as store:
        consumer = await store.consumer("tasks")
        msg, msg1, msg2, msg3 = await consumer.dequeue()
        code = page.snippet(10, "await msg.delete()", "consumer.delete_batch")
        await page.run(code, msg=msg)
        assert page.live() == [0, 1, 2]
        commented = re.search(r"^# (await consumer.*)$", code, re.MULTILINE)
        assert commented
        await page.run(commented[1], consumer=consumer, msg1=msg1, msg2=msg2, msg3=msg3)
        assert (page.live(), page.archived()) == ([], [])


class Both:
    """Runs the loops of a snippet that has two endless ones, one after the other."""

    def __init__(self, code: str) -> None:
        self.first, self.second = (
            part for part in re.split(r"^(?=# )", code, flags=re.MULTILINE) if part.strip()
        )


@pytest.mark.loops("plain", "uvloop")
async def test_11_configuring_lock_time(page: Page):
    async with filled("tasks", "a") as store:
        leases: list[float] = []

        async def process(msg: pgqrs.Message) -> None:
            leases.append(round((msg.vt - msg.dequeued_at).total_seconds(), 1))

        both = Both(page.snippet(11, "# Default lock time", "vt=30"))
        names = {"pgqrs": pgqrs, "store": store, "process": process}
        await page.run_until(lambda: page.archived() == ["a"], both.first, **names)
        await pgqrs.produce(store, "tasks", "b")
        await page.run_until(lambda: page.archived() == ["a", "b"], both.second, **names)
        assert leases == [5.0, 30.0]


@pytest.mark.loops("plain", "uvloop")
async def test_12_use_appropriate_lock_times(page: Page):
    async with filled("tasks", *range(150)) as store:
        leases: list[tuple[str, float]] = []

        async def quick_process(msg: pgqrs.Message) -> None:
            leases.append(("quick", round((msg.vt - msg.dequeued_at).total_seconds())))

        async def long_process(msg: pgqrs.Message) -> None:
            leases.append(("long", round((msg.vt - msg.dequeued_at).total_seconds())))

        both = Both(page.snippet(12, "batch_size=100, vt=10", "batch_size=10, vt=300"))
        names = {
            "pgqrs": pgqrs,
            "store": store,
            "quick_process": quick_process,
            "long_process": long_process,
        }
        await page.run_until(lambda: len(page.archived()) == 150, both.first, **names)
        await pgqrs.produce(store, "tasks", "last")
        await page.run_until(lambda: len(page.archived()) == 151, both.second, **names)
        # What waits for its turn is kept alive, so its vt may be later by the time.
        assert leases[0] == ("quick", 10)
        assert all(what == "quick" and 10 <= vt < 60 for what, vt in leases[:150])
        assert leases[150:] == [("long", 300)]


@pytest.mark.loops("plain", "uvloop")
async def test_13_extend_locks_for_long_processing(page: Page):
    async with filled("tasks", "long", "short") as store:
        finished: list[str] = []
        query = (
            "select extract(epoch from vt - now()) > 55 from pgqrs_messages"
            " where payload::jsonb = '\"long\"'"
        )

        class Result:
            def __init__(self, payload: str) -> None:
                self.payload = payload

            def needs_more_time(self) -> bool:
                return self.payload == "long"

            async def finish(self) -> None:
                if self.payload == "long":
                    assert page.database.value(query)
                finished.append(self.payload)

        async def start_long_processing(msg: pgqrs.Message) -> Result:
            return Result(msg.payload)

        consumer = pgqrs.consumer(pgqrs.admin(store), "tasks", "host", 8080)
        await page.run_until(
            lambda: page.archived() == ["long", "short"],
            page.snippet(13, "await consumer.extend_vt(msg.id, 60)"),
            pgqrs=pgqrs,
            store=store,
            consumer=consumer,
            start_long_processing=start_long_processing,
        )
        assert finished == ["long", "short"]


@pytest.mark.loops("plain", "uvloop")
async def test_14_always_archive_or_delete(page: Page):
    async with pgqrs.connect(DSN, default_lock_time_seconds=0.3) as store:
        ids = await pgqrs.produce_batch(store, "tasks", ["good", "bad once"])
        tries: list[str] = []

        async def process(msg: pgqrs.Message) -> None:
            tries.append(msg.payload)
            if tries.count("bad once") == 1 and msg.payload == "bad once":
                raise RuntimeError("not this time")

        code = page.snippet(14, "return False  # Don't archive, will retry")
        done = lambda: page.archived() == ["good", "bad once"]  # noqa: E731
        await page.run_until(done, code, pgqrs=pgqrs, store=store, process=process)
        assert tries == ["good", "bad once", "bad once"]
        assert page.printed() == f"Failed to process {ids[1]}: not this time\n"
        counts = page.database.rows("select read_ct from pgqrs_archive order by id")
        assert counts == [(1,), (2,)]


@pytest.mark.loops("plain", "uvloop")
async def test_15_use_batch_operations(page: Page):
    async with pgqrs.connect(DSN) as store:
        processed: list[int] = []

        async def process(msg: pgqrs.Message) -> None:
            processed.append(msg.payload["task"])

        code = page.snippet(15, 'payloads = [{"task": i} for i in range(100)]')
        done = lambda: len(page.archived()) == 100  # noqa: E731
        await page.run_until(done, code, pgqrs=pgqrs, store=store, process=process)
        assert processed == list(range(100))
        assert page.archived() == [{"task": n} for n in range(100)]


def test_16_all_fifteen_snippets_were_found_and_run(request: pytest.FixtureRequest):
    found = list(snippets.snippets())
    assert len(found) == 15
    alone = len(request.session.items) == 1
    if not alone:
        assert set(RAN) == set(found)
