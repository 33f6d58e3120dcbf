"""What mkdocs.yml does beyond mkdocs: a hook of `make docs`.

The pages of docs/ are written to be read on the project's site and in this one. So
links between them stay as they are; links to the files that are pages here under
another name (README.md is index.md) lead to those, and links to sources to the
project's site. A link to a file that is not there is left alone, and mkdocs refuses it.

The pages of the reference are made from the sources, and are no files: Python's by
mkdocstrings from lists of names, the others by the modules beside this one.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import c_page
import python_page
import schema_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
# Pages that are made of files of the project outside docs/.
ELSEWHERE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "reporting.md": "SECURITY.md",
}
LINK = re.compile(r"(!?\[[^\]]*\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?(\))")
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STEP = re.compile(r"^ *(\S+) --> (\S+) : (.*)$", re.MULTILINE)
FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Every decision is in the navigation, in the order of their numbers."""
    decisions = [f"adr/{path.name}" for path in sorted((DOCS / "adr").glob("*.md"))]
    config.nav = [
        {"Decisions": decisions} if entry == {"Decisions": "adr/"} else entry
        for entry in config.nav or []
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is made."""
    made = {name: (PROJECT / source).read_text() for name, source in ELSEWHERE.items()}
    made |= python_page.pages(PROJECT / "python/pgqrs")
    made["reference/c.md"] = c_page.page(PROJECT / "capi/pgqrs.h")
    made["reference/schema.md"] = schema_page.page(
        PROJECT / "core/backend/postgres/migration", PROJECT / "docs/sql.md"
    )
    made["reference/go.md"] = subprocess.run(
        ["go", "run", "./scripts/site/gopage", "core"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(
    markdown: str, *, page: Page, config: MkDocsConfig, files: Files, **_: Any
) -> str:
    """Lets links lead to where their files are read here."""
    name = page.file.src_uri
    folder = (PROJECT / ELSEWHERE[name]).parent if name in ELSEWHERE else (DOCS / name).parent
    at = os.path.dirname(name)
    repo = str(config.repo_url).rstrip("/")

    def lead(match: re.Match[str]) -> str:
        before, link, anchor, after = match[1], match[2], match[3] or "", match[4]
        target = Path(os.path.normpath(folder / link))
        if not target.exists() or not target.is_relative_to(PROJECT):
            return match[0]
        inside = target.relative_to(PROJECT).as_posix()
        here = {source: made for made, source in ELSEWHERE.items()}.get(inside)
        if inside == "capi/pgqrs.h":
            here = "reference/c.md"
        elif target.parent.name == "migration":
            here = "reference/schema.md"
        elif target == DOCS / "adr":
            here = "adr/" + min(path.name for path in target.glob("*.md"))
        elif here is None and target.is_relative_to(DOCS):
            here = target.relative_to(DOCS).as_posix()
        if here is not None and files.get_file_from_path(here) is not None:
            return f"{before}{os.path.relpath(here, at or '.')}{anchor}{after}"
        kind = "tree" if target.is_dir() else "blob"
        return f"{before}{repo}/{kind}/main/{inside}{anchor}{after}"

    parts = FENCE.split(DIAGRAM.sub(_table, markdown))
    return "".join(
        part if number % 2 else LINK.sub(lead, part) for number, part in enumerate(parts)
    )


def _table(diagram: re.Match[str]) -> str:
    """A diagram of states as a table. What draws it where the pages are read on the
    project's site is three megabytes of script, and would be fetched from elsewhere."""
    lines = ["| from | to | by |", "|---|---|---|"]
    for before, after, why in STEP.findall(diagram[1]):
        begin, end = before.replace("[*]", ""), after.replace("[*]", "")
        lines.append(f"| {begin} | {end} | {why} |")
    return "\n".join(lines)
