"""Checks what no compiler or linter does: that the documents and the code agree.

    python scripts/check.py           (part of `make check`)

Links between the documents lead somewhere; a decision that a comment cites
exists, and no two have one number; the version of the header is in the
changelog; the files that git knows are clean text.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
DECISION = re.compile(r"docs/adr/\d{4}[-\w]*(?:\.md)?")
CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


def tracked() -> list[Path]:
    """The files of the project, those not added yet included."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listing.stdout.splitlines() if (path := PROJECT / name).is_file()]


def problems_of(path: Path) -> list[str]:
    """What is wrong with one file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []  # not text
    found = []
    if CONFLICT.search(text):
        found.append("has conflict marks")
    if text and not text.endswith("\n"):
        found.append("does not end with a newline")
    if path.suffix == ".md" and "tests" not in path.parts:  # there: pages of others, word for word
        found += [
            f"links to {link}, which is not there"
            for link in LINK.findall(text)
            if not (path.parent / link).exists()
        ]
    found += [
        f"cites {decision}, which is not there"
        for decision in DECISION.findall(text)
        if not (PROJECT / decision).exists()
    ]
    return found


def problems_of_project() -> list[str]:
    """What is wrong between files."""
    found = []
    numbers = Counter(path.name[:4] for path in (PROJECT / "docs/adr").glob("*.md"))
    found += [
        f"docs/adr: {count} decisions have number {number}"
        for number, count in numbers.items()
        if count > 1
    ]
    header = (PROJECT / "capi/pgqrs.h").read_text()
    version = re.search(r'PGQRS_VERSION "([^"]+)"', header)
    if version is None or version[1] not in (PROJECT / "CHANGELOG.md").read_text():
        found.append("CHANGELOG.md does not mention PGQRS_VERSION of capi/pgqrs.h")
    return found


def main() -> int:
    """Print every problem; 0 when there is none."""
    found = [
        f"{path.relative_to(PROJECT)} {problem}"
        for path in tracked()
        for problem in problems_of(path)
    ]
    found += problems_of_project()
    print("\n".join(found) if found else "documents and code agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
