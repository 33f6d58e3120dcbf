"""The C library, with Python types: the only place that knows cffi.

    _build      generates _cffi.py from pgqrs.h, when the package is built
    _library    loads libpgqrs and checks it; what a forked child gets instead
    _protocol   what this package gives to the rest: Protocols, no cffi
    _status     the constants of the header
    _store      implements the Protocols
    _batch      delivered messages in the memory of C

Nothing here knows asyncio, and nothing of the rest of pgqrs is imported. Any
thread may call anything, but only one may drain a store.
"""

from __future__ import annotations

from . import _status as status
from ._library import forked, load
from ._protocol import (
    Completion,
    Deliveries,
    Failure,
    Header,
    LibraryError,
    NativeBatch,
    NativeLibrary,
    NativeStore,
    StreamOptions,
)
from ._store import Library


def library() -> NativeLibrary:
    """The C library, loaded by the first call. LibraryError when it cannot be."""
    load()
    return Library()


__all__ = [
    "Completion",
    "Deliveries",
    "Failure",
    "Header",
    "LibraryError",
    "NativeBatch",
    "NativeLibrary",
    "NativeStore",
    "StreamOptions",
    "forked",
    "library",
    "status",
]
