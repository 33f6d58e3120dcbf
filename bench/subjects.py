"""Who is measured, and which program measures it. Tables, no code that runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """Something that is measured."""

    id: str
    label: str
    driver: str
    """The process that measures it; a process may measure several subjects."""
    kind: str | None = None
    """What its driver is asked for, where that is not the kind of the workload."""
    is_floor: bool = False
    """A yardstick: what the server can do without a queue."""


@dataclass(frozen=True)
class Driver:
    """How to start one process: the Go driver with an argument, or a file of peers/
    in an environment with these packages (none: the project's own .venv)."""

    id: str
    go: str | None = None
    packages: tuple[str, ...] = ()
    file: str = ""
    """Of peers/, where it is not the id."""
    is_peer: bool = False
    """A run goes on without it where it cannot be installed or started, and says so."""


BEFORE = "before"
"""An older version of ours; `compare` says which (machine.check_out)."""

DRIVERS = {
    driver.id: driver
    for driver in (
        Driver("floor", go="floor"),
        Driver("rows", go="rows"),
        Driver("pgqrs-go", go="pgqrs"),
        Driver("pgqrs"),
        Driver(BEFORE, file="pgqrs"),
        Driver("upstream", packages=("pgqrs==0.15.3",), is_peer=True),
        Driver("awa", packages=("awa-pg==0.6.9",), is_peer=True),
        Driver("pgqueuer", packages=("pgqueuer[asyncpg]==1.6.0",), is_peer=True),
        Driver("procrastinate", packages=("procrastinate==3.10.0",), is_peer=True),
        Driver("river", go="river", is_peer=True),
        Driver("pgq", go="pgq", is_peer=True),
    )
}

SUBJECTS = {
    subject.id: subject
    for subject in (
        Subject("copy", "COPY", "floor", kind="copy", is_floor=True),
        Subject("unnest", "insert … unnest", "floor", kind="unnest", is_floor=True),
        Subject("insert", "one insert", "floor", kind="insert", is_floor=True),
        Subject("select", "select", "floor", kind="select", is_floor=True),
        Subject("fdatasync", "fdatasync", "floor", kind="fdatasync", is_floor=True),
        Subject("rows", "row model (Go)", "rows"),
        Subject("pgqrs-go", "pgqrs (Go)", "pgqrs-go"),
        Subject("pgqrs", "pgqrs (Python)", "pgqrs"),
        Subject(BEFORE, "pgqrs (Python), before", BEFORE),
        Subject("upstream", "pgqrs 0.15.3 (Rust)", "upstream"),
        Subject("awa", "awa", "awa"),
        Subject("pgqueuer", "pgqueuer", "pgqueuer"),
        Subject("procrastinate", "procrastinate", "procrastinate"),
        Subject("river", "River (Go)", "river"),
        Subject("pgq", "PgQ (from Go)", "pgq"),
    )
}

OURS = ("pgqrs-go", "pgqrs")
LOOPS = ("awa", "pgqueuer", "procrastinate", "river")
"""The peers that have a consuming loop which waits for messages."""
PEERS = ("upstream", *LOOPS)
