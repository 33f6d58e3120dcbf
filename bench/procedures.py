"""How a workload is measured: what is asked of a driver, in which order, and what is
looked at from outside meanwhile. Each procedure gives a list of (part, answer); the
runner knows the workload's procedure by the name of the function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import psycopg

from . import processes
from .machine import DriverProcess, Server
from .subjects import DRIVERS, SUBJECTS
from .workloads import Scale, Workload

Answer = dict[str, Any]

UNCHECKED = 10_000_000
"""A backlog from which on the rows are not counted: that would take too long."""


class WorkNotDone(RuntimeError):
    """What a driver says and what is in its tables do not agree."""


@dataclass
class Turn:
    """One subject, about to do one workload."""

    server: Server
    driver: DriverProcess
    workload: Workload
    subject: str
    scale: Scale
    capacity: Callable[[], float | None]
    """Messages a second that it was measured to do at once (workload "through")."""

    def request(self, **more: Any) -> dict[str, Any]:
        kind = SUBJECTS[self.subject].kind or self.workload.kind
        return {"kind": kind, **self.workload.params, **more}

    def prepare(self, request: dict[str, Any]) -> None:
        """Empties its tables, and lets it fill them again."""
        tables = ", ".join(self.driver.tables)
        if tables:
            self.driver.database.execute(f"truncate {tables}")
        self.driver.ask({"do": "prepare", **request})
        if request.get("backlog") and tables:
            self.driver.database.execute(f"analyze {tables}")  # as autovacuum would, later

    def run(self, request: dict[str, Any]) -> Answer:
        """Lets it do it, and adds what it cost: WAL, and CPU time of both sides."""
        live = self.live(request)
        before = self.server.wal_position()
        client, server = self._cpu()
        answer = self.driver.ask({"do": "run", **request})
        used_client, used_server = self._cpu()
        after = self.server.wal_position()
        check(request, answer, live, self.live(request))
        return {
            **answer,
            "wal_bytes": after - before,
            "client_seconds": round(used_client - client, 3),
            "server_seconds": round(used_server - server, 3),
        }

    def live(self, request: dict[str, Any]) -> int | None:
        """Messages that are not done, as its tables have it."""
        if not self.driver.live or request.get("backlog", 0) >= UNCHECKED:
            return None
        if request["kind"] == "fdatasync":
            return None
        row = self.driver.database.execute(self.driver.live).fetchone()
        assert row
        return int(row[0])

    def _cpu(self) -> tuple[float, float]:
        pids = self.driver.pid, self.server.pid
        return processes.cpu_seconds(pids[0]), processes.cpu_seconds(pids[1])


def check(request: dict[str, Any], answer: Answer, before: int | None, after: int | None) -> None:
    """Raises where the work was not done. What a loop still had in work when its time
    was over is mostly done as well, but not counted; where a loop is simply cut off,
    one message may be handled and not settled."""
    if before is None or after is None:
        return
    kind, done = request["kind"], answer.get("messages", 0)
    backlog = request.get("backlog", 0)
    if before != backlog and kind != "select":
        raise WorkNotDone(f"a backlog of {backlog} was wanted, {before} are there")
    if kind in ("produce", "copy", "unnest", "insert"):
        fine = after - before == done
    elif kind == "drain":
        fine = before - after == done
    elif kind in ("consume", "memory"):
        fine = before - after >= done - 1
    elif kind in ("wake", "load", "cycle"):
        fine = after == 0 or answer.get("missing", 0) > 0
    else:
        fine = True
    if not fine or (kind != "select" and done == 0):
        raise WorkNotDone(f"{kind}: {done} messages, it says; {before} were there, now {after}")


Parts = list[tuple[str, Answer]]


def plain(turn: Turn) -> Parts:
    """Prepared, then timed by the driver itself."""
    request = turn.request()
    turn.prepare(request)
    return [("", turn.run(request))]


def at_share(turn: Turn) -> Parts:
    """A part of what it can do, which was measured before; or else is now."""
    capacity = turn.capacity()
    if capacity is None:
        request = turn.request(kind="through", tasks=100)
        turn.prepare(request)
        answer = turn.run(request)
        capacity = answer["messages"] / answer["seconds"]
    request = turn.request(rate=max(1.0, capacity * turn.workload.params["share"]))
    turn.prepare(request)
    return [("", {**turn.run(request), "rate": round(request["rate"])})]


def cost(turn: Turn) -> Parts:
    """By a process and a database of its own: the server counts the dead tuples of a
    connection only when that is idle for long, or ends."""
    name = turn.driver.id
    database = turn.server.fresh_database(f"cost-{name}")
    driver = DriverProcess(DRIVERS[name], database)
    own = Turn(turn.server, driver, turn.workload, turn.subject, turn.scale, turn.capacity)
    try:
        request = turn.request()
        if name == "rows":  # has no loop
            request = turn.request(kind="drain", consumers=1, batch=50)
        begin = turn.server.wal_position()
        own.prepare(request)
        filled = turn.server.wal_position() - begin
        answer = own.run(request)
    finally:
        driver.close()
    wal = filled / request["backlog"] + answer["wal_bytes"] / answer["messages"]
    parts = [
        ("wal", {"value": round(wal, 1)}),
        ("dead", {"value": round(dead_tuples(database) / answer["messages"], 4)}),
    ]
    if rss := answer.get("rss_bytes"):
        parts.append(("rss", {"value": round(rss / 2**20, 1)}))
    return parts


def dead_tuples(dsn: str) -> int:
    """That all that ever happened there has made, removed ones included."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select coalesce(sum(n_tup_upd + n_tup_del), 0) from pg_stat_user_tables"
        ).fetchone()
    assert row
    return int(row[0])


def deep(turn: Turn) -> Parts:
    """In front of a backlog that the server itself makes."""
    request = turn.request()
    fill(turn, request, "rows" if turn.driver.id == "rows" else "pgqrs")
    return [("", turn.run(request))]


def metrics(turn: Turn) -> Parts:
    """Of a queue whose backlog the server itself makes: of its own, and of all queues."""
    request = turn.request()
    fill(turn, request, request["filled_by"])
    return [
        (part, turn.driver.ask({"do": "run", **request, "of": part}))
        for part in turn.workload.parts
    ]


def fill(turn: Turn, request: dict[str, Any], name: str) -> None:
    """Makes a backlog, by one of fill.sql."""
    turn.prepare({**request, "backlog": 0})
    turn.driver.database.execute(fill_query(name), {"n": request["backlog"]})
    turn.driver.database.execute(f"vacuum analyze {', '.join(turn.driver.tables)}")
    turn.driver.database.execute("checkpoint")  # not while it is measured


def fill_query(name: str) -> str:
    """One of fill.sql."""
    for part in Path(__file__).with_name("fill.sql").read_text().split("-- name: ")[1:]:
        head, _, query = part.partition("\n")
        if head == name:
            return query
    raise KeyError(name)


def snapshot(turn: Turn) -> Parts:
    """A rate, then the same work for long with a snapshot held, then the rate again."""
    scale = turn.scale
    request = turn.request(seconds=scale.window_seconds)
    turn.prepare(request)
    before = turn.run(request)
    with psycopg.connect(turn.driver.dsn) as holder:
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select 1")
        turn.run({**request, "seconds": scale.snapshot_seconds - scale.window_seconds})
        after = turn.run(request)
    return [("before", before), ("after", after)]


SAMPLES = 50
"""Looks at memory and tables in the time of a steady load."""

KEPT_FOR_GOOD = ("pgqrs_log", "pgqrs_done")
"""The tables that grow with each message, which is what they are for."""


def steady(turn: Turn) -> Parts:
    """Memory and tables, looked at while the driver works."""
    request = turn.request()
    turn.prepare(request)
    began = _table_bytes(turn.driver)[1]
    answer, looks = _watched(turn, request)
    kept = (_table_bytes(turn.driver)[1] - began) / answer["messages"]
    return [
        ("latency", {**answer, "rate": request["rate"]}),
        *_fifths("memory", [memory for memory, _, _ in looks]),
        *_fifths("tables", [tables for _, tables, _ in looks]),
        ("log", {"value": round(kept, 1)}),
    ]


def retention(turn: Turn) -> Parts:
    """The log and the archive of queues that keep nothing for long, while the driver
    works."""
    request = turn.request()
    turn.prepare(request)
    answer, looks = _watched(turn, request, b"update pgqrs_queues set retention = '30 s'")
    return [
        ("latency", {**answer, "rate": request["rate"]}),
        *_fifths("kept", [kept for _, _, kept in looks]),
    ]


def _watched(
    turn: Turn, request: Answer, statement: bytes = b"select 1"
) -> tuple[Answer, list[tuple[float, float, float]]]:
    """The driver's answer, and looks at it on its way: MiB of memory, of the tables that
    shall stay small, and of the others. Each look begins with the statement."""
    looks: list[tuple[float, float, float]] = []
    start = monotonic()
    turn.driver.tell({"do": "run", **request})
    while not turn.driver.answers_within(turn.scale.steady_seconds / SAMPLES):
        if monotonic() - start < turn.scale.steady_seconds:
            turn.driver.database.execute(statement)
            small, kept = _table_bytes(turn.driver)
            memory = processes.resident_bytes(turn.driver.pid)
            looks.append((memory / 2**20, small / 2**20, kept / 2**20))
    if len(looks) < 5:
        raise WorkNotDone("a steady load ended before it was looked at")
    return turn.driver.answer(), looks


def _fifths(name: str, looks: list[float]) -> Parts:
    n = len(looks) // 5
    early, late = looks[n : 2 * n], looks[-n:]
    return [
        (f"{name}-early", {"value": round(median(early), 2)}),
        (f"{name}-late", {"value": round(median(late), 2)}),
    ]


def _table_bytes(driver: DriverProcess) -> tuple[int, int]:
    """Of the tables that shall stay small, and of those that are kept for good."""
    row = driver.database.execute(
        "select coalesce(sum(size) filter (where relname <> all(%(kept)s)), 0),"
        " coalesce(sum(size) filter (where relname = any(%(kept)s)), 0)"
        " from (select relname, pg_total_relation_size(relid) as size"
        " from pg_stat_user_tables) t",
        {"kept": list(KEPT_FOR_GOOD)},
    ).fetchone()
    assert row
    return int(row[0]), int(row[1])


PROCEDURES = {
    f.__name__: f for f in (plain, at_share, cost, deep, metrics, snapshot, steady, retention)
}
