"""The page of the schema: each object that the migrations make, with the comment that
stands above it. What is public of it is in docs/sql.md."""

from __future__ import annotations

import re
from pathlib import Path

OBJECT = re.compile(
    r"((?:^--[^\n]*\n)*)^create (?:or replace )?(unlogged table|table|view|sequence|function)"
    r" \{schema\}\.(\w+)(.*?)(?=^(?:as \$body\$|language)|^\);|;$)",
    re.MULTILINE | re.DOTALL,
)
HEAD = """# The schema

What the migrations make, with the comments that stand there. What users may rely on is in
[the SQL interface](../sql.md); everything else is the library's, and may change with any
version. [How messages are stored](../storage.md) says how it works together.
"""


def page(migrations: Path, public: Path) -> str:
    """The page as Markdown."""
    promised = public.read_text()
    parts = [HEAD]
    for path in sorted(migrations.glob("*.up.sql")):
        text = path.read_text()
        parts.append(f"## {path.name.removesuffix('.up.sql')}\n")
        if not OBJECT.match(text):
            parts.append(_prose(re.match(r"(?:--[^\n]*\n)*", text)[0]) + "\n")  # type: ignore[index]
        for comment, kind, name, rest in OBJECT.findall(text):
            note = " (public)" if f"`{name}" in promised and name != "pgqrs_spans" else ""
            parts.append(f"### {kind} `{name}`{note}\n")
            parts.append(_prose(comment) + "\n")
            if kind != "view":
                closing = "\n);" if "table" in kind else ""
                parts.append(f"```sql\ncreate {kind} {name}{rest.rstrip()}{closing}\n```\n")
    return "\n".join(parts)


def _prose(comment: str) -> str:
    """The text of a comment."""
    lines = (line.removeprefix("--").removeprefix(" ") for line in comment.splitlines())
    return re.sub(r"\b(\w+_\w+)\b", r"`\1`", "\n".join(lines)).replace("{schema}", "schema")
