"""Lines: the lines of a file or of standard input, as they come, without blocking the
event loop.

A thread reads: an event loop cannot wait for a file, and to make standard input
non-blocking would make the terminal so for every other program on it. The thread is a
daemon, for nothing wakes one that waits for a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

CHUNK = 2**18
"""How much is read at once."""

CHUNKS_AHEAD = 4
"""How many chunks may wait for whoever stores them."""


class Lines:
    """Reads one file, within a `with`; `async for` gives lists of (number of the line, its
    text), of as many lines as were there. Blank lines are left out."""

    def __init__(self, path: str) -> None:
        self.total: int | None = None
        """How many bytes there are; None: it is a pipe or a terminal."""
        self._read, self._close = self._open(path)
        self._room = threading.Semaphore(CHUNKS_AHEAD)
        self._chunks: asyncio.Queue[list[bytes] | Exception | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._left = False
        self._number = 0

    def _open(self, path: str) -> tuple[Callable[[int], bytes], Callable[[], None]]:
        if path != "-":
            file = io.FileIO(path)
        else:
            try:
                # Without a buffer there is no lock that the interpreter would want at its
                # end while the thread still waits.
                file = io.FileIO(os.dup(sys.stdin.fileno()))
            except (OSError, ValueError):  # a stand-in of tests
                stand_in: Any = sys.stdin.buffer
                return stand_in.read1, lambda: None
        if file.seekable():
            self.total = os.fstat(file.fileno()).st_size - file.tell()
        return file.read, file.close

    def __enter__(self) -> Lines:
        threading.Thread(target=self._run, name="pgqrs lines", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """The thread ends, unless it waits for a terminal."""
        self._left = True
        self._room.release()

    async def __aiter__(self) -> AsyncIterator[list[tuple[int, bytes]]]:
        while (lines := await self._chunks.get()) is not None:
            self._room.release()
            if isinstance(lines, Exception):
                raise lines
            first = self._number + 1
            self._number += len(lines)
            numbered = [(n, line) for n, line in enumerate(lines, first) if line.strip()]
            if numbered:
                yield numbered

    def _run(self) -> None:
        last: Exception | None = None
        try:
            for lines in self._split():
                self._hand_over(lines)
        except Exception as error:
            last = error
        finally:
            self._close()
        self._hand_over(last)

    def _split(self) -> Iterator[list[bytes]]:
        parts: list[bytes] = []
        while not self._left and (chunk := self._read(CHUNK)):
            parts.append(chunk)
            if b"\n" in chunk:
                *lines, rest = b"".join(parts).split(b"\n")
                parts = [rest]
                yield lines
        if rest := b"".join(parts):
            yield [rest]

    def _hand_over(self, lines: list[bytes] | Exception | None) -> None:
        self._room.acquire()
        if not self._left:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._chunks.put_nowait, lines)
