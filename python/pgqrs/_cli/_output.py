"""Output: records and lists of them, as a table for people or as JSON for programs.

JSON is one object a line, a record alone too, so that a list of any length can be read,
and piped on, while it comes. It has every field, moments in UTC as ISO 8601 and durations
in seconds; a table has what is looked at most.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ._session import Session

NOTHING = "\u2013"
"""What a table shows where there is no value."""

NARROWEST = 12
"""How far a column of text may be squeezed: what does not fit is folded."""

PAYLOAD_CHARACTERS = 60
"""How much of a payload a table shows."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    title: str
    of: Callable[[Any], object]
    """The value of a record."""
    style: Callable[[Any], str] = lambda record: ""
    """How it looks, where there are colours."""


def print_record(session: Session, record: object) -> None:
    """Prints one record, its fields below each other."""
    if session.json:
        print_json(record)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _flat(plain(record)):
        table.add_row(name, Text(value if isinstance(value, str) else json_text(value)))
    _print(session.console(), table)


def print_list(session: Session, columns: Sequence[Column], records: Iterable[Any]) -> None:
    """Prints a list."""
    if session.json:
        for record in records:
            print_json(record)
        return
    console = session.console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [([column.of(record) for column in columns], record) for record in records]
    fitting = _fitting(columns, [values for values, _ in rows], console.width)
    for number, column in enumerate(columns[:fitting]):
        right = any(_is_number(values[number]) for values, _ in rows)
        table.add_column(
            column.title, justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    for values, record in rows:
        pairs = zip(columns[:fitting], values, strict=False)
        table.add_row(*(Text(shown(value), column.style(record)) for column, value in pairs))
    _print(console, table)


async def print_pages(
    session: Session, columns: Sequence[Column], records: AsyncIterable[Any]
) -> None:
    """Prints a list that comes in pages: as JSON each record when it is there."""
    if session.json:
        async for record in records:
            print_json(record)
        return
    print_list(session, columns, [record async for record in records])


def print_json(record: object) -> None:
    """Prints one object in one line."""
    click.echo(json_text(plain(record)))


def json_text(value: object) -> str:
    """The JSON of what plain() returns."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    return value


def shown(value: object) -> str:
    """A value in a cell."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Identifier):
        return str(int(value))
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, timedelta):
        return age(value.total_seconds())
    return str(value.value if isinstance(value, Enum) else value)


def age(seconds: float) -> str:
    """A duration, as short as it can be said."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s" if seconds else "0 s"


def payload(value: object) -> str:
    """The beginning of a payload, as JSON."""
    text = json_text(value)
    return text if len(text) <= PAYLOAD_CHARACTERS else text[: PAYLOAD_CHARACTERS - 1] + "…"


class Identifier(int):
    """A number that is a name: without separators."""


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[object]], width: int) -> int:
    """How many of the columns, from the left, are readable in this width."""
    left = width
    for number, column in enumerate(columns):
        values = [row[number] for row in rows]
        wanted = max([cell_len(column.title), *(cell_len(shown(value)) for value in values)])
        if not any(_is_number(value) for value in values):
            wanted = min(wanted, NARROWEST)
        left -= wanted + (2 if number else 0)
        if left < 0 and number:
            return number
    return len(columns)


def _print(console: Console, table: Table) -> None:
    with console.capture() as captured:
        console.print(table)
    text = captured.get()
    if not console.is_terminal:  # a table is as wide in each line
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    click.echo(text, nl=False, color=True)  # the console has decided about colours


def _flat(record: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict) and name == "settings":
            yield from _flat(value, f"{name}.")
        else:
            yield before + name, NOTHING if value is None else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | timedelta) and not isinstance(value, bool)
