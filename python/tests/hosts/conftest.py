import pytest


@pytest.fixture(autouse=True)
def _clean(nothing_is_left: None) -> None:
    """After each test of this folder nothing is left."""
