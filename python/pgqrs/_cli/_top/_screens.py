"""What lies over the screen for a while: a question, and the messages of a queue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Label, Static

from ..._archive_info import ArchivedMessage, Attempt
from ..._message_info import MessageInfo
from .._output import NOTHING, payload, plain, shown

AnyMessage: TypeAlias = MessageInfo | ArchivedMessage
"""A message, alive or done."""


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


def _text(value: object) -> str:
    return NOTHING if value is None else str(value)


def _cells(message: AnyMessage) -> list[str]:
    if isinstance(message, MessageInfo):
        state, at, error = message.state.value, message.vt, None
    else:
        state, at, error = message.outcome.value, message.archived_at, message.error
    return [
        str(message.id),
        state,
        shown(at),
        shown(message.read_ct),
        payload(message.payload),
        shown(error),
    ]


class Messages(ModalScreen[int | None]):
    """Shows messages of a queue; enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "leave", "Back")]

    def __init__(self, queue: str, messages: Sequence[AnyMessage]) -> None:
        super().__init__()
        self._queue = queue
        self._messages = messages

    def compose(self) -> ComposeResult:
        with Vertical(classes="page"):
            yield Label(
                f"Messages of {self._queue!r}: live ones, then the latest that are done. "
                "enter: look at one, escape: back",
                markup=False,
            )
            yield DataTable(cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("id", "state", "ready or ended", "reads", "payload", "error")
        for message in self._messages:
            table.add_row(*_cells(message), key=str(message.id))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        assert event.row_key.value is not None
        self.dismiss(int(event.row_key.value))

    def action_leave(self) -> None:
        self.dismiss(None)


class OneMessage(ModalScreen[None]):
    """Shows one message and its history."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,enter", "leave", "Back")]

    def __init__(self, message: AnyMessage, history: Sequence[Attempt]) -> None:
        super().__init__()
        self._message = message
        self._history = history

    def compose(self) -> ComposeResult:
        fields = plain(self._message)
        body = fields.pop("payload")
        lines = [f"{name:<19} {_text(value)}" for name, value in fields.items()]
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
