"""The tables: install, verify, uninstall, migrate."""

from __future__ import annotations

from typing import Any

import click

from .._admin import Admin
from .._errors import PgqrsError
from .._schema import schema_sql
from .._store import Store
from ._command import Command, Group
from ._confirm import confirm
from ._output import print_record
from ._session import Session, pass_session


@click.command(cls=Command)
@click.option("--print-sql", is_flag=True, help="Print the SQL instead, and connect to nothing.")
@click.option(
    "--from-version", type=click.IntRange(0), help="With --print-sql: upgrade from that version."
)
@click.option(
    "--roles",
    multiple=True,
    metavar="KIND=ROLE",
    help="Give a role the rights of an owner, producer, consumer or viewer, and no more.",
)
@pass_session
async def install(
    session: Session, print_sql: bool, from_version: int | None, roles: tuple[str, ...]
) -> None:
    """Make the tables, or bring them to this version.

    --roles can be given many times. The roles exist already; what they had before on these
    tables they lose, so name all of them, and again after an upgrade.
    """
    wanted = _roles(roles)
    if from_version is not None and not print_sql:
        raise click.UsageError("--from-version goes with --print-sql")
    if print_sql:
        click.echo(await schema_sql(session.schema or "public", from_version or 0))
        return
    async with session.connect(install=True) as store:
        await Admin(store).install()
        if roles:
            await Admin(store).grant_roles(**wanted)
        stats = await Admin(store).system_stats()
    session.say(f"installed, version {stats.schema_version}")


def _roles(given: tuple[str, ...]) -> dict[str, Any]:
    """Roles as Admin.grant_roles() takes them."""
    roles: dict[str, Any] = {}
    for text in given:
        kind, equals, role = text.partition("=")
        if not equals or not role or kind not in ("owner", "producer", "consumer", "viewer"):
            raise click.UsageError(
                f"--roles {text!r}: write owner=ROLE, producer=ROLE, consumer=ROLE or viewer=ROLE"
            )
        if kind == "owner" and "owner" in roles:
            raise click.UsageError("--roles: there is one owner")
        if kind == "owner":
            roles[kind] = role
        else:
            roles.setdefault(f"{kind}s", []).append(role)
    return roles


@click.command(cls=Command)
@pass_session
async def verify(session: Session) -> None:
    """Check that the tables are as this version made them."""
    async with session.connect() as store:
        await Admin(store).verify()
    session.say("the tables are as they should be")


@click.command(cls=Command)
@pass_session
async def uninstall(session: Session) -> None:
    """Remove the tables with every queue and message."""
    async with session.connect() as store:
        confirm(session, f"remove {await _all_there_is(store)}")
        await Admin(store).uninstall()
    session.say("uninstalled")


async def _all_there_is(store: Store) -> str:
    schema = store.config.schema
    try:
        stats = await Admin(store).system_stats()
    except PgqrsError:  # what is damaged can be removed too
        return f"every queue and message of schema {schema!r}"
    done = stats.archived + stats.dead
    return (
        f"{stats.queues:,} queues with {stats.depth:,} live and {done:,} done messages from "
        f"schema {schema!r}"
    )


@click.group(cls=Group)
def migrate() -> None:
    """The version of the tables."""


@migrate.command()
@pass_session
async def status(session: Session) -> None:
    """Say which version of the tables is installed."""
    async with session.connect() as store:
        stats = await Admin(store).system_stats()
    print_record(session, {"schema": store.config.schema, "version": stats.schema_version})


COMMANDS = (install, verify, uninstall, migrate)
