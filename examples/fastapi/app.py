"""Takes orders over HTTP. An order, the message about it and the stock are committed
together, or nothing is.

    uvicorn app:app
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, PositiveInt
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import pgqrs
import shop


class Order(BaseModel):
    """What a customer sends."""

    item: str
    pieces: PositiveInt


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One engine and one store for as long as the application runs."""
    engine = shop.database()
    await shop.make_tables(engine)
    async with pgqrs.connect(shop.DSN) as store:
        app.state.engine, app.state.store = engine, store
        yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def open_session() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with AsyncSession(app.state.engine) as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]


@app.post("/orders", status_code=201)
async def place_order(order: Order, session: Session) -> dict[str, int]:
    """Write the order, and tell the workers; or refuse it, and nobody hears of it."""
    async with session.begin():
        left = await session.scalar(
            text("select pieces from stock where item = :item for update"), {"item": order.item}
        )
        if left is None:
            raise HTTPException(404, f"we do not sell {order.item}")
        order_id = await session.scalar(
            text("insert into orders (item, pieces) values (:item, :pieces) returning id"),
            order.model_dump(),
        )
        message_id = await pgqrs.produce(
            app.state.store, shop.QUEUE, {"order": order_id, "item": order.item}, tx=session
        )
        if left < order.pieces:
            raise HTTPException(409, f"only {left} left")  # rolls back, the message too
        await session.execute(
            text("update stock set pieces = pieces - :pieces where item = :item"),
            order.model_dump(),
        )
    return {"id": order_id, "message_id": message_id}


@app.get("/orders/{order_id}")
async def show_order(order_id: int, session: Session) -> dict[str, Any]:
    """An order, and who has packed it."""
    rows = await session.execute(
        text("select item, pieces, packed_by from orders where id = :id"), {"id": order_id}
    )
    order = rows.mappings().first()
    if order is None:
        raise HTTPException(404, f"there is no order {order_id}")
    return dict(order)
