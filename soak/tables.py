"""What the tables hold when a run is over. Reads with psycopg, not with pgqrs."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies: one set of pgqrs_spans or pgqrs_done that has its id."""

    outcome: str  # "live", "archived" or "dead"
    lease: int
    read_ct: int


@dataclass(slots=True)
class Tables:
    """The messages of a run: the log by id, and the sets that have each id."""

    logged: dict[int, str] = field(default_factory=dict)  # id: key of its payload
    places: dict[int, list[Place]] = field(default_factory=dict)

    def put(self, message: int, key: str, *places: Place) -> None:
        """Notes a message of the log."""
        self.logged[message] = key
        self.places.setdefault(message, []).extend(places)


_SETS = """
select i, outcome, lease, read_ct from (
    select 'live' as outcome, lease, read_ct, ids from pgqrs_spans
    union all
    select outcome, lease, read_ct, ids from pgqrs_done
) sets, unnest(ids) r, generate_series(lower(r), upper(r) - 1) i
"""


def read_tables(dsn: str) -> Tables:
    """Reads all, in one snapshot."""
    tables = Tables()
    with psycopg.connect(dsn) as connection:
        connection.execute("set transaction isolation level repeatable read")
        for message, key in connection.execute("select id, payload->>'key' from pgqrs_log"):
            tables.logged[message] = key
        for message, outcome, lease, read_ct in connection.execute(_SETS):
            tables.places.setdefault(message, []).append(Place(outcome, lease, read_ct))
    return tables


def live(dsn: str) -> int:
    """How many messages have not ended."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select coalesce(sum(n), 0)::bigint from pgqrs_spans").fetchone()
        assert row is not None
        return int(row[0])
