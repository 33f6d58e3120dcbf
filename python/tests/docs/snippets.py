"""Runs the Python snippets of the page as they are printed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from fix_page import run

__all__ = ["run", "snippets"]

PAGE = Path(__file__).with_name("producer-consumer.md")

TAB = re.compile(r'^=== "(\w+)"$')


def snippets() -> Iterator[str]:
    """The code of every tab that is headed "Python", in the order of the page. One
    has lost the fence at its beginning; its code is what is indented."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        tab = TAB.match(line)
        if tab is None or tab[1] != "Python":
            continue
        code = []
        for inside in lines[number + 1 :]:
            if inside and not inside.startswith("    "):
                break
            if not inside.strip().startswith("```"):
                code.append(inside)
        yield textwrap.dedent("\n".join(code)).strip() + "\n"
