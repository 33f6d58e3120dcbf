"""Bars for long work, on standard error, where that is a terminal; with their rate and how
long the rest will take."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(TextColumn):
    """Messages a second since the beginning."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        elapsed = task.finished_time if task.finished else task.elapsed
        rate = task.fields["done"] / elapsed if elapsed else 0
        return Text(f"{rate:,.0f}/s", style="progress.data.speed")


class Bar:
    """One bar: how far the work is, in whatever unit, and how many messages are done."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self.done = 0

    def advance(self, messages: int, by: float | None = None) -> None:
        """So many messages more are done, which is `by` of the total (None: as many)."""
        self.done += messages
        self._progress.update(self._task, advance=messages if by is None else by, done=self.done)


@contextlib.contextmanager
def bar(title: str, total: float | None) -> Iterator[Bar]:
    """A bar while the block runs; total None: nobody knows how much there is."""
    console = Console(file=sys.stderr, highlight=False)
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(20),
        TextColumn("{task.fields[done]:,}"),
        _Rate(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    # Some versions of rich end one that is disabled with an empty line.
    with progress if console.is_terminal else contextlib.nullcontext():
        yield Bar(progress, progress.add_task(title, total=total, done=0))
