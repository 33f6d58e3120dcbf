"""Documents whose code is run as it is printed."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The code of that language on a page of docs/, block by block."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = text.split(f"\n```{language}\n")[1:]
    return [block.partition("\n```")[0] + "\n" for block in found]


async def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Executes a snippet with these free names, top-level await allowed, and
    returns the names afterwards."""
    names = {"__name__": "__main__", **names}
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, "snippet", "exec", flags=flags, dont_inherit=True)
    assert inspect.CO_COROUTINE & compiled.co_flags, "it awaits nothing"
    await eval(compiled, names)
    return names
