"""Packs orders, until Ctrl-C or SIGTERM.

python worker.py
"""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import pgqrs
import shop


async def main() -> None:
    """Consume the queue of the shop."""
    engine = shop.database()
    await shop.make_tables(engine)

    async def pack(message: pgqrs.Message) -> None:
        order = message.payload["order"]
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(
                text("update orders set packed_by = 'python' where id = :id"), {"id": order}
            )
            # With what is written, so that an order is packed once, however often its
            # message is delivered.
            if not await message.archive(tx=session):
                raise RuntimeError("somebody else has this message by now")  # rolls back
        print(f"packed order {order}", flush=True)

    async with pgqrs.connect(shop.DSN) as store:
        await pgqrs.consume(store, shop.QUEUE, pack, concurrency=4, handle_signals=True)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
