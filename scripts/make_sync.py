"""Writes the blocking API, python/pgqrs/sync, after the asynchronous one.

    python scripts/make_sync.py           (make sync)
    python scripts/make_sync.py --check   (part of `make check`: is it as it should be?)

Each public class and function of pgqrs that awaits something gets a facade with the
same name, signature and words, which hands the call over: python/pgqrs/sync/_facade.py
and _loop.py have what is not mechanical. Written out, and not made at run time, so
that type checkers, editors and readers see what there is.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import FunctionType
from typing import Any

import pgqrs
from pgqrs._worker import Worker

PROJECT = Path(__file__).resolve().parents[1]
TARGET = PROJECT / "python/pgqrs/sync"

CLASSES = [
    pgqrs.Message,
    pgqrs.Producer,
    pgqrs.Consumer,
    pgqrs.ConsumerIterator,
    pgqrs.DequeueBuilder,
    pgqrs.Queues,
    pgqrs.Messages,
    pgqrs.Workers,
    pgqrs.Archive,
    pgqrs.Store,
    pgqrs.Admin,
]
NAMES = "|".join(cls.__name__ for cls in CLASSES)
FUNCTIONS = [
    name
    for name in pgqrs.__all__
    if isinstance(getattr(pgqrs, name), FunctionType) and name != "dequeue"  # it is overloaded
]
SAME = {cls.__name__ for cls in CLASSES} | {"Handler", "BatchHandler", "QueueMessage", "dequeue"}
SAME |= set(FUNCTIONS)
ATTRIBUTES = {
    pgqrs.Message: {
        "id": ("int", "Unique in the database."),
        "settled": (
            "bool",
            "Whether archive(), delete() or release() of this object have had an answer.",
        ),
        "handed_over": (
            "bool",
            "Whether archive() or delete() were called with tx: then it is settled if that\n"
            "transaction commits.",
        ),
    },
    Worker: {"queue": ("str", "The name of its queue.")},
}
# What only an event loop asks for.
LEFT_OUT = {"aclose"}
# What the words of pgqrs are in pgqrs.sync.
WORDS = [
    (r"\bawait ", ""),
    (r"`async for`", "`for`"),
    (r"\basync (with|for)\b", r"\1"),
    (r"until it\s+is cancelled, ", "until Ctrl-C, "),
    (r"the first\s+await of something that needs\s+it", "its first use"),
    (r", and\s+bound to the running event loop,", ""),
    (r"connected at the first await", "connected at its first use"),
    (r"It belongs to the event loop in which it was connected\.", "Any thread may use it."),
    (r"A plain function runs in a thread\.", "It runs in the thread that called."),
    (r"handlers run at once\. ", "handlers run at once, in threads of their own if not 1. "),
    (r"\baclose\(\)", "close()"),
    (r"\bpgqrs\.(\w+\()", r"pgqrs.sync.\1"),
]
DEQUEUE = '''
@overload
def dequeue() -> DequeueBuilder: ...


@overload
def dequeue(
    consumer: Consumer[Payload], batch_size: int | None = None
) -> list[Message[Payload]]: ...


def dequeue(
    consumer: Consumer | None = None, batch_size: int | None = None
) -> DequeueBuilder | list[Message]:
    """`dequeue(consumer, batch_size)` is consumer.dequeue(batch_size). Without
    arguments: the builder of a loop."""
    if consumer is None:
        return DequeueBuilder(pgqrs.dequeue())
    return consumer.dequeue(batch_size)
'''

HEAD = '''"""The {what} of pgqrs.sync.

Written by scripts/make_sync.py (`make sync`); do not edit.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, cast, overload

import pgqrs
from pgqrs import {names}
from pgqrs._payload_type import Payload
{more}
from ._facade import BatchHandler, Facade, Handler, Retry, handler_of, inner, retry_of
from ._loop import iterate, run

'''


def words(text: str) -> str:
    """A docstring, without what is only so in an event loop."""
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text)
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        textwrap.fill(one, 86) if max(map(len, one.splitlines())) > 90 else one
        for one in paragraphs
    )


def annotation(text: Any) -> str:
    """The type as a module of pgqrs.sync writes it."""
    text = "None" if text is None else str(text)
    text = text.replace("_types.", "").replace("Connecting", "Store")
    text = text.replace("AsyncIterator[", "Iterator[").replace("builtins.list", "list")
    for alias, meaning in (("Page", "list[ArchivedMessage]"), ("Attempts", "list[Attempt]")):
        text = re.sub(rf"\b{alias}\b", meaning, text)
    text = re.sub(r"\bHealths\b", "list[WorkerHealth]", text)
    text = re.sub(r"\bLeases\b", "list[WorkerLeases]", text)
    return re.sub(r"\blist\[", "builtins.list[", text)


def default(value: Any) -> str:
    """The default of a parameter."""
    return f"{type(value).__name__}.{value.name}" if isinstance(value, Enum) else repr(value)


def parameters(function: Any) -> tuple[str, str]:
    """The parameters in a definition, and as the arguments of a call."""
    defined, passed, keywords = [], [], False
    for one in inspect.signature(function).parameters.values():
        if one.name in ("self", "cls"):
            continue
        if one.kind is one.VAR_KEYWORD:
            defined.append(f"**{one.name}: {annotation(one.annotation)}")
            passed.append(f"**{one.name}")
            continue
        if one.kind is one.KEYWORD_ONLY and not keywords:
            defined.append("*")
            keywords = True
        text = f"{one.name}: {annotation(one.annotation)}"
        defined.append(text if one.default is one.empty else f"{text} = {default(one.default)}")
        value = argument(one.name, str(one.annotation))
        passed.append(f"{one.name}={value}" if keywords else value)
    return ", ".join(defined), ", ".join(passed)


def argument(name: str, kind: str) -> str:
    """What is passed on for a parameter."""
    if name == "handle_signals":
        return "False"
    if re.search(r"\bHandler|BatchHandler", kind):
        return f"handler_of({name})"
    if re.search(r"\bRetry\b", kind):
        return f"retry_of({name})"
    if re.search(rf"Iterable\[.*\b({NAMES})\b", kind):
        return f"map(inner, {name})"
    if re.search(rf"\b({NAMES})\b", kind):
        return f"inner({name})"
    return name


def answer(kind: str, value: str) -> str:
    """A facade before what comes out, where that needs one."""
    if match := re.fullmatch(rf"builtins\.list\[({NAMES})(\[Payload\])?\]", kind):
        return f"[{match[1]}(one) for one in {value}]"
    if match := re.fullmatch(rf"({NAMES})(\[Payload\])?", kind):
        return f"{match[1]}({value})"
    return value


def body(function: Any, target: str) -> str:
    """The one line that hands the call over to what the target names."""
    kind = annotation(inspect.signature(function).return_annotation)
    defined, passed = parameters(function)
    call = f"{target}({passed})"
    if inspect.isasyncgenfunction(function):
        return f"return iterate({call})"
    if inspect.iscoroutinefunction(function) or function is pgqrs.connect:
        signals = ", handle_signals=handle_signals" if "handle_signals" in defined else ""
        call = f"run({call}{signals})"
    elif function is pgqrs.connect_with:
        call = f"run({call})"
    if kind == "None":
        return call
    if overloads(function) and " | " in kind:  # type checkers lose track of which it is
        return f'return cast("{kind}", {call})'
    return f"return {answer(kind, call)}"


def overloads(made: Any) -> str:
    """Its overloads: read from the text, because Python 3.10 does not keep them."""
    found = ""
    place: Any = ast.parse(inspect.getsource(sys.modules[made.__globals__["__name__"]]))
    for name in made.__qualname__.split(".")[:-1]:
        (place,) = (one for one in place.body if getattr(one, "name", None) == name)
    for node in place.body:
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name == made.__name__
            and [ast.unparse(one) for one in node.decorator_list] == ["overload"]
        ):
            assert node.returns is not None
            arguments = annotation(ast.unparse(node.args))
            answers = annotation(ast.unparse(node.returns))
            found += f"@overload\ndef {node.name}({arguments}) -> {answers}: ...\n\n"
    return found


def function(name: str, made: Any, target: str, first: str = "") -> str:
    """The definition of a facade's function or method."""
    defined, _ = parameters(made)
    kind = annotation(inspect.signature(made).return_annotation)
    both = ", ".join(part for part in (first, defined) if part)
    text = f"{overloads(made)}def {name}({both}) -> {kind}:\n{documented(made)}"
    return text + textwrap.indent(body(made, target), "    ") + "\n"


def documented(made: Any) -> str:
    """The docstring, indented."""
    text = words(inspect.getdoc(made) or "")
    last = text.splitlines()[-1]
    if len(last) > (86 if last is text else 89):
        text += "\n"
    return textwrap.indent(f'"""{text}"""', "    ", lambda line: bool(line.strip())) + "\n"


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The public members of a class and those it is derived from, in the order of the
    text: the class first."""
    seen = set(LEFT_OUT)
    for base in cls.__mro__:
        if not base.__module__.startswith("pgqrs"):
            continue
        for name, value in vars(base).items():
            if name not in seen and not name.startswith("_"):
                seen.add(name)
                yield name, value


def facade(cls: type) -> str:
    """The definition of a facade."""
    name, of = cls.__name__, payload(cls)
    bases = f"Facade[pgqrs.{name}{of}]" + (", Generic[Payload]" if of else "")
    parts = [f"class {name}({bases}):\n{documented(cls)}\n    __slots__ = ()\n"]
    for base, attributes in ATTRIBUTES.items():
        if issubclass(cls, base):
            for attribute, (kind, text) in attributes.items():
                parts.append(
                    f"@property\ndef {attribute}(self) -> {kind}:\n"
                    + textwrap.indent(f'"""{text}"""\nreturn self._inner.{attribute}\n', "    ")
                )
    for member, value in members(cls):
        if isinstance(value, property):
            kind = annotation(inspect.signature(value.fget).return_annotation)  # type: ignore[arg-type]
            line = f"return {answer(kind, f'self._inner.{member}')}"
            parts.append(
                f"@property\ndef {member}(self) -> {kind}:\n" + documented(value) + f"    {line}\n"
            )
        elif isinstance(value, classmethod):
            made = function(member, value.__func__, f"pgqrs.{name}.{member}", "cls")
            parts.append("@classmethod\n" + made)
        elif isinstance(value, FunctionType):
            parts.append(function(member, value, f"self._inner.{member}", "self"))
    parts += special(cls)
    return parts[0] + "\n" + "\n".join(textwrap.indent(part, "    ") for part in parts[1:])


def payload(cls: type) -> str:
    """What stands behind its name where its messages have payloads of a type."""
    return "[Payload]" if hasattr(cls, "__parameters__") else ""


def special(cls: type) -> list[str]:
    """The methods with which `with` and `for` work."""
    name, found = cls.__name__ + payload(cls), []
    if hasattr(cls, "__anext__"):
        found.append(f"def __iter__(self) -> {name}:\n    return self\n")
        found.append(
            f"def __next__(self) -> Message{payload(cls)}:\n"
            "    try:\n"
            "        return Message(run(self._inner.__anext__()))\n"
            "    except StopAsyncIteration:\n"
            "        raise StopIteration from None\n"
        )
    if hasattr(cls, "__aenter__"):
        found.append(
            f"def __enter__(self) -> {name}:\n    run(self._inner.__aenter__())\n    return self\n"
        )
        found.append("def __exit__(self, *_error: object) -> None:\n    self.close()\n")
    return found


def module(what: str, more: str, parts: list[str]) -> str:
    """The text of a module, as ruff leaves it."""
    passed = [name for name in pgqrs.__all__ if name not in SAME and name != "__version__"]
    text = HEAD.format(what=what, names=", ".join(passed), more=more) + "\n\n".join(parts)
    for arguments in (["check", "--quiet", "--fix-only", "--select", "F401,I"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", "python/pgqrs/x.py"]
        text = subprocess.run(
            [*ruff, "-"], input=text, capture_output=True, text=True, check=True, cwd=PROJECT
        ).stdout
    return text


def modules() -> dict[Path, str]:
    """Each module, and its text."""
    names = ", ".join(cls.__name__ for cls in CLASSES)
    made = [function(name, getattr(pgqrs, name), f"pgqrs.{name}") for name in FUNCTIONS]
    return {
        TARGET / "_classes.py": module("classes", "", [facade(cls) for cls in CLASSES]),
        TARGET / "_functions.py": module(
            "functions", f"from ._classes import {names}", [*made, DEQUEUE]
        ),
    }


def main() -> int:
    """Write the modules; or, with --check, say which is not as it should be."""
    different = [
        path for path, text in modules().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in sys.argv:
        for path in different:
            print(f"{path.relative_to(PROJECT)} is not what pgqrs has: make sync")
        return 1 if different else 0
    for path, text in modules().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
