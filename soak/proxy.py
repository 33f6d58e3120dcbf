"""A TCP proxy between the programs and the server, which breaks connections on command."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

CHUNK = 1 << 16


class Proxy:
    """Forwards connections, until it is told to hurt them."""

    def __init__(self, port: int, listen: str = "127.0.0.1") -> None:
        self._target = port
        self._listen = listen
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()  # one for each pair
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listens."""
        self._server = await asyncio.start_server(self._accept, self._listen, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Resets all connections."""
        for pair in list(self._pairs):
            pair.reset()

    def swallow_answers(self) -> None:
        """Of each connection, the next answer of the server is lost, and it with it."""
        for pair in self._pairs:
            pair.swallowing = True

    def stall(self) -> None:
        """Nothing passes, of new connections either, until resume()."""
        self._flowing.clear()

    def resume(self) -> None:
        """Ends stall(): what came meanwhile is sent on."""
        self._flowing.set()

    def forget(self) -> None:
        """The connections that there are stay open, and nothing passes through them ever
        again, as behind a firewall that lost its state. New ones work."""
        for pair in self._pairs:
            pair.forgotten = True

    async def close(self) -> None:
        """Ends all."""
        if self._server is not None:
            self._server.close()
        self.resume()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, there[1])
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._pairs.add(pair)
        ways = [
            asyncio.create_task(self._pass(pair, reader, there[1], False)),
            asyncio.create_task(self._pass(pair, there[0], writer, True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            pair.end()
            self._pairs.discard(pair)

    async def _pass(
        self,
        pair: _Pair,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                if pair.forgotten:
                    continue
                if answers and pair.swallowing:
                    pair.reset()
                    return
                writer.write(data)
                await writer.drain()
            if pair.forgotten:  # the end does not pass either
                await pair.over.wait()


class _Pair:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._client = client
        self._server = server
        self.swallowing = False
        self.forgotten = False
        self.over = asyncio.Event()

    def reset(self) -> None:
        """Ends both sides with RST."""
        self.over.set()
        for writer in (self._client, self._server):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def end(self) -> None:
        """Ends both sides in good order."""
        for writer in (self._client, self._server):
            writer.close()
