"""Bench: one run, from a fresh database to the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from . import faults as ways
from .crew import CONSUMER_MODES, PRODUCER_MODES, Crew, NobodyThereError, Post, go_program
from .faults import FaultKind
from .faults_root import HERE, Network
from .ledger import FAULT, Ledger, now_us
from .proxy import Proxy
from .server import PgBouncer, Server
from .tables import live

DRAIN_SECONDS = 90.0
"""How long the queue may take to become empty when all faults are over."""


class Bench:
    """The servers, the crew and the ledger of faults of one run."""

    def __init__(self, server: Server, folder: Path, seed: int, *, rate: float, vt: float) -> None:
        self.server = server
        self.folder = folder
        self.seed = seed
        self.random = random.Random(seed)
        self.rate = rate
        self.answer_timeout = 3.0
        self.outage_seconds = 60.0
        self.dsn = ""
        self.proxy = Proxy(server.port)
        self.poolers: dict[str, PgBouncer] = {}
        self.network: Network | None = None
        self._way_in: Proxy | None = None  # from the network
        self.inside: dict[str, list[str]] = {}  # by route: the command that leads there
        self.address: dict[str, tuple[str, int]] = {}  # by route, where it is not local
        self._settings = 0
        self._serving = asyncio.Lock()
        self._pooling = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(folder / "bench.ledger")
        self.crew = Crew(
            folder,
            self.dsn_of,
            self.random,
            seed,
            ["--rate", str(rate), "--vt", str(vt), "--answer-timeout", str(self.answer_timeout)],
            lambda route: self.inside.get(route, []),
            self.ledger,
        )

    # ---- begin and end ----

    async def open(self, routes: set[str]) -> None:
        """A fresh database, and the ways to it."""
        self.dsn = await asyncio.to_thread(self.server.fresh_database)
        await self.proxy.start()
        for route in routes & {ways.TRANSACTION, ways.SESSION}:
            log = self.folder / f"pgbouncer-{route}.out"
            self.poolers[route] = PgBouncer(self.server, route, log)
            self.poolers[route].start()
        self._watch = asyncio.create_task(self._keep_poolers())
        if ways.NAMESPACE in routes:
            await self.open_network()

    async def open_network(self) -> None:
        """A network of their own for the programs, and a way from there to the server."""
        self.network = await asyncio.to_thread(Network)
        self.inside[ways.NAMESPACE] = self.network.inside
        self._way_in = Proxy(self.server.port, HERE)
        await self._way_in.start()
        self.address[ways.NAMESPACE] = (HERE, self._way_in.port)

    async def man(
        self, routes: list[str], producers: int, consumers: int, pushers: int = 0
    ) -> None:
        """Starts the crew, its members on the routes in turn."""
        await asyncio.to_thread(go_program)
        for n in range(pushers):
            mode = ("push", "hurry")[n % 2]
            self.crew.start(Post("producer", f"p-{mode}", mode, routes[0]))
        for n in range(producers):
            mode = PRODUCER_MODES[n % len(PRODUCER_MODES)]
            self.crew.start(Post("producer", f"p{n + 1}-{mode}", mode, routes[n % len(routes)]))
        for n in range(consumers):
            mode = CONSUMER_MODES[n % len(CONSUMER_MODES)]
            route = routes[(n + n // len(routes)) % len(routes)]
            self.crew.start(Post("consumer", f"c{n + 1}-{mode}", mode, route))

    async def drain(self) -> None:
        """Ends the producers, waits until the queue is empty, and ends the consumers."""
        await self.crew.end("producer")
        deadline = time.monotonic() + DRAIN_SECONDS
        while await asyncio.to_thread(live, self.dsn) and time.monotonic() < deadline:
            self.crew.look()
            await asyncio.sleep(0.1)
        await self.crew.end("consumer")
        self.crew.look()

    async def close(self) -> None:
        """Ends whatever still runs."""
        self.crew.kill_all()
        await self.proxy.close()
        if self._way_in is not None:
            await self._way_in.close()
        if self.network is not None:
            self.network.close()
        if self._watch is not None:
            self._watch.cancel()
        for pooler in self.poolers.values():
            pooler.close()
        self.ledger.close()

    def dsn_of(self, route: str) -> str:
        """The DSN by which a program reaches the server on that route."""
        port = self.server.port
        if route == ways.PROXY:
            port = self.proxy.port
        elif route in self.poolers:
            port = self.poolers[route].port
        host, port = self.address.get(route, ("127.0.0.1", port))
        return urlsplit(self.dsn)._replace(netloc=f"postgres@{host}:{port}").geturl()

    # ---- faults ----

    async def strike(self, kind: FaultKind) -> None:
        """One fault, written down from its begin to its end."""
        begin = now_us()
        try:
            with contextlib.suppress(psycopg.Error, NobodyThereError):
                await kind.strike(self)
        finally:
            about = {"crash": True} if kind.crash else {}
            self.ledger.write_at(begin, FAULT, kind.name, now_us(), about)
        self.crew.look()

    async def server_down(self, verb: str, seconds: float = 0.5) -> None:
        """Ends the server in that way and starts it again. One at a time."""
        async with self._serving:
            await self.server.tell(verb)
            await asyncio.sleep(seconds)
            await self.server.tell("start")

    async def terminate_all(self) -> None:
        """Ends every connection to the database, as far as the server is there."""
        with contextlib.suppress(psycopg.Error):
            await self.server.terminate_all()

    async def restart_pooler(self, route: str) -> None:
        """Ends a pooler, and starts it again half a second later."""
        if route in self.poolers:
            async with self._pooling:
                await asyncio.to_thread(self.poolers[route].stop)
                await asyncio.sleep(0.5)
                await asyncio.to_thread(self.poolers[route].start)

    async def _keep_poolers(self) -> None:
        """Starts a pooler again that ended by itself, as whoever runs one in production
        would. That of Debian 12 does when many queries are cancelled at once
        (https://github.com/pgbouncer/pgbouncer/issues/822)."""
        while True:
            await asyncio.sleep(0.05)
            async with self._pooling:
                for pooler in self.poolers.values():
                    if pooler.died:
                        begin, about = now_us(), {"said": pooler.last_words()}
                        await asyncio.to_thread(pooler.start)
                        self.ledger.write_at(begin, FAULT, "pooler-died", now_us(), about)

    @contextlib.asynccontextmanager
    async def settings(self, settings: dict[str, str]) -> AsyncIterator[None]:
        """Settings of the database, which every connection has meanwhile."""
        name = urlsplit(self.dsn).path.removeprefix("/")
        try:
            for setting, value in settings.items():
                await self.query(f"alter database {name} set {setting} = '{value}'", "postgres")
            await self.terminate_all()
            yield
        finally:
            for setting in settings:
                await self.insist(f"alter database {name} reset {setting}", "postgres")
            await self.terminate_all()

    async def query(self, statement: str, database: str = "") -> list[tuple[Any, ...]]:
        """A statement; nothing where the server is away."""
        database = database or urlsplit(self.dsn).path.removeprefix("/")
        with contextlib.suppress(psycopg.Error):
            return await self.server.run(statement, database)
        return []

    async def insist(self, statement: str, database: str = "") -> None:
        """A statement that must be done, however often the server is ended meanwhile."""
        database = database or urlsplit(self.dsn).path.removeprefix("/")
        while True:
            try:
                await self.server.run(statement, database)
            except psycopg.Error:
                await asyncio.sleep(0.1)
            else:
                return
