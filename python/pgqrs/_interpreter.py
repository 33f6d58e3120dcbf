"""What the interpreter must be like. check() is called before anything else is imported.

Our own code is Python, but cffi and msgspec are extensions in C, which most kinds of
subinterpreters refuse to load or cannot share with the main one."""

from __future__ import annotations

import sys
import warnings

SUBINTERPRETER = (
    "pgqrs cannot be used in this subinterpreter, because extensions in C that it needs cannot be "
    "loaded there ({}): use it in the main interpreter, in threads with an event loop each, or in "
    "processes of their own"
)

FREE_THREADED = (
    "pgqrs on a free-threaded build of Python: a Store, and all that came from it, may be used in "
    "the thread of its event loop alone, as everywhere; several threads with a store each are "
    "supported, but tested with the GIL only"
)


def check() -> None:
    """ImportError in a subinterpreter that cannot have the extensions; a RuntimeWarning
    that says what is supported in a free-threaded build."""
    try:
        import _cffi_backend  # noqa: F401

        if in_subinterpreter():  # elsewhere the first connect() does it, for it takes long
            import msgspec  # noqa: F401
    except ImportError as error:
        if in_subinterpreter():
            raise ImportError(SUBINTERPRETER.format(error)) from error
        raise
    if "free-threading build" in sys.version:  # so says its documentation
        warnings.warn(FREE_THREADED, RuntimeWarning, stacklevel=3)


def in_subinterpreter() -> bool:
    """Whether this is not the main interpreter of the process."""
    try:
        # Since Python 3.13.
        import _interpreters as interpreters  # pyright: ignore[reportMissingImports]
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            return False  # this Python knows of none
    return bool(interpreters.get_current() != interpreters.get_main())
