"""The page of the C interface: the comments of pgqrs.h as text, and what stands under
each as code. The header is the specification, so nothing is left out of it."""

from __future__ import annotations

import re
from pathlib import Path

# A comment that begins a line, and what follows up to the next such comment.
PIECE = re.compile(r"^/\*(.*?)\*/[ \t]*\n(.*?)(?=^/\*|\Z)", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^-+ (.+?) -+$")
NUMBERED = re.compile(r"^\d+\. (?=[A-Z])", re.MULTILINE)
NAME = re.compile(r"\b(pgqrs_\w+|PGQRS_[A-Z_]+)\b")
FUNCTION = re.compile(r"^[\w \*]*?\b(pgqrs_\w+)\(", re.MULTILINE)


def page(header: Path) -> str:
    """The page as Markdown."""
    text = header.read_text()
    parts = ["# The C interface\n", "Made from `capi/pgqrs.h`, which has it word for word.\n"]
    for comment, code in PIECE.findall(text):
        prose = _prose(comment)
        section = SECTION.match(prose)
        if section:
            parts.append(f"## {section[1].capitalize()}\n")
        elif prose.startswith("<"):  # marks for those who parse the header
            continue
        else:
            name = FUNCTION.search(code)
            if name:
                parts.append(f"### `{name[1]}`\n")
            parts.append(_marked(prose) + "\n")
        code = code.strip()
        if code:
            parts.append(f"```c\n{code}\n```\n")
    return "\n".join(parts)


def _prose(comment: str) -> str:
    """The text of a comment, without the stars in front of its lines."""
    return "\n".join(re.sub(r"^ \* ?", "", line) for line in comment.splitlines()).strip()


def _marked(prose: str) -> str:
    """Names as code; numbered sections as headings; what is indented stays in columns."""
    paragraphs = []
    for paragraph in prose.split("\n\n"):
        if NUMBERED.match(paragraph) and "\n" not in paragraph:
            paragraphs.append(NUMBERED.sub("## ", paragraph))
        elif re.match(r"\s*- ", paragraph):
            items = re.split(r"\n\s*- ", "\n" + paragraph)[1:]
            paragraphs.append("\n".join("- " + _names(" ".join(i.split())) for i in items))
        elif re.search(r"^ +\S", paragraph, re.MULTILINE):
            paragraphs.append(f"```text\n{paragraph}\n```")
        else:
            paragraphs.append(_names(paragraph))
    return "\n\n".join(paragraphs)


def _names(text: str) -> str:
    return NAME.sub(r"`\1`", text.replace("<", "&lt;").replace("*", r"\*"))
