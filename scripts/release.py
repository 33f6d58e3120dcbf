"""Builds all that a release for Linux consists of, into dist/, and tries it.

    python scripts/release.py         (`make wheel-release`)

The sdist; from it a wheel for each architecture, compiled by zig against glibc 2.17;
and SHA256SUMS. auditwheel refuses a library that needs a newer symbol, and names the
wheels. What this machine can run is run: its own wheel, by the tests of packaging, and
that of the other architecture where there is qemu (scripts/emulated.sh). The last lines
say what was run, and what only built. macOS and Windows: .github/workflows/release.yml.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
DIST = PROJECT / "dist"
GLIBC = "2.17"


@dataclass(frozen=True)
class Target:
    """An architecture, as Python, Go and zig name it."""

    machine: str
    goarch: str

    @property
    def environment(self) -> dict[str, str]:
        """What makes `go build` build for it."""
        return {
            "GOOS": "linux",
            "GOARCH": self.goarch,
            "CGO_ENABLED": "1",
            "CC": f"python -m ziglang cc -target {self.machine}-linux-gnu.{GLIBC}",
        }

    @property
    def policy(self) -> str:
        """The tag of PEP 600."""
        return f"manylinux_{GLIBC.replace('.', '_')}_{self.machine}"


TARGETS = [Target("x86_64", "amd64"), Target("aarch64", "arm64")]


def run(*command: str | Path, cwd: Path = PROJECT, extra: Mapping[str, str] | None = None) -> None:
    """Run it with the tools of this Python's environment; what fails ends the release."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, **(extra or {})}
    subprocess.run(command, cwd=cwd, env=environment, check=True)


def build_sdist() -> Path:
    """The source distribution, in dist/."""
    run("python", "-m", "build", "--sdist", "--no-isolation", "--outdir", DIST, PROJECT)
    (made,) = DIST.glob("*.tar.gz")
    return made


def build_wheel(target: Target, sdist: Path, folder: Path) -> Path:
    """The wheel of one architecture, in dist/, made of nothing but the sdist."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    platform_name = f"--config-setting=--build-option=--plat-name=linux_{target.machine}"
    build = ["python", "-m", "build", "--wheel", "--no-isolation", platform_name]
    run(*build, "--outdir", folder, cwd=source, extra=target.environment)
    (made,) = folder.glob("*.whl")
    return named(target, made)


def named(target: Target, made: Path) -> Path:
    """The wheel in dist/, under the oldest policy that auditwheel finds it to fit: by the
    versions of the symbols that the library needs, and by what it is linked with."""
    run("auditwheel", "repair", "--plat", "auto", "--wheel-dir", DIST, made)
    (wheel,) = DIST.glob(f"*_{target.machine}.whl")
    if target.policy not in wheel.name:
        sys.exit(f"{wheel.name} needs more than glibc {GLIBC}: auditwheel show {wheel}")
    return wheel


def write_checksums() -> None:
    """SHA256SUMS, as `sha256sum --check` reads it."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(DIST.iterdir())
    ]
    (DIST / "SHA256SUMS").write_text("".join(lines))


def try_out(target: Target, wheel: Path, sdist: Path) -> str:
    """Install the wheel and use it, where that can be done here; says what was done."""
    if target.machine == platform.machine():
        files = {"PGQRS_TEST_WHEEL": str(wheel), "PGQRS_TEST_SDIST": str(sdist)}
        tests = "python/tests/packaging/test_distributions.py"
        run("python", "-m", "pytest", "-q", tests, extra=files)
        return "installed in an empty environment and run there (python/tests/packaging)"
    if shutil.which(f"qemu-{target.machine}-static") and shutil.which("apt-get"):
        run("sh", "scripts/emulated.sh", target.machine, wheel)
        return "run by qemu, with Debian's Python (scripts/emulated.sh)"
    return f"only built: qemu-{target.machine}-static or apt-get is not here"


def main() -> None:
    """Build, check, try, and say so."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    commit = ["git", "log", "-1", "--format=%ct"]
    moment = subprocess.run(commit, cwd=PROJECT, capture_output=True, text=True, check=True)
    os.environ["SOURCE_DATE_EPOCH"] = moment.stdout.strip()  # the same commit, the same wheels
    sdist = build_sdist()
    wheels = {}
    for target in TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            wheels[target] = build_wheel(target, sdist, Path(folder))
    run("twine", "check", "--strict", sdist, *wheels.values())
    write_checksums()
    words = {wheel.name: try_out(target, wheel, sdist) for target, wheel in wheels.items()}
    print(f"{sdist.name}: the wheels were built from it")
    for name, what in words.items():
        print(f"{name}: {what}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"`{' '.join(map(str, error.cmd))}` failed with status {error.returncode}")
