"""Errors and reprs say pgqrs.Message, where users find it, and not pgqrs._message.Message,
where it is made."""

from __future__ import annotations

from collections.abc import Iterable


def move(package: str, objects: Iterable[object]) -> None:
    """Says of each class and function that was made inside of the package that it is the
    package's own."""
    for each in objects:
        if getattr(each, "__module__", "").startswith(f"{package}."):
            each.__module__ = package
