"""Calls of the SQL functions that work inside a transaction of the caller.

Every argument crosses as text and is cast by the server, and so does the result:
no codec, adapter or type decorator that a program has set for its own values has
a say. Names of pg_catalog stand in full, since the search_path is the caller's.
Nothing is ever written into a statement but the name of the schema.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache


class Style(Enum):
    """How a driver writes parameters."""

    NUMERIC = "$1"
    FORMAT = "%s"


def _cast(kind: str) -> str:
    return f"cast(cast(? as pg_catalog.text) as pg_catalog.{kind})"


_TEXT = "cast(? as pg_catalog.text)"
# An element keeps its text to the byte.
_PAYLOADS = f"array(select e.value from pg_catalog.json_array_elements({_cast('json')}) e)"
# null stays null: a message without a key.
_KEYS = f"array(select e.value from pg_catalog.json_array_elements_text({_cast('json')}) e)"

FUNCTIONS = {
    "produce": (
        "pgqrs_produce_tx",
        (_cast("uuid"), _TEXT, _PAYLOADS, _cast("int8"), _cast("int8"), _cast("bool")),
    ),
    "produce_keyed": (
        "pgqrs_produce_keyed_tx",
        (
            *(_cast("uuid"), _TEXT, _PAYLOADS, _KEYS),
            *(_cast("int8"), _cast("int8"), _cast("int8"), _cast("bool")),
        ),
    ),
    "archive": ("pgqrs_archive_tx", (_cast("uuid"), _cast("int8"), _cast("_int8"), _cast("_int8"))),
    "delete": ("pgqrs_delete_tx", (_cast("uuid"), _cast("int8"), _cast("_int8"), _cast("_int8"))),
}


class Call:
    """One call: a function of FUNCTIONS in a schema, and its arguments."""

    __slots__ = ("_name", "_schema", "arguments")

    def __init__(self, name: str, schema: str, *arguments: str) -> None:
        self._name = name
        self._schema = schema
        self.arguments = arguments

    def sql(self, style: Style) -> str:
        """The statement; `arguments` are its parameters."""
        return _statement(self._name, self._schema, style)


@lru_cache(maxsize=64)
def _statement(name: str, schema: str, style: Style) -> str:
    function, arguments = FUNCTIONS[name]
    quoted = '"' + schema.replace('"', '""') + '"'
    if style is Style.FORMAT:
        quoted = quoted.replace("%", "%%")
    marks = [
        argument.replace("?", f"${number}" if style is Style.NUMERIC else "%s")
        for number, argument in enumerate(arguments, 1)
    ]
    return f"select cast({quoted}.{function}({', '.join(marks)}) as pg_catalog.text)"


def array(numbers: list[int]) -> str:
    """An array of numbers as the server reads it."""
    return "{" + ",".join(map(str, numbers)) + "}"


def numbers(text: str) -> list[int]:
    """The numbers of an array as the server writes it."""
    inside = text[1:-1]
    return [int(number) for number in inside.split(",")] if inside else []
