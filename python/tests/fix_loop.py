"""Runs tests that are coroutine functions: each under asyncio's loop, under its
debug mode, and under uvloop.

`@pytest.mark.loops("plain")` names the loops of a test for which one is enough.
A test fails when it leaves a task behind, or when anything reached the loop's
exception handler. Such a test gets no async fixtures: it opens what it needs
with `async with`, in its own loop.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

if sys.platform != "win32":
    import uvloop

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "plain": asyncio.new_event_loop,
    "debug": asyncio.new_event_loop,
}
if sys.platform != "win32":
    LOOPS["uvloop"] = uvloop.new_event_loop


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "loops(*names): run under these event loops only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if inspect.iscoroutinefunction(metafunc.function):
        marker = metafunc.definition.get_closest_marker("loops")
        metafunc.fixturenames.append("loop_name")
        metafunc.parametrize("loop_name", marker.args if marker else list(LOOPS))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    run_in(pyfuncitem.callspec.params["loop_name"], pyfuncitem.obj(**arguments))
    return True


def run_in(loop_name: str, main: Coroutine[Any, Any, None]) -> None:
    """asyncio.run() for a test: in that loop, and strict about what is left."""
    complaints: list[dict[str, Any]] = []
    loop = LOOPS[loop_name]()
    asyncio.set_event_loop(loop)
    try:
        loop.set_debug(loop_name == "debug")
        loop.slow_callback_duration = math.inf  # a busy machine is not a defect
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        loop.run_until_complete(main)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert not left, f"tasks left behind: {left}"
    assert not complaints, f"the loop's exception handler was called: {complaints}"
