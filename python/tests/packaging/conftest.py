"""The distributions, built once from a copy of nothing but what the sdist holds; or those
that PGQRS_TEST_SDIST and PGQRS_TEST_WHEEL name, to test what a release consists of."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    if made := os.environ.get("PGQRS_TEST_SDIST"):
        return Path(made)
    target = tmp_path_factory.mktemp("sdist")
    _build("--sdist", PROJECT, target)
    (found,) = target.iterdir()
    return found


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the unpacked source distribution."""
    if made := os.environ.get("PGQRS_TEST_WHEEL"):
        return Path(made)
    source = tmp_path_factory.mktemp("source")
    subprocess.run(["tar", "xzf", sdist, "-C", source, "--strip-components=1"], check=True)
    target = tmp_path_factory.mktemp("wheel")
    _build("--wheel", source, target)
    (found,) = target.iterdir()
    return found


def _build(kind: str, source: Path, target: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", target, source],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that other users can enter, as an embedded server needs it under root."""
    with tempfile.TemporaryDirectory(prefix="pgqrs-packaging-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
