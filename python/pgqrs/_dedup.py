"""Dedup keys: what at most one message of a queue has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from . import _types
from ._errors import ValidationError


class ProducedId(int):
    """The id of a message that was produced with a dedup_key: an int that also knows
    whether the message is a new one."""

    deduplicated: bool
    """True: nothing was stored, because the message of this id has the key."""

    def __new__(cls, number: int, deduplicated: bool = False) -> ProducedId:
        made = super().__new__(cls, number)
        made.deduplicated = deduplicated
        return made

    def __reduce__(self) -> tuple[type[ProducedId], tuple[int, bool]]:
        return ProducedId, (int(self), self.deduplicated)


class Claims(NamedTuple):
    """The keys of a call, as the library takes them."""

    keys: Sequence[bytes]
    """One for each payload; empty where it has none."""
    dedup_us: int
    """How long they are taken; 0: as long as the messages live."""


def claim(dedup_key: str | None, dedup_seconds: float | None) -> Claims:
    """The key of one message, of which at least one of the two was given."""
    if dedup_key is None:
        raise _alone("dedup_key")
    return Claims([_types.dedup_key(dedup_key)], _types.dedup_us(dedup_seconds))


def claims(
    dedup_keys: Iterable[str | None] | None, dedup_seconds: float | None, count: int
) -> Claims:
    """The keys of a batch of that many messages."""
    if dedup_keys is None:
        raise _alone("dedup_keys")
    return Claims(_types.dedup_keys(dedup_keys, count), _types.dedup_us(dedup_seconds))


def _alone(without: str) -> ValidationError:
    return ValidationError(f"dedup_seconds says for how long a key is taken: pass {without} too")


def produced(numbers: Iterable[int]) -> list[ProducedId]:
    """The ids of a call with keys: negative where the key was taken."""
    return [ProducedId(abs(number), number < 0) for number in numbers]
