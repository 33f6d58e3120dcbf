"""Loads libpgqrs, at the first connect and never at import, and never unloads it.

A process that has merely imported pgqrs may fork: there is no Go runtime in it
yet. After the load a forked child has the library's memory but none of its
threads, so there every call is refused at once (see forked_library).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from . import _status
from ._cffi import ffi
from ._protocol import LibraryError

if TYPE_CHECKING:
    from pathlib import Path

NAME = {"darwin": "libpgqrs.dylib", "win32": "pgqrs.dll"}.get(sys.platform, "libpgqrs.so")

FUNCTIONS = (
    "abi_version",
    "admit",
    "archive",
    "batch_free",
    "cancel",
    "close",
    "completion_fd",
    "connect",
    "consume_iter",
    "credit",
    "delete",
    "dequeue",
    "detach",
    "drain",
    "extend_vt",
    "free",
    "last_error",
    "log",
    "produce",
    "produce_array",
    "produce_batch",
    "produce_keyed",
    "register",
    "release",
    "request",
    "store_free",
    "stream_close",
    "version",
    "wait",
)
"""What the header declares, without pgqrs_ (a test compares them)."""

FORKED_TEXT = (
    "this process was forked from one that had connected with pgqrs, and the library does not "
    "survive a fork: connect after the fork, in the child alone, or start processes by spawn or "
    "exec (multiprocessing.set_start_method('spawn'))"
)

lib: Any = None
"""The loaded library. Other modules read it here at each call, because a forked
child gets another one."""


def load(path: Path | None = None) -> None:
    """Loads and checks the library, once. LibraryError says what is wrong."""
    global lib
    if lib is not None:
        return
    from pathlib import Path

    path = path or Path(__file__).with_name(NAME)
    if not path.exists():
        raise LibraryError(
            f"the C library of pgqrs is missing ({path}): install a wheel of pgqrs, or build it "
            "with `pip install .` in a clone, which needs Go and a C compiler"
        )
    try:
        loaded = ffi.dlopen(str(path))
    except OSError as error:
        raise LibraryError(f"the C library of pgqrs cannot be loaded: {error}") from error
    check(loaded, path)
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=_leave)
    lib = loaded


def check(loaded: Any, path: Path) -> None:
    """Raises LibraryError when a symbol is missing or the version differs."""
    missing = [name for name in FUNCTIONS if not hasattr(loaded, f"pgqrs_{name}")]
    if missing:
        raise LibraryError(f"{path} has no pgqrs_{', pgqrs_'.join(missing)}: install pgqrs anew")
    found = loaded.pgqrs_abi_version()
    if found != _status.ABI_VERSION:
        raise LibraryError(
            f"{path} has version {found} of the C interface, and this package needs version "
            f"{_status.ABI_VERSION}: install pgqrs anew"
        )


def forked() -> bool:
    """Whether this process is a forked child of one that had loaded the library."""
    return isinstance(lib, ForkedLibrary)


class ForkedLibrary:
    """Stands for the library in a forked child: refuses like the library would,
    but without entering it, and frees nothing, for the memory is a copy."""

    _text = ffi.new("char[]", FORKED_TEXT.encode())

    def __getattr__(self, name: str) -> Any:
        if name == "pgqrs_last_error":
            return lambda: self._text
        if name.endswith("free"):
            return lambda *_arguments: None
        return lambda *_arguments: _status.FORKED


def _leave() -> None:
    global lib
    lib = ForkedLibrary()
