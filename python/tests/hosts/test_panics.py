"""A panic inside Go: a library that panics on command, under Python. What C programs
see of it is in capi/ctest/panic.c."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from fix_hosts import ran

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def panicking_library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library with the tag pgqrs_panic."""
    target = tmp_path_factory.mktemp("panic") / "libpgqrs.so"
    build = [PROJECT / "capi" / "build.sh", target, "-tags", "pgqrs_panic", "-buildvcs=false"]
    subprocess.run(build, check=True, env=os.environ)
    return str(target)


@pytest.mark.parametrize("way", ["produce", "register", "iterate"])
def test_a_panic_inside_go_is_an_error_and_the_process_lives(panicking_library, way):
    ended = ran("panics.py", panicking_library, way, seconds=30)
    assert (ended.returncode, ended.stdout) == (0, "lives\n"), ended.stderr
