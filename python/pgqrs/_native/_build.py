"""Generates `_cffi.py`, what cffi must know of the C library, from `pgqrs.h`.

The header is the specification: the part of it between `<cdef>` and `</cdef>`
is parsed here, once, when the package is built. At run time there is no parser
and no compiler (cffi's out-of-line ABI mode). This module imports cffi alone
and nothing of pgqrs, so that it runs before the package can be imported:

    python _build.py capi/pgqrs.h python/pgqrs/_native/_cffi.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def declarations(header: str) -> str:
    """What stands between the marks of the header, as cffi's parser takes it."""
    marked = re.search(r"/\* <cdef>.*?\*/(.*)/\* </cdef> \*/", header, re.DOTALL)
    if marked is None:
        raise ValueError("the header has no part between <cdef> and </cdef>")
    # cffi takes `#define NAME -1`, but not C's safer `#define NAME (-1)`.
    return re.sub(r"^(#define +\w+ +)\((-\d+)\)", r"\1\2", marked[1], flags=re.MULTILINE)


def generate(header: Path, target: Path) -> None:
    """Writes the module `target`, which has one name, `ffi`."""
    from cffi import FFI

    ffi = FFI()
    ffi.set_source("_cffi", None)
    ffi.cdef(declarations(header.read_text(encoding="utf-8")))
    ffi.emit_python_code(str(target))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: _build.py HEADER TARGET")
    generate(Path(sys.argv[1]), Path(sys.argv[2]))
