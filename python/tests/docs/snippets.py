"""Runs the Python snippets of the page as they are printed."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


async def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Executes a snippet with these free names, top-level await allowed, and
    returns the names afterwards."""
    names = {"__name__": "__main__", **names}
    compiled = compile(code, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert inspect.CO_COROUTINE & compiled.co_flags, "it awaits nothing"
    await eval(compiled, names)
    return names
