"""What callers may pass, and what they are told when it is wrong."""

from __future__ import annotations

import pytest

import pgqrs
from pgqrs import _types

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        "5",
        None,
        [1],
        1j,
        NAN,
        INFINITY,
        -INFINITY,
        -0.001,
        pytest.param(10**400, id="huge"),
    ],
)
def test_a_delay_that_is_not_a_duration_is_a_validation_error(value):
    with pytest.raises(pgqrs.ValidationError, match="delay_seconds"):
        _types.delay_us(value)


@pytest.mark.parametrize(
    ("value", "microseconds"),
    [
        (0, 0),
        (0.0, 0),
        (1, 1_000_000),
        (0.1, 100_000),
        (1e-6, 1),
        (3650 * 86400, 3650 * 86400 * 10**6),
    ],
)
def test_a_delay_is_given_in_seconds_up_to_ten_years(value, microseconds):
    assert _types.delay_us(value) == microseconds


@pytest.mark.parametrize("value", [0, 0.09, 604801, True, NAN, "30"])
def test_a_vt_is_between_a_tenth_of_a_second_and_seven_days(value):
    with pytest.raises(pgqrs.ValidationError, match="vt"):
        _types.vt_us(value)
    assert _types.vt_us(0.1) == 100_000
    assert _types.vt_us(604800) == 604_800_000_000
    assert _types.vt_us(None) == 0


@pytest.mark.parametrize("value", [0, -1, 10001, True, 1.0, "1", pytest.param(10**5000, id="huge")])
def test_a_batch_size_is_an_int_from_1_to_10000(value):
    with pytest.raises(pgqrs.ValidationError, match="batch_size"):
        _types.batch_size(value)
    assert [_types.batch_size(n) for n in (None, 1, 10000)] == [0, 1, 10000]


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", "a\ud800b", b"bytes", None, 5])
def test_the_name_of_a_queue_has_1_to_255_characters_and_no_nul(name):
    with pytest.raises(pgqrs.ValidationError, match="the name of a queue"):
        _types.queue_name(name)


@pytest.mark.parametrize(
    "name", ["x", "ö" * 255, "🐘" * 255, "'; drop table x; --", " ", "\n", "%s"]
)
def test_any_other_name_of_a_queue_will_do(name):
    assert _types.queue_name(name).decode() == name


@pytest.mark.parametrize("ids", [5, "12", b"12", {1: 2}, [1.5], [True], ["1"], [2**63], None])
def test_ids_are_an_iterable_of_int(ids):
    with pytest.raises(pgqrs.ValidationError, match="id"):
        _types.message_ids(ids)


def test_ids_may_come_from_a_generator():
    assert list(_types.message_ids(i for i in (3, 1, 2))) == [3, 1, 2]
