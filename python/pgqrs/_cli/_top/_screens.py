"""What lies over the screen for a while: a question, and the messages of a queue."""

from __future__ import annotations

import json
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Label, Static

from ..._archive_info import ArchivedMessage, Attempt
from .._output import payload, plain, shown


class Question(ModalScreen[bool]):
    """Asks whether to do something: y does it, anything that leaves does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", "Yes"),
        ("n", "answer(False)", "No"),
        ("escape", "answer(False)", "No"),
    ]

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Label(self._what, markup=False)
            yield Label("y yes    n no", classes="hint")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class Messages(ModalScreen[int | None]):
    """Shows messages of a queue; enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "leave", "Back")]

    def __init__(self, queue: str, messages: list[ArchivedMessage]) -> None:
        super().__init__()
        self._queue = queue
        self._messages = messages

    def compose(self) -> ComposeResult:
        with Vertical(classes="page"):
            yield Label(
                f"The latest messages of {self._queue!r} that are done. "
                "enter: look at one, escape: back",
                markup=False,
            )
            yield DataTable(cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("id", "outcome", "ended", "reads", "payload", "error")
        for message in self._messages:
            cells = (message.id, message.outcome, message.archived_at, message.read_ct)
            table.add_row(
                *(shown(cell) for cell in cells),
                payload(message.payload),
                shown(message.error),
                key=str(message.id),
            )

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        assert event.row_key.value is not None
        self.dismiss(int(event.row_key.value))

    def action_leave(self) -> None:
        self.dismiss(None)


class OneMessage(ModalScreen[None]):
    """Shows one message and its history."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,enter", "leave", "Back")]

    def __init__(self, message: ArchivedMessage, history: list[Attempt]) -> None:
        super().__init__()
        self._message = message
        self._history = history

    def compose(self) -> ComposeResult:
        fields = plain(self._message)
        body = fields.pop("payload")
        lines = [f"{name:<19} {shown(value)}" for name, value in fields.items()]
        lines += ["", json.dumps(body, indent=2, ensure_ascii=False), "", "Deliveries:"]
        lines += [
            f"{attempt.attempt:>3}  {shown(attempt.started_at)}  "
            f"worker {attempt.consumer_worker_id}  {attempt.outcome.value}  {attempt.error or ''}"
            for attempt in self._history
        ]
        with VerticalScroll(classes="page"):
            yield Static("\n".join(lines), markup=False)

    def action_leave(self) -> None:
        self.dismiss()
