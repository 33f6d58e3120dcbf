"""Django: django.db.connection, or one of django.db.connections.

Django's connections belong to threads, and django.db.connection is another one in
each. asgiref, which Django brings, knows the thread that a coroutine was called
for by async_to_sync, and runs there what sync_to_async is given. One that was taken
out of django.db.connections in its thread is what it is in any other.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .._errors import ValidationError
from .._threads import caller, in_thread
from ._call import Call, Style


class DjangoTransaction:
    """The transaction (atomic block) of a Django connection."""

    blocks: ClassVar[bool] = True

    def __init__(self, connection: Any, is_proxy: bool) -> None:
        self._connection = connection
        self._is_proxy = is_proxy

    async def check(self) -> None:
        await self._call(self._check)

    async def run(self, call: Call) -> str:
        text: str = await self._call(self._run, call)
        return text

    async def _call(self, function: Any, *arguments: object) -> Any:
        if not self._is_proxy or caller.get() is not None:
            # Its own thread may be the one that waits for us, and runs this.
            return await in_thread(self._shared, function, *arguments)
        from asgiref.sync import sync_to_async

        return await sync_to_async(function, thread_sensitive=True)(*arguments)

    def _shared(self, function: Any, *arguments: object) -> Any:
        """In a thread that may not be the connection's, which waits meanwhile."""
        self._connection.inc_thread_sharing()
        try:
            return function(*arguments)
        finally:
            self._connection.dec_thread_sharing()

    def _check(self) -> None:
        connection = self._connection
        if connection.vendor != "postgresql":
            raise ValidationError(
                f"tx is a Django connection to {connection.vendor}: it must lead to the PostgreSQL "
                "database of the store"
            )
        if not connection.in_atomic_block and connection.get_autocommit():
            raise ValidationError(
                "tx is a Django connection without a transaction, where each statement commits by "
                "itself: call this inside `with transaction.atomic():`, by async_to_sync; or pass "
                "django.db.connections['default'], taken in the thread of the transaction"
            )

    def _run(self, call: Call) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute(call.sql(Style.FORMAT), call.arguments)
            text: str = cursor.fetchone()[0]
        return text
