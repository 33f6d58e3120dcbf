"""The faults that need root: a disk of its own, and a network of its own. Of `make soak`
alone; `make test` passes as any user."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import psycopg

from .faults import FAULTS, NAMESPACE

if TYPE_CHECKING:
    from .bench import Bench

SMALL_DISK = ("unshare", "-m", "sh", "-c")
DISK_MEGABYTES = 400
NAME = "pgqrs-soak"
PROBE = "create temp table probe as select g from generate_series(1, 300000) g"
HERE, THERE = "10.213.7.1", "10.213.7.2"


def on_small_disk(program: str) -> list[str]:
    """The command that starts a program whose /tmp is a small disk of its own."""
    mount = f"mount -t tmpfs -o size={DISK_MEGABYTES}m,mode=1777 tmpfs /tmp"
    return [*SMALL_DISK, f'{mount} && exec "$0"', program]


@FAULTS.add("disk-full", crash=True, root=True, small_disk=True)
async def disk_full(bench: Bench) -> None:
    """The disk of the server is full for four seconds, and the server is started again where
    it did not survive that."""
    path = f"/proc/{bench.server.process.pid}/root/tmp/filler"
    await asyncio.to_thread(_fill, path)
    with contextlib.suppress(psycopg.errors.DiskFull, psycopg.OperationalError):
        await bench.server.run(PROBE)
        raise RuntimeError("the disk of the server is not full")
    await asyncio.sleep(4)
    os.unlink(path)
    try:
        await asyncio.to_thread(bench.server.execute, "select 1")
    except psycopg.Error:
        with contextlib.suppress(RuntimeError):  # it may be about to come back by itself
            await bench.server.tell("start")


def _fill(path: str) -> None:
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


class Network:
    """A network namespace for the programs, and the wire that leads out of it."""

    def __init__(self) -> None:
        self.close()
        for command in (
            f"ip netns add {NAME}",
            f"ip link add {NAME}-a type veth peer name {NAME}-b",
            f"ip link set {NAME}-b netns {NAME}",
            f"ip addr add {HERE}/24 dev {NAME}-a",
            f"ip link set {NAME}-a up",
            f"ip -n {NAME} addr add {THERE}/24 dev {NAME}-b",
            f"ip -n {NAME} link set {NAME}-b up",
            f"ip -n {NAME} link set lo up",
        ):
            subprocess.run(command.split(), check=True)

    @property
    def inside(self) -> list[str]:
        """The command that starts another one in there."""
        return ["ip", "netns", "exec", NAME]

    def cut(self, isolated: bool) -> None:
        """Takes the wire out, or puts it in again."""
        state = "down" if isolated else "up"
        subprocess.run(["ip", "link", "set", f"{NAME}-a", state], check=True)

    def close(self) -> None:
        """Removes it, if it is there."""
        for command in (f"ip link del {NAME}-a", f"ip netns del {NAME}"):
            subprocess.run(command.split(), stderr=subprocess.DEVNULL, check=False)


@FAULTS.add("wire-cut", route=NAMESPACE, root=True)
async def wire_cut(bench: Bench) -> None:
    """The wire between the programs and the server is out for four seconds: packets are
    lost, and nobody is told."""
    assert bench.network is not None
    await asyncio.to_thread(bench.network.cut, True)
    try:
        await asyncio.sleep(4)
    finally:
        await asyncio.to_thread(bench.network.cut, False)
