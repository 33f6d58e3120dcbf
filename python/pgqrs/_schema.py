"""The schema: the part of Admin that installs, verifies and uninstalls the tables."""

from __future__ import annotations

import json
from collections.abc import Sequence

from . import _types
from ._asking import Asking
from ._errors import ConfigError
from ._link import open_link
from ._native import library

SHOWN = 20
"""How many differences the text of an error names."""


class SchemaAdmin(Asking):
    """The tables, as Admin has them."""

    async def install(self) -> None:
        """Makes the tables, or brings them to the version of this library; again, it
        does nothing. Connecting does so too, unless auto_install is off."""
        await self._request("schema_install")

    async def grant_roles(
        self,
        *,
        owner: str | None = None,
        producers: Sequence[str] = (),
        consumers: Sequence[str] = (),
        viewers: Sequence[str] = (),
    ) -> None:
        """Gives roles of the database, which exist, exactly the rights that their kind of
        work needs, all or nothing; what they had before on the tables of pgqrs they lose.
        docs/security.md says what each may do. For the user who owns the tables, or a
        superuser, and again after an upgrade. ConfigError: there is no such role, or not
        the right to do it."""
        if owner is not None:
            _types.text(owner, "owner")
        await self._request(
            "roles_grant",
            owner=owner,
            producers=_types.keys(producers, "producers"),
            consumers=_types.keys(consumers, "consumers"),
            viewers=_types.keys(viewers, "viewers"),
        )

    async def verify(self) -> None:
        """Returns when the tables, columns, indexes and functions are as this library
        made them; what others have added is not looked at. ConfigError names what is
        missing or different, and says so where nothing is installed. Installs nothing."""
        await self._connected(auto_install=False)
        differences = await self._request("schema_verify")
        if differences:
            more = len(differences) - SHOWN
            shown = differences[:SHOWN] + ([f"and {more} more"] if more > 0 else [])
            raise ConfigError("the schema is not as it should be: " + "; ".join(shown))

    async def uninstall(self) -> None:
        """Removes the tables with every queue and message, and nothing else; the schema
        itself stays. Stores that are connected are of no use afterwards."""
        await self._connected(auto_install=False)
        await self._request("schema_uninstall")


async def schema_sql(schema: str = "public", from_version: int = 0) -> str:
    """The SQL that makes the tables in a schema, or upgrades them from that version, in
    one transaction: for those who run such things themselves. Needs no database."""
    _types.text(schema, "schema")
    _types.integer(from_version, "from_version", 0, 2**31)
    link = await open_link(library(), json.dumps({"dsn": "memory://"}).encode())
    try:
        text: str = await link.request("schema_sql", schema=schema, from_version=from_version)
        return text
    finally:
        await link.close()
