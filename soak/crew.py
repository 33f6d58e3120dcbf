"""The crew of a run: the programs that produce and consume."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from .ledger import ENDED, STARTED, Ledger
from .server import PROJECT

CONSUMER_MODES = ("handler", "go-handler", "iterate", "explicit", "dequeue", "go-iterate")
PRODUCER_MODES = ("plain", "go-produce")
"""Those that begin with "go-" are of the program in Go, the others of those in Python."""
END_SECONDS = 30.0
"""How long a program may take to end when it is told to."""
SUCCESS = re.compile(rb'^\["(?:stored|got)"', re.MULTILINE)
START_SECONDS = 30.0
"""How long a program may take until it has its first message."""


class NobodyThereError(Exception):
    """No program of that role runs just now."""


@dataclass(frozen=True)
class Post:
    """What one member is for."""

    role: str
    name: str
    mode: str
    route: str


@dataclass
class Member:
    """One program that runs, or ran."""

    post: Post
    name: str
    process: subprocess.Popen[bytes]
    killed: bool = False

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None


@dataclass
class Crew:
    """The members, and the parts that failed: programs that ended when nobody told them, or
    did not end when they were told."""

    folder: Path
    dsn_of: Callable[[str], str]
    random: random.Random
    seed: int
    options: list[str]
    within: Callable[[str], list[str]]
    ledger: Ledger  # of the bench
    members: list[Member] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def start(self, post: Post) -> Member:
        """Starts a program."""
        number = sum(m.post == post for m in self.members) + 1
        name = post.name if number == 1 else f"{post.name}-{number}"
        command = [
            *self.within(post.route),
            *_program(post),
            *("--queue", "soak", "--folder", str(self.folder)),
            *("--name", name, "--mode", post.mode, "--seed", str(self.seed), *self.options),
        ]
        with (self.folder / f"{name}.err").open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stderr=errors,
                env=os.environ | {"PGQRS_DSN": self.dsn_of(post.route)},
            )
        member = Member(post, name, process)
        self.members.append(member)
        self.ledger.write(STARTED, name, post.role)
        return member

    def any_one(self, role: str) -> Member:
        """A program of that role that runs and that no fault has its hands on."""
        some = [m for m in self.members if m.post.role == role and m.runs and not m.killed]
        if not some:
            raise NobodyThereError(role)
        return self.random.choice(some)

    async def replace(self, member: Member, how: signal.Signals) -> Member:
        """Ends a program by that signal and starts another one in its place."""
        self._tell_to_end(member, how)
        if how == signal.SIGKILL:
            await asyncio.to_thread(member.process.wait)
        else:
            await self._await_end(member)
        return self.start(member.post)

    async def await_work(self, member: Member) -> None:
        """Waits until a program has had a success: its ledger tells of one."""
        deadline = time.monotonic() + START_SECONDS
        path = self.folder / f"{member.name}.ledger"
        while time.monotonic() < deadline and member.runs:
            if path.exists() and SUCCESS.search(path.read_bytes()):
                return
            await asyncio.sleep(0.05)
        self._fail(member, f"did nothing within {START_SECONDS} s")

    def look(self) -> None:
        """Notes who ended by himself."""
        for m in self.members:
            if not m.runs and not m.killed:
                m.killed = True
                self._fail(m, f"ended by itself with status {m.process.returncode}")

    async def end(self, role: str) -> None:
        """Tells all programs of a role to end, and waits."""
        those = [m for m in self.members if m.post.role == role and m.runs and not m.killed]
        for m in those:
            self._tell_to_end(m, signal.SIGTERM)
        await asyncio.gather(*(self._await_end(m) for m in those))

    def _tell_to_end(self, m: Member, how: signal.Signals) -> None:
        m.killed = True
        self.ledger.write(ENDED, m.name)
        m.signal(how)

    async def _await_end(self, m: Member) -> None:
        try:
            status = await asyncio.to_thread(m.process.wait, END_SECONDS)
        except subprocess.TimeoutExpired:
            m.signal(signal.SIGKILL)
            self._fail(m, f"did not end within {END_SECONDS} s")
            return
        if status != 0:
            self._fail(m, f"ended with status {status}")

    def _fail(self, m: Member, how: str) -> None:
        text = (self.folder / f"{m.name}.err").read_text(errors="replace").strip()
        self.failures.append(f"{m.name} {how}" + (f": {text[-600:]}" if text else ""))

    def kill_all(self) -> None:
        """Ends what still runs, at once."""
        for m in self.members:
            if m.runs:
                m.process.kill()
                m.process.wait()


def _program(post: Post) -> list[str]:
    """The command that runs the program of that post."""
    if post.mode.startswith("go-"):
        return [go_program(), "--role", post.role]
    return [sys.executable, "-X", "faulthandler", "-m", f"soak.programs.{post.role}"]


@lru_cache
def go_program() -> str:
    """Where the program in Go is, which is built first."""
    path = PROJECT / "build" / "soakprogram"
    command = ["go", "build", "-buildvcs=false", "-o", str(path), "./soak/goprogram"]
    subprocess.run(command, cwd=PROJECT, check=True)
    return str(path)
