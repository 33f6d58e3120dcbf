"""asyncpg: a Connection, or what a Pool gives out."""

from __future__ import annotations

from typing import Any, ClassVar

from .._errors import ValidationError
from ._call import Call, Style


class AsyncpgTransaction:
    """A transaction on an asyncpg connection."""

    blocks: ClassVar[bool] = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def check(self) -> None:
        if not self._connection.is_in_transaction():
            raise ValidationError(
                "tx is an asyncpg connection without a transaction, where each statement commits "
                "by itself: call this inside `async with connection.transaction():`"
            )

    async def run(self, call: Call) -> str:
        text: str = await self._connection.fetchval(call.sql(Style.NUMERIC), *call.arguments)
        return text
