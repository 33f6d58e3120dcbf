"""Checks what no compiler or linter does: that the documents and the code agree.

    python scripts/check.py           (part of `make check`)

Links between the documents lead somewhere; a decision that a comment cites
exists, and no two have one number; the version of the header is in the
changelog; what docs/guarantees.md and docs/migrating.md promise is shown by a test or an
invariant that exists; each dependency has its reason in
docs/adr/0030-dependencies.md;
the files that git knows are clean text.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dependencies

PROJECT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
DECISION = re.compile(r"docs/adr/\d{4}[-\w]*(?:\.md)?")
GUARANTEES = PROJECT / "docs/guarantees.md"
MIGRATING = PROJECT / "docs/migrating.md"
# Where the promises of a page that are not kept are explained, and the headings there.
DIFFERS = re.compile(r"\[differs\]\(#([\w-]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# A name that could be a test's or an invariant's, and where such names are defined.
PROOF = re.compile(r"`((?:Test|test_)\w+|[a-z]+(?:_[a-z]+)+|[a-z]+(?:[A-Z][a-z]*)+|fifo)`")
PROVED = re.compile(
    r"^(?:func (\w+)\(|\s*(?:async )?def (test_\w+)\(|hidden byte (\w+);)", re.MULTILINE
)
NO_PROOFS = {
    *("max_lease_seconds", "max_read_ct", "maybe_committed", "read_ct", "synchronous_commit"),
    "wal_writer_delay",
}
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


def proofs() -> set[str]:
    """The names of all tests, and of the invariants of the formal models."""
    places = [
        *PROJECT.glob("core/**/*.go"),
        *PROJECT.glob("capi/**/*_test.go"),
        *PROJECT.glob("python/tests/**/test_*.py"),
        PROJECT / "model/invariants.h",
    ]
    found = PROVED.findall("\n".join(place.read_text() for place in places))
    return {name for names in found for name in names if name}


def problems_of_guarantees() -> list[str]:
    """Guarantees that name nothing that shows them, or something that is not there."""
    text = GUARANTEES.read_text()
    there = proofs()
    found = [
        f"docs/guarantees.md names {name}, which is neither a test nor an invariant"
        for name in PROOF.findall(text)
        if name not in there and name not in NO_PROOFS
    ]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "shown by" not in line]
    found += [
        f"docs/guarantees.md: nothing shows {row!r}"
        for row in rows
        if not PROOF.search(row.split("|")[-2])
    ]
    invariants = re.findall(r"hidden byte (\w+);", (PROJECT / "model/invariants.h").read_text())
    found += [
        f"docs/guarantees.md leaves out {name}" for name in invariants if f"`{name}`" not in text
    ]
    return found


def problems_of_promises() -> list[str]:
    """Promises of the original's pages that nothing shows, and that differ nowhere; and
    tests of them that the list does not have."""
    text = MIGRATING.read_text()
    promises = text.partition("## What the linked pages promise")[2]
    there = proofs()
    headings = {heading.lower().replace(" ", "-") for heading in HEADING.findall(text)}
    found = []
    for row in (line for line in promises.splitlines() if line.startswith("| ")):
        shown = row.split("|")[-2]
        if "shown by" in shown:
            continue
        names, differs = set(PROOF.findall(shown)), set(DIFFERS.findall(shown))
        if not names | differs:
            found.append(f"docs/migrating.md: nothing shows {row!r}")
        found += [
            f"docs/migrating.md names {name}, which is not there"
            for name in sorted((names - there) | (differs - headings))
        ]
    tests = (PROJECT / "python/tests/docs/test_linked_pages.py").read_text()
    found += [
        f"docs/migrating.md leaves out {name}"
        for name in re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE)
        if name not in promises and name != "test_what_waits_in_the_original_is_moved"
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
    found += problems_of_project() + problems_of_guarantees() + problems_of_promises()
    found += dependencies.problems()
    print("\n".join(found) if found else "documents and code agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
