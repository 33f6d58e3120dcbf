"""What the help says."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pgqrs._cli import cli

SYNOPSES = """
pgqrs archive list [OPTIONS] [QUEUE]
pgqrs archive replay [OPTIONS] MESSAGE_ID…
pgqrs consume [OPTIONS] QUEUE [-- COMMAND…]
pgqrs dlq replay [OPTIONS] [QUEUE]
pgqrs install [OPTIONS]
pgqrs message show [OPTIONS] MESSAGE_ID
pgqrs produce [OPTIONS] QUEUE [JSON|-]
pgqrs queue create [OPTIONS] NAME
pgqrs queue metrics [OPTIONS] [NAME]
pgqrs worker shutdown [OPTIONS] WORKER_ID
"""


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield " ".join([*path, name]), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def test_every_command_and_option_is_explained_in_lines_that_fit(pgqrs_nowhere):
    for name, command in commands(cli, "pgqrs"):
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "help":
                assert parameter.help, f"{name} {parameter.opts}"
        text = pgqrs_nowhere(*name.split()[1:], "--help")
        assert all(len(line) <= 80 for line in text.splitlines()), text


def test_the_synopses_are_these():
    context = click.Context(cli, info_name="pgqrs")
    found = [
        " ".join(command.get_usage(click.Context(command, context, name[6:])).split()[1:])
        for name, command in commands(cli, "pgqrs")
    ]
    assert set(SYNOPSES.strip().splitlines()) <= set(found)


def test_what_stands_nearest_to_the_end_counts(pgqrs_nowhere):
    text = pgqrs_nowhere(
        "--dsn", "nonsense://", "queue", "--dsn", "also://", "list", "--dsn", "memory://x"
    )
    assert text.split()[0] == "queue"
