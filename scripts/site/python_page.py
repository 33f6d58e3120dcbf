"""The pages of the Python reference: lists of the public names, for mkdocstrings."""

from __future__ import annotations

import ast
from pathlib import Path

HEADS = {
    "functions": "What is called on the module `pgqrs`. `pgqrs.sync` has the same names for"
    " [code without asyncio](../blocking.md): what is awaited here is returned there.",
    "classes": "What the functions return, and what hangs on a store.",
    "records": "What the classes answer with, and take: plain values.",
    "errors": "All are a `PgqrsError`.",
}


def pages(package: Path) -> dict[str, str]:
    """The pages by name. Each name of `__all__` is on one of them."""
    found: dict[str, list[str]] = {kind: [] for kind in HEADS}
    for name, source in sorted(_public(package).items()):
        found[_kind(name, package / source)].append(name)
    return {
        f"reference/python-{kind}.md": f"# Python: {kind}\n\n{HEADS[kind]}\n\n"
        + "\n".join(f"::: pgqrs.{name}\n" for name in names)
        for kind, names in found.items()
    }


def _public(package: Path) -> dict[str, str]:
    """The names of `__all__`, and the files that define them."""
    tree = ast.parse((package / "__init__.py").read_text())
    sources: dict[str, str] = {}
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            sources |= {alias.name: f"{node.module}.py" for alias in node.names}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
    return {name: sources[name] for name in names if name != "__version__"}


def _kind(name: str, source: Path) -> str:
    """Which page a name belongs to."""
    if name.endswith("Error"):
        return "errors"
    if name[0].islower():
        return "functions"
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            plain = any("dataclass" in ast.unparse(d) for d in node.decorator_list)
            plain |= any("Enum" in ast.unparse(base) for base in node.bases)
            return "records" if plain else "classes"
    return "records"  # an alias of a type
