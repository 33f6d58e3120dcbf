"""A program in a pseudo-terminal, and what somebody at it would see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte

PATIENCE_SECONDS = 60


class Terminal:
    """Runs `pgqrs` with arguments; to be used with `with`."""

    def __init__(self, *arguments: str, columns: int = 110, lines: int = 30, **environment: str):
        self.screen = pyte.Screen(columns, lines)
        self.written = b""
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        variables = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pgqrs", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=variables | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, condition: Callable[[str], object], what: str = "it") -> None:
        """Reads until the screen is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.text):
            assert time.monotonic() < deadline, f"waited for {what}:\n{self.text}"
            if not self._read(0.1) and self._process.poll() is not None:
                assert condition(self.text), f"it ended without {what}:\n{self.text}"

    def shows(self, text: str) -> None:
        """Reads until the text is on the screen."""
        self.until(lambda screen: text in screen, repr(text))

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self._master, keys.encode())

    def ended(self, pressing: str = "") -> int:
        """The exit status, once it has ended; with a key that is pressed until then."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end:\n{self.text}"
            if not self._read(0.5) and pressing:
                with contextlib.suppress(OSError):
                    self.press(pressing)
        while self._read(0):
            pass
        return self._process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            chunk = os.read(self._master, 2**16)
            self.written += chunk
            self._stream.feed(chunk)
            return bool(chunk)
        return False
