"""The folder of one embedded server: its locks, its data, its start and its end.

    FOLDER/data          the PostgreSQL cluster        FOLDER/log   the server's log
    FOLDER/start.lock    held while the server is started or stopped
    FOLDER/users.lock    held shared by every process that uses the server
    FOLDER/keeper.lock   held by the keeper
    FOLDER/programs      the server's programs, when its user cannot reach ours

The locks are POSIX record locks: the kernel drops them when a process dies in
whatever way, and a forked child does not inherit them. They belong to a process,
not to a descriptor, and closing any descriptor of the file drops them: open
users.lock once per process and folder. So `__init__` counts the stores.

The keeper is a small process beside the server: this module, run as a script
under `python -I -S`, so it imports the standard library alone. It waits for
users.lock, which it gets when no process uses the server any more, and stops it.
It is needed where the last user was killed; a user that leaves in good order
stops the server itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_TIMEOUT_SECONDS = 60  # a recovery after a crash included
STOP_TIMEOUT_SECONDS = 60
OUR_NAMES = re.compile(r"data|log|programs|(start|users|keeper)\.lock|half\..*|\.s\.PGSQL\..*")


class FolderError(Exception):
    """The folder cannot be used, and why, in one sentence."""


class Folder:
    """One folder, used by this process or kept by the keeper. Not thread-safe."""

    def __init__(self, path: Path, bin: Path) -> None:
        self.path = path
        self.bin = bin
        self._users: int | None = None

    def join(self) -> None:
        """Become a user of the server, which is started when it does not run."""
        self._prepare()
        self._make_locks()
        with self._locked("start.lock"):
            self.bin = self._reachable_programs()
            self._users = self._open("users.lock")
            try:
                fcntl.lockf(self._users, fcntl.LOCK_SH)
                self._start_keeper()
                self._start_server()
            except BaseException:
                self._close_users()
                raise

    def leave(self) -> None:
        """Stop being a user; the last one stops the server and waits for its end."""
        assert self._users is not None
        try:
            # No lock file: the folder was removed, and the server ends by itself.
            with contextlib.suppress(FileNotFoundError), self._locked("start.lock"):
                if _try_lock(self._users):
                    self._stop_server()
        finally:
            self._close_users()

    def keep(self) -> None:
        """Wait until no process uses the server, stop it, and return: the keeper."""
        keeper = self._open("keeper.lock")
        if not _try_lock(keeper):
            return  # there is one already
        while True:
            users = self._open("users.lock")
            fcntl.lockf(users, fcntl.LOCK_EX)
            os.close(users)  # start.lock comes first: look again under it
            with self._locked("start.lock"):
                users = self._open("users.lock")
                unused = _try_lock(users)
                if unused:
                    self._stop_server()
                    # Before start.lock: who starts the server next must see no keeper.
                    os.close(keeper)
                os.close(users)
            if unused:
                return

    def socket_folder(self) -> Path:
        """Where the running server has its socket."""
        return Path((self._data / "postmaster.pid").read_text().splitlines()[4])

    # The folder.

    @property
    def _data(self) -> Path:
        return self.path / "data"

    def _prepare(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            foreign = [name for name in os.listdir(self.path) if not OUR_NAMES.fullmatch(name)]
            if foreign:
                raise FolderError(
                    f"{self.path} holds other files ({foreign[0]}); the embedded server "
                    "needs a folder of its own"
                )
        owner = _server_user()
        if owner is None:
            return
        for parent in self.path.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise FolderError(
                    f"PostgreSQL refuses to run as root, and its user {owner.pw_name} cannot reach "
                    f"{self.path}, since {parent} is closed to other users; choose another folder, "
                    "such as one in /var/lib"
                )
        os.chown(self.path, owner.pw_uid, owner.pw_gid)

    def _make_locks(self) -> None:
        """Make the lock files, which nothing but join does: the keeper must not put
        them back into a folder that somebody removes once the server has stopped."""
        for name in ("start.lock", "users.lock", "keeper.lock"):
            (self.path / name).touch(mode=0o600)

    def _open(self, name: str) -> int:
        return os.open(self.path / name, os.O_RDWR | os.O_CLOEXEC)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        descriptor = self._open(name)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _close_users(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _reachable_programs(self) -> Path:
        """The programs, or a copy of them where a folder above is closed to the server's user."""
        if _server_user() is None or _open_to_others(self.bin):
            return self.bin
        install = self.bin.parent
        package = install.parent
        copy = self.path / "programs" / package.name
        if not copy.exists():
            # The programs find the libraries that the wheel brings along beside it.
            libraries = package.with_name(package.name + ".libs")
            with tempfile.TemporaryDirectory(prefix="half.", dir=self.path) as half:
                os.chmod(half, 0o755)
                shutil.copytree(install, Path(half) / package.name / install.name, symlinks=True)
                if libraries.exists():
                    shutil.copytree(libraries, Path(half) / libraries.name)
                shutil.rmtree(copy.parent, ignore_errors=True)
                os.mkdir(copy.parent)
                for part in os.listdir(half):
                    os.rename(Path(half) / part, copy.parent / part)
        return copy / install.name / self.bin.name

    # The server.

    def _start_keeper(self) -> None:
        keeper = self._open("keeper.lock")
        needed = _try_lock(keeper)
        os.close(keeper)
        if needed:
            status = subprocess.run(
                [sys.executable, "-I", "-S", __file__, str(self.path), str(self.bin)],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ).returncode
            if status != 0:
                raise RuntimeError(
                    f"the keeper of {self.path} did not start: {sys.executable} is no Python"
                )

    def _start_server(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        if self._data.joinpath("postmaster.pid").exists():
            if self._answers():
                return
            self._remove_stale_locks()
        # pg_ctl puts its arguments into a shell's line unquoted, so the folder's name, which
        # may hold anything, is not among them: it is the working folder.
        sockets = self._new_socket_folder()
        options = ["-p", "5432", "-N", "200", "-c", "listen_addresses=", "-k", str(sockets)]
        status, output = self._run(
            "pg_ctl", "-D", "data", "-l", "log", "-o", shlex.join(options),
            "-w", "-t", str(START_TIMEOUT_SECONDS), "start",
        )  # fmt: skip
        if status != 0:
            self._remove_socket_folder(sockets)
            log = self.path / "log"
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(
                f"the embedded server in {self.path} did not start: {output}\n{tail}"
            )

    def _initialise(self) -> None:
        """Make the cluster, whole or not at all."""
        for half in self.path.glob("half.*"):
            shutil.rmtree(half, ignore_errors=True)
        half = Path(tempfile.mkdtemp(prefix="half.", dir=self.path))
        _give_to_server_user(half)
        status, output = self._run(
            "initdb",
            "-D",
            str(half),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-locale",
            "--encoding=UTF8",
        )
        if status != 0:
            shutil.rmtree(half, ignore_errors=True)
            raise RuntimeError(f"initdb failed in {self.path}: {output}")
        os.rename(half, self._data)

    def _answers(self) -> bool:
        """Whether the server runs; waits for one that is still starting or stopping."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                where = str(self.socket_folder())
            except (OSError, IndexError):
                return False
            status, _ = self._run("pg_isready", "-h", where, "-p", "5432", "-t", "5")
            if status == 0:
                return True
            if status != 1 or time.monotonic() > deadline:  # 1: it rejects connections just now
                return False
            time.sleep(0.05)

    def _remove_stale_locks(self) -> None:
        """Remove the lock files of a server that is dead, as PostgreSQL itself cannot know.

        After the restart of a container process numbers begin anew, and PostgreSQL would
        take whichever process has the number now for the old server. A zombie, which
        stays where process 1 of a container reaps none, it takes for a server too.
        """
        for file in (self._data / "postmaster.pid", self.path / ".s.PGSQL.5432.lock"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                if not _is_postgres(int(file.read_text().split()[0])):
                    file.unlink()

    def _new_socket_folder(self) -> Path:
        """The folder itself, or a temporary one where its name is too long or odd for a socket."""
        socket = self.path / ".s.PGSQL.5432"
        if len(os.fsencode(socket)) <= 100 and re.fullmatch(r"[\w./+-]+", str(socket), re.ASCII):
            return self.path
        other = Path(tempfile.mkdtemp(prefix="pgqrs-", dir="/tmp"))
        _give_to_server_user(other)
        return other

    def _remove_socket_folder(self, sockets: Path) -> None:
        if sockets != self.path and sockets.name.startswith("pgqrs-"):
            shutil.rmtree(sockets, ignore_errors=True)

    def _stop_server(self) -> None:
        try:
            sockets = self.socket_folder()
        except (OSError, IndexError):
            return  # it does not run
        status, output = self._run(
            "pg_ctl", "-D", "data", "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_SECONDS), "stop"
        )
        if status != 0 and (self._data / "postmaster.pid").exists():
            raise RuntimeError(f"the embedded server in {self.path} did not stop: {output}")
        self._remove_socket_folder(sockets)

    def _run(self, program: str, *arguments: str) -> tuple[int, str]:
        """Run one of the server's programs, in the folder, as its user: status and output.

        In a session of its own, so that a Ctrl-C does not reach it; without our PG…
        variables; and with a file for its output, since the server inherits that from
        pg_ctl and a pipe would be read until the server ends.
        """
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))
        }
        owner = _server_user()
        with tempfile.TemporaryFile() as output:
            status = subprocess.run(
                [str(self.bin / program), *arguments],
                cwd=self.path,
                env=environment | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=None if owner is None else owner.pw_uid,
                group=None if owner is None else owner.pw_gid,
                extra_groups=None if owner is None else [],
            ).returncode
            output.seek(0)
            return status, output.read().decode(errors="replace").strip()


def _server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: None for ourselves, somebody else for root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise FolderError(
        "PostgreSQL refuses to run as root, and there is no user postgres and no user nobody"
    )


def _give_to_server_user(path: Path) -> None:
    owner = _server_user()
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _is_postgres(pid: int) -> bool:
    """Whether a living process of that number may be a server; True where nobody can tell."""
    if not Path("/proc/self/stat").exists():
        return True
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    name, state = text[text.index("(") + 1 :].rsplit(") ", 1)
    return name == "postgres" and state[0] not in "ZX"


def _open_to_others(path: Path) -> bool:
    return all(p.stat().st_mode & stat.S_IXOTH for p in (path, *path.parents))


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _main() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Not a child of the user's process: nobody there would wait for it.
    if os.fork():
        os._exit(0)
    path, bin = sys.argv[1:]
    with contextlib.suppress(FileNotFoundError):  # the folder was removed: nothing to keep
        Folder(Path(path), Path(bin)).keep()


if __name__ == "__main__":
    _main()
