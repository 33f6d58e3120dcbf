"""The blocking API: the loop behind it is there before the first test, and stays."""

from __future__ import annotations

import pytest

import pgqrs.sync


@pytest.fixture(scope="session")
def warm_loop(warm_library: None) -> None:
    with pgqrs.sync.connect("memory://warm-sync"):
        pass


@pytest.fixture(autouse=True)
def _clean(warm_loop: None, nothing_is_left: None) -> None:
    """After each test of this folder nothing is left."""
