"""Builds the C library and the cffi module into the wheel.

Everything else about the package is in pyproject.toml, but for the version, which
is that of the C library: PGQRS_VERSION in capi/pgqrs.h. The wheel is tagged
py3-none-PLATFORM: it holds a shared library, but nothing in it is compiled
against a version of Python.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.errors import SetupError

ROOT = Path(__file__).parent.resolve()
HEADER = ROOT / "capi" / "pgqrs.h"
LIBRARY = {"darwin": "libpgqrs.dylib", "win32": "pgqrs.dll"}.get(sys.platform, "libpgqrs.so")


def version() -> str:
    """What the header says."""
    found = re.search(r'^#define PGQRS_VERSION "([^"]+)"', HEADER.read_text(), re.MULTILINE)
    assert found, "capi/pgqrs.h does not define PGQRS_VERSION"
    return found[1]


def go_wanted() -> tuple[int, int]:
    """The version of Go that go.mod asks for."""
    found = re.search(r"^go (\d+)\.(\d+)", (ROOT / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod has no go line"
    return int(found[1]), int(found[2])


def check_compilers() -> None:
    """Raises one sentence about what to install where Go or a C compiler is missing."""
    major, minor = go_wanted()
    wanted = f"Go {major}.{minor} or newer (https://go.dev/dl/)"
    go = shutil.which("go")
    if go is None:
        raise SetupError(
            f"pgqrs is built with Go, and there is no `go` on the PATH: install {wanted}"
        )
    answer = subprocess.run(
        [go, "env", "GOVERSION", "CC"], capture_output=True, text=True, cwd=ROOT
    )
    if answer.returncode != 0:
        raise SetupError(f"`go env` fails; install {wanted}:\n{answer.stderr.strip()}")
    _version, compiler = answer.stdout.splitlines()
    if shutil.which(compiler.split()[0]) is None:
        raise SetupError(
            f"pgqrs is built with a C compiler, and there is no `{compiler}` on the PATH: "
            "install gcc or clang (Debian, Ubuntu: `apt-get install gcc libc6-dev`; "
            "macOS: `xcode-select --install`)"
        )


class BuildNative(Command):
    """Builds libpgqrs and generates _cffi.py, in the package's _native folder."""

    description = "build the C library and the cffi module"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        check_compilers()
        native = self._folder()
        native.mkdir(parents=True, exist_ok=True)
        # A shell takes slashes, on Windows too.
        build = (ROOT / "capi" / "build.sh").as_posix()
        self._checked(["sh", build, (native / LIBRARY).as_posix()])
        generator = ROOT / "python" / "pgqrs" / "_native" / "_build.py"
        self._checked([sys.executable, str(generator), str(HEADER), str(native / "_cffi.py")])

    def _folder(self) -> Path:
        if self.editable_mode:
            return ROOT / "python" / "pgqrs" / "_native"
        assert self.build_lib is not None
        return Path(self.build_lib).resolve() / "pgqrs" / "_native"

    def _checked(self, command: list[str]) -> None:
        status = subprocess.run(command, cwd=ROOT).returncode
        if status != 0:
            raise SetupError(
                f"`{' '.join(command)}` failed with status {status}; its messages are above"
            )

    # What setuptools asks of a build step: where its results come from and go to.

    def get_source_files(self) -> list[str]:
        return []  # MANIFEST.in names them

    def get_outputs(self) -> list[str]:
        return [str(self._folder() / LIBRARY), str(self._folder() / "_cffi.py")]

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class Build(build):
    sub_commands: ClassVar = [*build.sub_commands, ("build_native", None)]


class Wheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        _python, _abi, platform = super().get_tag()
        return "py3", "none", platform


class NativeDistribution(Distribution):
    """A distribution of which setuptools knows that it is not for every platform."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    version=version(),
    distclass=NativeDistribution,
    cmdclass={"build": Build, "build_native": BuildNative, "bdist_wheel": Wheel},
)
