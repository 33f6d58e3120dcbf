"""Top: the screen and its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Label

from ..._archive import Archive
from ..._errors import PgqrsError
from ..._messages import Messages as LiveMessages
from ..._metrics import QueueMetrics
from ..._queues import Queues
from ..._store import Store
from ._rows import QUEUES, WORKERS, Cell, queue_row, summary, worker_row
from ._screens import AnyMessage, Messages, OneMessage, Question
from ._watch import Look, Watch

LOOKS_IN_PICTURE = 20
"""How often a picture looks before it is taken, so that its sparklines show something."""

MESSAGES = 100
"""How many live messages of a queue are shown, and how many that are done."""


class Top(App[None]):
    """The screen. It looks at the database in a task of its own, and each key starts one:
    a slow server delays no key."""

    TITLE = "pgqrs"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #summary, #error { height: 1; width: 1fr; }
    #summary { background: $primary; color: $text; text-style: bold; }
    #error { background: $error; display: none; }
    #queues { height: 2fr; }
    #workers { height: 1fr; border-top: solid $primary; }
    ModalScreen { align: center middle; }
    .box { width: auto; max-width: 80%; height: auto; padding: 1 2; border: thick $warning;
           background: $surface; }
    .box Label { width: auto; }
    .page { width: 90%; height: 90%; padding: 0 1; border: thick $primary; background: $surface; }
    .hint { color: $text-muted; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause/resume"),
        Binding("r", "replay", "Replay dead"),
        Binding("x", "purge", "Purge"),
        Binding("i", "inspect", "Inspect"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, store: Store, every: float, picture: str | None = None) -> None:
        super().__init__()
        self._store = store
        self._watch = Watch(store)
        self._every = every
        self._picture = picture
        self._queues: dict[str, QueueMetrics] = {}
        self._again = asyncio.Event()

    def compose(self) -> ComposeResult:
        yield Label("", id="summary", markup=False)
        yield Label("", id="error", markup=False)
        yield DataTable(id="queues", cursor_type="row", zebra_stripes=True)
        yield DataTable(id="workers", cursor_type="row")
        yield Footer()

    def on_mount(self) -> None:
        for selector, columns in (("#queues", QUEUES), ("#workers", WORKERS)):
            table = self.query_one(selector, DataTable)
            for column in columns:
                table.add_column(column, key=column)
        self.query_one("#queues").focus()
        self.run_worker(self._look_for_ever())

    # ---- looking ----

    async def _look_for_ever(self) -> None:
        looks = 0
        while True:
            self._again.clear()
            try:
                self._show(await self._watch.look())
                self._complain("")
            except PgqrsError as error:
                self._complain(f" {error}")
            looks += 1
            if self._picture is not None and looks == LOOKS_IN_PICTURE:
                self.call_after_refresh(self._take_picture)
            try:
                await asyncio.wait_for(self._again.wait(), self._every)
            except asyncio.TimeoutError:
                continue

    def _take_picture(self) -> None:
        assert self._picture is not None
        with open(self._picture, "w", encoding="utf-8") as file:
            file.write(self.export_screenshot(title="pgqrs top"))
        self.exit()

    def _complain(self, text: str) -> None:
        label = self.query_one("#error", Label)
        label.update(text)
        label.display = bool(text)

    def _show(self, look: Look) -> None:
        self._queues = {queue.queue_name: queue for queue in look.queues}
        names = {queue.queue_id: queue.queue_name for queue in look.queues}
        self.query_one("#summary", Label).update(summary(self._store.config.schema, look.stats))
        _fill(
            self.query_one("#queues", DataTable),
            {
                queue.queue_name: queue_row(queue, self._watch.rates(queue.queue_id))
                for queue in look.queues
            },
        )
        _fill(
            self.query_one("#workers", DataTable),
            {
                str(w.id): worker_row(w, names.get(w.queue_id, ""), look.leases.get(w.id))
                for w in look.workers
            },
        )

    # ---- keys ----

    def action_pause(self) -> None:
        self._with_queue(self._pause)

    async def _pause(self, queue: QueueMetrics) -> None:
        queues = Queues(self._store)
        await (queues.resume if queue.paused_at else queues.pause)(queue.queue_name)

    def action_replay(self) -> None:
        self._with_queue(self._replay)

    async def _replay(self, queue: QueueMetrics) -> None:
        if await self._asked(f"Replay the {queue.dead:,} dead letters of {queue.queue_name!r}?"):
            number = await Archive(self._store).replay_all(queue.queue_name, limit=queue.dead)
            self.notify(f"replayed {number:,} messages")

    def action_purge(self) -> None:
        self._with_queue(self._purge)

    async def _purge(self, queue: QueueMetrics) -> None:
        if await self._asked(f"Delete the {queue.depth:,} live messages of {queue.queue_name!r}?"):
            number = await Queues(self._store).purge(queue.queue_name)
            self.notify(f"deleted {number:,} messages")

    def action_inspect(self) -> None:
        self._with_queue(self._inspect)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "queues":
            self._with_queue(self._inspect)

    async def _inspect(self, queue: QueueMetrics) -> None:
        archive = Archive(self._store)
        page: list[AnyMessage] = []
        async for alive in LiveMessages(self._store).iterate(queue.queue_name):
            page.append(alive)
            if len(page) == MESSAGES:
                break
        page += await archive.list(queue.queue_name, limit=MESSAGES)
        chosen = await self.push_screen_wait(Messages(queue.queue_name, page))
        for message in page:
            if message.id == chosen:
                history = await archive.history(message.id)
                await self.push_screen_wait(OneMessage(message, history))

    async def _asked(self, question: str) -> bool:
        screen: Screen[bool] = Question(question)
        return await self.push_screen_wait(screen)

    def _with_queue(self, action: Callable[[QueueMetrics], Awaitable[None]]) -> None:
        """Does something with the queue under the cursor, in a task of its own."""
        if len(self.screen_stack) > 1:  # a key of the screen that lies over this one
            return
        queue = self._queues.get(_selected(self.query_one("#queues", DataTable)) or "")
        if queue is not None:
            self.run_worker(self._do(action, queue))

    async def _do(
        self, action: Callable[[QueueMetrics], Awaitable[None]], queue: QueueMetrics
    ) -> None:
        try:
            await action(queue)
        except PgqrsError as error:
            self.notify(str(error), severity="error")
        self._again.set()


def _selected(table: DataTable[Cell]) -> str | None:
    if not table.is_valid_coordinate(table.cursor_coordinate):
        return None
    return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value


def _fill(table: DataTable[Cell], rows: Mapping[str, list[Cell]]) -> None:
    """Shows these rows; the cursor stays on its row."""
    if [key.value for key in table.rows] != list(rows):
        selected = _selected(table)
        table.clear()
        for key, cells in rows.items():
            table.add_row(*cells, key=key)
        if selected is not None and selected in rows:
            table.move_cursor(row=list(rows).index(selected))
        return
    columns = list(table.columns)
    for row, cells in rows.items():
        for column, cell in zip(columns, cells, strict=True):
            table.update_cell(row, column, cell, update_width=True)
