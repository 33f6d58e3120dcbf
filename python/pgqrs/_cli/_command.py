"""The kinds of command: each takes the options that all have, before or behind its own
name, and may be a coroutine function."""

from __future__ import annotations

import inspect
from typing import Any

import click

from ._run import exit_statuses, run
from ._session import Session


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and value is not False:
        assert parameter.name is not None
        setattr(context.ensure_object(Session), parameter.name, value)


def _shared() -> list[click.Parameter]:
    """The options of all commands. What is given last, nearest to the end, counts."""
    keep: dict[str, Any] = {"callback": _keep, "expose_value": False, "is_eager": True}
    return [
        click.Option(
            ["--dsn"],
            metavar="DSN",
            help="Where the queues are; else PGQRS_DSN, which keeps passwords out of `ps`.",
            **keep,
        ),
        click.Option(
            ["--schema"],
            metavar="NAME",
            help="The schema of the tables; else PGQRS_SCHEMA, else public.",
            **keep,
        ),
        click.Option(
            ["--format"],
            type=click.Choice(["table", "json"]),
            help="How to print: a table, or JSON, one object a line.",
            **keep,
        ),
        click.Option(["--yes", "-y"], is_flag=True, help="Ask nothing.", **keep),
    ]


class Command(click.Command):
    """A command; where its function is a coroutine function, in an event loop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += _shared()

    def invoke(self, ctx: click.Context) -> Any:
        result = super().invoke(ctx)
        return run(result) if inspect.iscoroutine(result) else result


class Group(click.Group):
    """Commands under one noun."""

    command_class = Command

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += _shared()


class Root(Group):
    """The command line as a whole: where what went wrong becomes an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        with exit_statuses():
            return super().invoke(ctx)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pgqrs", prog_name="pgqrs", message="%(prog)s %(version)s")
def cli() -> None:
    """A job queue on PostgreSQL.

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 ended by Ctrl-C.
    """
