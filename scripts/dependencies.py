"""What the project depends on, wherever that is written, and whether
docs/adr/0030-dependencies.md says why.

Called by scripts/check.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

PROJECT = Path(__file__).resolve().parents[1]
ADR = PROJECT / "docs/adr/0030-dependencies.md"
PYPROJECT = PROJECT / "pyproject.toml"
LICENCES = PROJECT / "THIRD_PARTY_LICENSES"
# What builds anything at all, and PostgreSQL, which it is all about; and ourselves.
NOT_CHOSEN = {"pip", "gcc", "g++", "libc6-dev", "python3-venv", "postgresql", "pgqrs"}
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
GO_REQUIRES = re.compile(r"^\s+(\S+\.\S+/\S+) v\S+$", re.MULTILINE)  # without // indirect
GO_MODULES = re.compile(r"^\s+(\S+\.\S+/\S+ v\S+)", re.MULTILINE)
GO_TESTS_ONLY = {"go.uber.org/goleak"}
PIP_INSTALLS = re.compile(r"pip install\b(.*)")
VERSIONED = re.compile(r"'?([\w-]+)(?:\[\w+\])?[=>]=[\d.]+'?")
GO_RUNS = re.compile(r"^\w+ := \S+/([\w-]+)@v", re.MULTILINE)


def in_pyproject(settings: dict[str, Any]) -> Iterator[str]:
    """What pip installs for users, builds, tests, checks, benchmarks and releases."""
    project = settings["project"]
    lists = [
        settings["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *settings["dependency-groups"].values(),
    ]
    for requirement in (each for one in lists for each in one if isinstance(each, str)):
        if found := NAME.match(requirement):
            yield found[0]


def in_commands(text: str) -> Iterator[str]:
    """What a Makefile or a workflow installs or runs in a version that it names."""
    for arguments in PIP_INSTALLS.findall(text):
        yield from VERSIONED.findall(arguments)
    yield from GO_RUNS.findall(text)


def used() -> dict[str, str]:
    """Each dependency, and the file that has it."""
    found = dict.fromkeys(in_pyproject(tomllib.loads(PYPROJECT.read_text())), "pyproject.toml")
    for name in ("go.mod", "bench/godriver/go.mod"):
        found |= dict.fromkeys(GO_REQUIRES.findall((PROJECT / name).read_text()), name)
    for path in [PROJECT / "Makefile", *PROJECT.glob(".github/workflows/*.yml")]:
        name = str(path.relative_to(PROJECT))
        found |= dict.fromkeys(in_commands(path.read_text()), name)
    peers = re.findall(r'packages=\("([\w-]+)', (PROJECT / "bench/subjects.py").read_text())
    found |= dict.fromkeys(peers, "bench/subjects.py")
    (debian,) = re.findall(r'(?m)^packages="(.*)"$', (PROJECT / "scripts/deps.sh").read_text())
    found |= dict.fromkeys(debian.split(), "scripts/deps.sh")
    return {
        name: where
        for name, where in found.items()
        if name not in NOT_CHOSEN and not name.startswith("github.com/pgqrs/")
    }


def unknown_extras() -> list[str]:
    """Extras that documents and errors tell users to install, and that there are not."""
    known = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    told = [PROJECT / "README.md", *PROJECT.glob("docs/**/*.md")]
    told += [*PROJECT.glob("python/pgqrs/**/*.py"), PYPROJECT]
    return [
        f"{path.relative_to(PROJECT)} names the extra {extra}, which is not there"
        for path in told
        for extras in re.findall(r"\bpgqrs\[([a-z,-]+)\]", path.read_text())
        for extra in extras.split(",")
        if extra not in known
    ]


def unnamed_licences() -> list[str]:
    """Modules that are linked into the library, and whose licence does not go with it."""
    named = LICENCES.read_text()
    return [
        f"THIRD_PARTY_LICENSES lacks {module}: `make licences`"
        for module in GO_MODULES.findall((PROJECT / "go.mod").read_text())
        for name, version in [module.split()]
        if name not in GO_TESTS_ONLY
        and not re.search(rf"^=+ {re.escape(name)}\S* {re.escape(version)} ", named, re.MULTILINE)
    ]


def problems() -> list[str]:
    """Dependencies without a reason in the decision or without their licence, and extras
    that are not there."""
    rows = [line for line in ADR.read_text().splitlines() if line.startswith("| `")]
    given = {name.lower() for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    return (
        unknown_extras()
        + unnamed_licences()
        + [
            f"{where} depends on {name}, and docs/adr/0030-dependencies.md does not say why"
            for name, where in sorted(used().items())
            if not any(name.lower() == one or name.lower().startswith(f"{one}/") for one in given)
        ]
    )
