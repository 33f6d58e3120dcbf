"""payload_type=: payloads that are dataclasses, structs and models. And
docs/typed-payloads.md, as it is printed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest
from fix_page import blocks, run

import pgqrs

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)


class Colour(Enum):
    RED = "red"


class Struct(msgspec.Struct, rename="camel"):
    first_name: str
    born: datetime


class Model(pydantic.BaseModel):
    number: int = pydantic.Field(alias="no")
    when: datetime


@dataclass
class Order:
    number: int
    ratio: float
    colour: Colour = Colour.RED
    ids: dict[int, UUID] = field(default_factory=dict)
    who: Struct | None = None
    model: Model | None = None


@pydantic.dataclasses.dataclass
class Checked:
    count: int


WHOLE = Order(2**70, 1e300, ids={1: UUID(int=7)}, who=Struct("ö", NOW), model=Model(no=1, when=NOW))
OBJECTS = [WHOLE, Order(-(2**64), -0.0), Struct("", NOW), Model(no=2**80, when=NOW), Checked(3)]


@pytest.mark.loops("plain")
async def test_what_went_in_comes_out(any_dsn):
    async with pgqrs.connect(any_dsn) as store:
        for number, made in enumerate(OBJECTS):
            queue = f"objects {number}"
            await pgqrs.produce(store, queue, made)
            await pgqrs.produce_batch(store, queue, [made, made])
            consumer = await store.consumer(queue, payload_type=type(made))
            messages = await consumer.dequeue(10)
            assert [message.payload for message in messages] == [made] * 3
            assert messages[0].payload is messages[0].payload
            for message in messages:  # -0.0 too
                assert str(getattr(message.payload, "ratio", "")) == str(getattr(made, "ratio", ""))
        await pgqrs.produce(store, "nested", {"all": [WHOLE, OBJECTS[2]]})
        plain = await (await store.consumer("nested")).dequeue()
        assert plain[0].payload["all"][0]["number"] == 2**70
        assert plain[0].payload["all"][1] == {
            "firstName": "",
            "born": "2026-01-02T03:04:05.678901Z",
        }


@pytest.mark.loops("plain")
async def test_a_payload_that_does_not_fit_goes_to_no_handler(any_dsn, caplog):
    caplog.set_level(logging.ERROR, "pgqrs")
    seen: list[Any] = []

    async def one(msg: pgqrs.Message[Struct]) -> None:
        seen.append(msg.payload)

    async def many(messages: list[pgqrs.Message[Struct]]) -> None:
        seen.append([msg.payload for msg in messages])

    fits = {"firstName": "a", "born": "2026-01-02T03:04:05.678901Z"}
    async with pgqrs.connect(any_dsn, max_read_ct=1) as store:
        ids = await pgqrs.produce_batch(store, "tasks", [fits, {"firstName": 5}, fits])
        await pgqrs.consume(store, "tasks", one, payload_type=Struct, until_empty=True)
        assert seen == [Struct("a", datetime.fromisoformat("2026-01-02T03:04:05.678901+00:00"))] * 2
        (dead,) = await pgqrs.admin(store).dlq("tasks")
        assert dead.id == ids[1]
        assert "does not fit Struct: Expected `str`, got `int` - at `$.firstName`" in dead.error
        assert "goes to no handler" in caplog.text
        seen.clear()
        await pgqrs.produce_batch(store, "tasks", [[], fits, "x", fits])
        await pgqrs.consume_batch(store, "tasks", 10, many, payload_type=Struct, until_empty=True)
        assert [len(batch) for batch in seen] == [2]
        assert len(await pgqrs.admin(store).dlq("tasks")) == 3


@pytest.mark.loops("plain")
async def test_reading_a_payload_that_does_not_fit_is_an_error(memory_dsn):
    async with pgqrs.connect(memory_dsn) as store:
        for kind in (Order, Struct, Model, Checked, list[Order]):
            await pgqrs.produce(store, "tasks", {"number": "x"})
            async for message in pgqrs.consume_iter(store, "tasks", payload_type=kind):
                for _ in range(2):
                    with pytest.raises(pgqrs.SerializationError, match="does not fit"):
                        message.payload  # noqa: B018
                assert await message.delete()
                break
        with pytest.raises(pgqrs.ValidationError, match="payload_type must be"):
            pgqrs.consume_iter(store, "tasks", payload_type=5)
        with pytest.raises(pgqrs.ValidationError, match="payload_type must be"):
            await pgqrs.consume(store, "tasks", print, payload_type=5, until_empty=True)


@pytest.mark.loops("plain")
async def test_only_three_kinds_of_objects_are_payloads(memory_dsn):
    class Other:
        number = 1

    refused = [Other(), Order, NOW, {1, 2}, {"when": NOW}, Order(1, float("nan"))]
    async with pgqrs.connect(memory_dsn) as store:
        for payload in [*refused, Order("\ud800", 1), Order(1, 1, who=Other())]:
            with pytest.raises(pgqrs.SerializationError):
                await pgqrs.produce(store, "tasks", payload)


@pytest.mark.loops("plain")
async def test_the_page_does_what_it_says(memory_dsn, capsys):
    async with pgqrs.connect(memory_dsn) as store:
        for snippet in blocks("typed-payloads.md", "python"):
            await run(snippet, {"pgqrs": pgqrs, "store": store})
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("7 20")
    assert second == "21.5"
    assert "does not fit Reading: Expected `float`, got `str` - at `$.celsius`" in third
