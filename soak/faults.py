"""The faults that any user can make. Each is a coroutine that begins one, waits and ends
it; the bench writes down when. Those that need root are in faults_root.py.

A fault that is struck while another one is on may find no server: then it has less effect,
and the bench goes on. What it changed is taken back in any case.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

from .server import PATIENT, PROJECT

if TYPE_CHECKING:
    from .bench import Bench

Strike = Callable[["Bench"], Awaitable[None]]

DIRECT, PROXY, TRANSACTION, SESSION = "direct", "proxy", "transaction", "session"
NAMESPACE = "namespace"
STOPPED_SECONDS = 4.0
"""How long a program is stopped: twice its lease."""
MANY_CONNECTIONS = 400
OUTAGE = "server-down"
LOCK_SOME = "select id from pgqrs_spans order by "


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault."""

    name: str
    strike: Strike
    about: str
    route: str = DIRECT  # by which way the programs reach the server in a run of this alone
    crash: bool = False
    root: bool = False
    small_disk: bool = False  # the server has one


@dataclass
class Registry:
    """All kinds, by name."""

    kinds: dict[str, FaultKind] = field(default_factory=dict)

    def add(
        self,
        name: str,
        *,
        route: str = DIRECT,
        crash: bool = False,
        root: bool = False,
        small_disk: bool = False,
    ) -> Callable[[Strike], Strike]:
        """A decorator: this coroutine is the fault of that name."""

        def register(strike: Strike) -> Strike:
            about = (strike.__doc__ or "").partition("\n")[0]
            self.kinds[name] = FaultKind(name, strike, about, route, crash, root, small_disk)
            return strike

        return register


FAULTS = Registry()


# ---- programs ----


@FAULTS.add("kill-consumer")
async def kill_consumer(bench: Bench) -> None:
    """A consumer is killed (SIGKILL); another one is started in its place."""
    await bench.crew.replace(bench.crew.any_one("consumer"), signal.SIGKILL)


@FAULTS.add("kill-producer")
async def kill_producer(bench: Bench) -> None:
    """A producer is killed (SIGKILL); another one is started in its place."""
    await bench.crew.replace(bench.crew.any_one("producer"), signal.SIGKILL)


@FAULTS.add("terminate-consumer")
async def terminate_consumer(bench: Bench) -> None:
    """A consumer is told to end (SIGTERM); another one is started in its place."""
    await bench.crew.replace(bench.crew.any_one("consumer"), signal.SIGTERM)


@FAULTS.add("stop-consumer")
async def stop_consumer(bench: Bench) -> None:
    """A consumer is stopped (SIGSTOP) until its leases are gone, and goes on (SIGCONT)."""
    await _stop(bench, "consumer")


@FAULTS.add("stop-producer")
async def stop_producer(bench: Bench) -> None:
    """A producer is stopped (SIGSTOP) for seconds, and goes on (SIGCONT)."""
    await _stop(bench, "producer")


async def _stop(bench: Bench, role: str) -> None:
    member = bench.crew.any_one(role)
    member.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(STOPPED_SECONDS)
    finally:
        member.signal(signal.SIGCONT)


# ---- the server ----


@FAULTS.add("restart-fast")
async def restart_fast(bench: Bench) -> None:
    """The server is restarted in good order (pg_ctl -m fast)."""
    await bench.server_down("stop")


@FAULTS.add("restart-immediate", crash=True)
async def restart_immediate(bench: Bench) -> None:
    """The server is ended without a checkpoint (pg_ctl -m immediate), and started again."""
    await bench.server_down("crash")


@FAULTS.add("server-away")
async def server_away(bench: Bench) -> None:
    """The server is down for ten seconds."""
    await bench.server_down("stop", 10)


@FAULTS.add(OUTAGE)
async def server_down(bench: Bench) -> None:
    """The server is down for a minute, or as long as the bench was told, while producers
    push."""
    await bench.server_down("stop", bench.outage_seconds)


@FAULTS.add("backends-terminated")
async def backends_terminated(bench: Bench) -> None:
    """All connections are ended (pg_terminate_backend)."""
    await bench.terminate_all()


@FAULTS.add("terminate-backends")
async def terminate_backends(bench: Bench) -> None:
    """All connections are ended (pg_terminate_backend) every second, five times."""
    for _ in range(5):
        await bench.terminate_all()
        await asyncio.sleep(1)


@FAULTS.add("too-many-connections")
async def too_many_connections(bench: Bench) -> None:
    """max_connections is reached by others for three seconds, and those of the programs
    are ended, so that they need new ones."""
    hogs: list[psycopg.AsyncConnection[object]] = []
    try:
        with contextlib.suppress(psycopg.Error):
            while len(hogs) < MANY_CONNECTIONS:
                hogs.append(await psycopg.AsyncConnection.connect(bench.dsn, autocommit=True))
        if not hogs:
            return  # another fault has the server
        with contextlib.suppress(psycopg.Error):
            await hogs[0].execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'pgqrs'"
            )
            while len(hogs) < MANY_CONNECTIONS:
                hogs.append(await psycopg.AsyncConnection.connect(bench.dsn, autocommit=True))
        await asyncio.sleep(3)
    finally:
        for hog in hogs:
            await hog.close()


@FAULTS.add("locked-spans")
async def locked_spans(bench: Bench) -> None:
    """A transaction holds pgqrs_spans in ACCESS EXCLUSIVE MODE for three seconds."""
    async with _locked(bench):
        await asyncio.sleep(3)


@contextlib.asynccontextmanager
async def _locked(bench: Bench) -> AsyncIterator[None]:
    """While pgqrs_spans is locked, where the server is there to lock it."""
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(psycopg.Error):
            connecting = psycopg.AsyncConnection.connect(
                bench.dsn, autocommit=True, options=PATIENT
            )
            connection = await connecting
            stack.push_async_callback(connection.close)
            await connection.execute("begin")
            await connection.execute("lock table pgqrs_spans in access exclusive mode")
        yield


@FAULTS.add("timeouts")
async def timeouts(bench: Bench) -> None:
    """statement_timeout, lock_timeout and idle_in_transaction_session_timeout of a few
    milliseconds fire, while pgqrs_spans is locked now and then."""
    settings = {
        "statement_timeout": "40ms",
        "lock_timeout": "20ms",
        "idle_in_transaction_session_timeout": "10ms",
    }
    async with bench.settings(settings):
        for _ in range(4):
            async with _locked(bench):
                await asyncio.sleep(0.4)
            await asyncio.sleep(0.4)


@FAULTS.add("serializable")
async def serializable(bench: Bench) -> None:
    """default_transaction_isolation is serializable, and a transaction of somebody else
    locks rows of pgqrs_spans against the order, which makes deadlocks."""
    settings = {"default_transaction_isolation": "serializable", "deadlock_timeout": "5ms"}
    async with bench.settings(settings):
        end = asyncio.get_running_loop().time() + 4
        while asyncio.get_running_loop().time() < end:
            with contextlib.suppress(psycopg.Error):
                async with await psycopg.AsyncConnection.connect(bench.dsn) as connection:
                    for order in ("lease desc, id desc", "lease, id"):
                        await connection.execute(
                            (LOCK_SOME + order + " limit 20 for update").encode()
                        )
                        await asyncio.sleep(0.02)
                    await connection.rollback()
            await asyncio.sleep(0.02)


# ---- the schema ----


@FAULTS.add("newer-version")
async def newer_version(bench: Bench) -> None:
    """A newer library has upgraded the schema: first to a version that ours can use, then
    to one that it cannot, which a program that runs already must not mind."""
    versions = await bench.query("select version, compatible_from from pgqrs_schema")
    if not versions:
        return
    version, compatible = versions[0]
    change = "update pgqrs_schema set version = {}, compatible_from = {}"
    try:
        await bench.query(change.format(version + 3, compatible))
        other = await bench.crew.replace(bench.crew.any_one("consumer"), signal.SIGTERM)
        await bench.crew.await_work(other)
        await bench.query(change.format(version + 4, version + 4))
        await asyncio.sleep(1.5)
    finally:
        await bench.insist(change.format(version, compatible))


@FAULTS.add("functions-replaced")
async def functions_replaced(bench: Bench) -> None:
    """A migration drops the functions and makes them again, three times, while they are
    called."""
    folder = PROJECT / "core/backend/postgres/migration"
    steps = sorted(p for p in folder.glob("*.sql") if re.match(r"00[345]_", p.name))
    down = [p.read_text() for p in reversed(steps) if ".down." in p.name]
    up = [p.read_text() for p in steps if ".up." in p.name]
    versions = await bench.query("select version, compatible_from from pgqrs_schema")
    if not versions:
        return
    script = "".join(down + up).replace("{schema}", "public")
    script += "update pgqrs_schema set version = {}, compatible_from = {};".format(*versions[0])
    for _ in range(3):
        with contextlib.suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(bench.dsn) as connection:
                await connection.execute(script.encode())
                await asyncio.sleep(0.3)
        await asyncio.sleep(0.5)


# ---- the way to the server ----


@FAULTS.add("connections-cut", route=PROXY)
async def connections_cut(bench: Bench) -> None:
    """All connections are reset, five times."""
    for _ in range(5):
        bench.proxy.cut()
        await asyncio.sleep(0.5)


@FAULTS.add("answers-lost", route=PROXY)
async def answers_lost(bench: Bench) -> None:
    """The next answer of each connection is lost, and it with it, twenty times."""
    for _ in range(20):
        bench.proxy.swallow_answers()
        await asyncio.sleep(0.2)


@FAULTS.add("connections-stalled", route=PROXY)
async def connections_stalled(bench: Bench) -> None:
    """Nothing passes between the programs and the server for four seconds."""
    bench.proxy.stall()
    try:
        await asyncio.sleep(4)
    finally:
        bench.proxy.resume()


@FAULTS.add("connections-half-open", route=PROXY)
async def connections_half_open(bench: Bench) -> None:
    """The connections stay open and nothing passes through them ever again; new ones work."""
    bench.proxy.forget()
    await asyncio.sleep(bench.answer_timeout)


@FAULTS.add("pooler-restarted", route=TRANSACTION)
async def pooler_restarted(bench: Bench) -> None:
    """PgBouncer in transaction mode is restarted."""
    await bench.restart_pooler(TRANSACTION)


@FAULTS.add("session-pooler-restarted", route=SESSION)
async def session_pooler_restarted(bench: Bench) -> None:
    """PgBouncer in session mode is restarted."""
    await bench.restart_pooler(SESSION)
