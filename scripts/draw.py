"""Draws the pictures of docs/storage.md: which ids are in which row, step by step.

    python scripts/draw.py            (writes docs/storage/*.svg)
    python scripts/draw.py --check    (fails where a file is not what would be drawn)

They have a ground of their own, so that they can be read on light pages and dark ones.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs/storage"

GREY, GREEN, BLUE, ORANGE, RED, WHITE = (
    *("#d9dde3", "#bfe3c3", "#bcd7f5", "#f7d9a8", "#f3bdb8"),
    "#ffffff",
)
LOG, READY, LEASED, DELAYED, DONE, DEAD, GONE = GREY, GREEN, BLUE, ORANGE, GREY, RED, WHITE

Row = tuple[str, Sequence[int], str]
Panel = tuple[str, Sequence[Row]]

PICTURES: dict[str, Sequence[Panel]] = {
    "log-and-spans": [
        (
            "",
            [
                ("pgqrs_log: the payloads", range(1, 13), LOG),
                ("pgqrs_done: archived", (1, 2, 5), DONE),
                ("pgqrs_spans: leased, lease 88", (3, 4, 6), LEASED),
                ("pgqrs_spans: ready", range(7, 12), READY),
                ("pgqrs_spans: delayed until noon", (12,), DELAYED),
            ],
        )
    ],
    "lease": [
        ("Ten messages of one batch", [("ready", range(1, 11), READY)]),
        (
            "A worker takes four: they are split off the front",
            [("lease 91", range(1, 5), LEASED), ("ready", range(5, 11), READY)],
        ),
        (
            "Another takes all that is left: the row is leased as it stands",
            [("lease 91", range(1, 5), LEASED), ("lease 92", range(5, 11), LEASED)],
        ),
    ],
    "merge": [
        (
            "Four messages that were produced singly",
            [("ready", (number,), READY) for number in range(1, 5)],
        ),
        ("One dequeue takes them: one row from now on", [("lease 93", range(1, 5), LEASED)]),
    ],
    "settle": [
        ("A lease of six", [("lease 91", range(1, 7), LEASED)]),
        (
            "2, 3 and 5 are archived: taken out of the one row, put into another",
            [("lease 91", (1, 4, 6), LEASED), ("done: archived", (2, 3, 5), DONE)],
        ),
        (
            "4 is deleted: it leaves its row, and the log",
            [("lease 91", (1, 6), LEASED), ("done: archived", (2, 3, 5), DONE)],
        ),
        (
            "1 is released for an hour: a row of its own, with a vt of its own",
            [
                ("lease 91", (6,), LEASED),
                ("lease 0, delayed", (1,), DELAYED),
                ("done: archived", (2, 3, 5), DONE),
            ],
        ),
    ],
    "suspects": [
        ("A lease of eight whose process died; its vt has passed", [("", range(1, 9), LEASED)]),
        (
            "Second delivery: two at a time (8 >> 2)",
            [("lease 95", (1, 2), LEASED), ("still to come", range(3, 9), READY)],
        ),
        (
            "1 and 2 went well; 3 and 4 died again. Third delivery: one at a time",
            [
                ("done: archived", (1, 2), DONE),
                ("lease 97", (3,), LEASED),
                ("still to come", range(4, 9), READY),
            ],
        ),
        (
            "3 kills its process each time: dead at last, and alone",
            [("done: archived", (1, 2, *range(4, 9)), DONE), ("done: dead", (3,), DEAD)],
        ),
    ],
}

CELL, LINE, LEFT, PAD = 38, 30, 240, 16


def draw(panels: Sequence[Panel]) -> str:
    """One panel below the other; an id stands in the same column in all of them."""
    most = max(max(ids) for _, rows in panels for _, ids, _ in rows)
    parts: list[str] = []
    y = PAD
    for title, rows in panels:
        if title:
            parts.append(_text(PAD, y + 16, title, "bold"))
            y += 26
        for label, ids, colour in rows:
            parts.append(_text(PAD + 12, y + 18, label))
            parts += [_cell(LEFT + CELL * (number - 1), y, str(number), colour) for number in ids]
            y += LINE
        y += PAD
    return _svg(max(LEFT + CELL * most + PAD, 640), y, parts)


def draw_walk() -> str:
    """The entries of the ready index, and where a walk begins."""
    entries = [GONE] * 7 + [READY] * 5 + [DELAYED] * 3
    y = PAD + 60
    parts = [_text(PAD, PAD + 14, "The ready index of a queue, by vt", "bold")]
    for place, colour in enumerate(entries):
        parts.append(_cell(PAD + CELL * place, y, "x" if colour == GONE else "", colour))
    low, end = PAD + CELL * 7, PAD + CELL * 12
    for x, text in ((low, "low watermark"), (end, "now")):
        parts.append(f'<path d="M{x} {y - 18}V{y + 32}" stroke="#222" stroke-width="2"/>')
        parts.append(_text(x + 6, y - 8, text))
    for x, text in (
        (PAD, "settled; not yet vacuumed"),
        (low, "ready: taken in this order"),
        (end, "later"),
    ):
        parts.append(_text(x + 4, y + 52, text))
    return _svg(PAD * 2 + CELL * len(entries), y + 72, parts)


def _cell(x: int, y: int, text: str, colour: str) -> str:
    box = f'<rect x="{x + 1}" y="{y + 2}" width="{CELL - 2}" height="24" rx="3" fill="{colour}"'
    return f'{box} stroke="#667"/>' + _text(x + CELL // 2, y + 19, text, anchor="middle")


def _text(x: int, y: int, text: str, weight: str = "normal", anchor: str = "start") -> str:
    place = f'x="{x}" y="{y}" font-weight="{weight}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(text)}</text>"


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="14" fill="#222">'
    )
    ground = f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>'
    return "\n".join([head, ground, *parts, "</svg>"]) + "\n"


def main() -> int:
    """The program."""
    drawn = {name: draw(panels) for name, panels in PICTURES.items()} | {"walk": draw_walk()}
    files = {FOLDER / f"{name}.svg": text for name, text in drawn.items()}
    if "--check" in sys.argv:
        old = [path.name for path, text in files.items() if path.read_text() != text]
        if old:
            print(f"not as scripts/draw.py draws them: {', '.join(old)}")
        return 1 if old else 0
    FOLDER.mkdir(exist_ok=True)
    for path, text in files.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
