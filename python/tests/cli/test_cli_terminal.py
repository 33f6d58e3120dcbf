"""At a terminal: colours, bars, questions and Ctrl-C."""

from __future__ import annotations

import os
import signal

from terminal import Terminal

ESCAPE = b"\x1b["


def test_colours_bars_and_questions_are_for_terminals(pgqrs, dsn, tmp_path):
    path = tmp_path / "lines"
    path.write_text("1\n" * 20_000)
    with Terminal("produce", "tasks", "--file", str(path), PGQRS_DSN=dsn) as terminal:
        assert terminal.ended() == 0
        terminal.shows("stored 20,000 messages")
        assert "storing" in terminal.text
        assert "20,000" in terminal.text
        assert "/s" in terminal.text
    with Terminal("queue", "list", PGQRS_DSN=dsn) as terminal:
        assert terminal.ended() == 0
        assert ESCAPE + b"1m" in terminal.written, "headings are bold"
    with Terminal("queue", "purge", "tasks", PGQRS_DSN=dsn) as terminal:
        terminal.shows("Delete the 20,000 live messages of queue 'tasks'? [y/N]:")
        terminal.press("n\n")
        assert terminal.ended() == 1
        terminal.shows("Error: nothing was done")
    with Terminal("queue", "purge", "tasks", PGQRS_DSN=dsn) as terminal:
        terminal.shows("[y/N]:")
        # One that arrives just before input() waits is not heard by any Python program.
        # So it is pressed again; and one that comes when Python is at its end kills it.
        assert terminal.ended(pressing="\x03") in (130, -signal.SIGINT)
    with Terminal("queue", "purge", "tasks", PGQRS_DSN=dsn) as terminal:
        terminal.shows("[y/N]:")
        terminal.press("y\n")
        assert terminal.ended() == 0
        terminal.shows("deleted 20,000 messages")
    assert pgqrs.json("queue", "metrics", "tasks")[0]["depth"] == 0


def test_a_table_fits_the_terminal_and_no_color_has_none(pgqrs, dsn):
    pgqrs("queue", "create", "a queue with a name that is long " + "x" * 60)
    with Terminal("queue", "list", columns=60, NO_COLOR="1", PGQRS_DSN=dsn) as terminal:
        assert terminal.ended() == 0
        terminal.shows("a queue")
        assert "depth" in terminal.text
        assert "oldest" not in terminal.text, "what does not fit is left out, from the right"
        assert b"\x1b[3" not in terminal.written
        assert terminal.text.splitlines()[0].startswith("queue")


def test_ctrl_c_ends_what_waits_in_good_order(pgqrs, dsn):
    pgqrs("produce", "tasks", "-", input="1\n2\n3\n")
    with Terminal("consume", "empty", PGQRS_DSN=dsn) as terminal:
        terminal.until(lambda _: pgqrs.json("worker", "list", "--status", "polling"), "a worker")
        terminal.press("\x03")
        assert terminal.ended() == 130
        assert "Traceback" not in terminal.text
    with Terminal("produce", "tasks", "-", PGQRS_DSN=dsn) as terminal:
        terminal.press('"typed"\n')
        terminal.until(
            lambda _: pgqrs.json("queue", "metrics", "tasks")[0]["depth"] == 4, "what was typed"
        )
        terminal.press("\x03")
        assert terminal.ended() == 130
        assert "1 messages are stored" in terminal.text
        assert "Traceback" not in terminal.text


SLOW = 'read n; echo "began $n"; read go < "$GATE"; echo "ended $n"; exit 0'


def test_ctrl_c_lets_a_program_end_and_a_second_one_ends_it(pgqrs, dsn, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pgqrs("produce", "tasks", "-", input="1\n2\n3\n")
    command = ("consume", "tasks", "--vt", "1h", "--", "sh", "-c", SLOW)
    with Terminal(*command, PGQRS_DSN=dsn, GATE=str(gate)) as terminal:
        terminal.shows("began 1")
        terminal.press("\x03")
        terminal.shows("waiting for 1 messages that are in work")
        gate.write_text("go\n")
        assert terminal.ended() == 130
        assert "ended 1" in terminal.text
    (numbers,) = pgqrs.json("queue", "list")
    assert (numbers["archived"], numbers["ready"], numbers["leased"]) == (1, 2, 0)
    with Terminal(*command, PGQRS_DSN=dsn, GATE=str(gate)) as terminal:
        terminal.shows("began 2")
        terminal.press("\x03")
        terminal.shows("waiting for 1 messages that are in work")
        terminal.press("\x03")
        assert terminal.ended() == 130
        assert "Traceback" not in terminal.text
    (numbers,) = pgqrs.json("queue", "list")
    assert (numbers["archived"], numbers["ready"]) == (1, 1)
    # At once may be before it was told that the message failed: then its lease runs out.
    assert numbers["delayed"] + numbers["leased"] == 1
