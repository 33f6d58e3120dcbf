"""Session: what the options say that every command has, and connecting with them."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from .._api import Connecting, connect_with
from .._config import Config
from .._errors import ConfigError

UNLIMITED = 100_000
"""The width of a table that goes into a pipe or a file: nothing of it is cut."""


class Session:
    """One run of the command line."""

    def __init__(self) -> None:
        self.dsn: str | None = None
        self.schema: str | None = None
        self.format = "table"
        self.yes = False

    @property
    def json(self) -> bool:
        """Whether programs read what is printed."""
        return self.format == "json"

    def config(self, *, install: bool = False) -> Config:
        """The options of the command line, else those of the environment. Only with
        install does connecting make the tables: a command that looks must not leave
        tables in a database that was named by mistake."""
        try:
            return Config.load(
                dsn=self.dsn, schema=self.schema, auto_install=None if install else False
            )
        except ConfigError as error:
            text = str(error).replace("give connect() a DSN", "give --dsn")
            raise click.UsageError(text) from error

    def connect(self, *, install: bool = False) -> Connecting:
        """The store, for `async with`."""
        return connect_with(self.config(install=install))

    def console(self) -> Console:
        """Standard output, coloured where it is a terminal."""
        return Console(
            file=sys.stdout,
            highlight=False,
            soft_wrap=False,
            width=None if sys.stdout.isatty() else UNLIMITED,
        )

    def say(self, text: str) -> None:
        """A sentence about what was done, for people: on standard error where standard
        output is for programs."""
        click.echo(text, err=self.json)


pass_session = click.make_pass_decorator(Session, ensure=True)
"""Gives a command the session as its first argument."""
