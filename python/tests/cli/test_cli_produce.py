"""pgqrs produce."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def test_one_message_and_its_id(pgqrs, database):
    number = int(pgqrs("produce", "tasks", '{"n": 1.10, "text": "ä"}'))
    assert pgqrs.json("produce", "tasks", "2", "--delay", "1h")[0]["id"] > number
    rows = database.rows("select payload::text, vt > now() from pgqrs_messages order by id")
    assert [row[1] for row in rows] == [False, True]
    text = database.value("select payload::text from pgqrs_log where id = %s", number)
    assert text == '{"n": 1.10, "text": "ä"}', "what is written is kept to the letter"


def test_a_key_is_stored_once(pgqrs):
    (first,) = pgqrs.json("produce", "tasks", "1", "--dedup-key", "k")
    (second,) = pgqrs.json("produce", "tasks", "2", "--dedup-key", "k")
    assert second == first | {"deduplicated": True}
    assert not first["deduplicated"]
    assert "JSON" in pgqrs.refused("produce", "tasks", "{bad", "--dedup-key", "k")
    said = pgqrs.refused("produce", "tasks", "-", "--dedup-key", "k", status=2, input="1\n")
    assert said.startswith("--dedup-key goes with one message")


def test_lines_are_messages_in_their_order(pgqrs, database, tmp_path):
    lines = "".join(f'{{"n": {n}}}\r\n' for n in range(2500)) + "\n\n" + '{"n": 2500}'
    path = tmp_path / "lines"
    path.write_text(lines, newline="")
    assert "2,501 messages" in pgqrs("produce", "tasks", "--file", path)
    query = "select payload->>'n' from pgqrs_messages order by id"
    assert [int(row[0]) for row in database.rows(query)] == list(range(2501))
    assert pgqrs.json("produce", "tasks", "--file", path)[0] == {"stored": 2501, "left_out": 0}
    assert database.value("select count(*) from pgqrs_messages") == 5002


def test_a_bad_line_is_named_and_what_is_before_it_is_stored(pgqrs, database):
    good = [json.dumps({"n": n}) for n in range(1500)]
    lines = "\n".join([*good[:1200], "", "{bad", *good[1200:], '"\\u0000"', "7"])
    said = pgqrs.refused("produce", "tasks", "-", input=lines)
    assert said.startswith("line 1202: the payload is not valid JSON. 1,200 messages are stored")
    assert database.value("select count(*) from pgqrs_messages") == 1200
    result = pgqrs.run("produce", "others", "--keep-going", "--format", "json", input=lines)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"stored": 1501, "left_out": 2}
    first, second, last = result.stderr.splitlines()
    assert first.startswith("line 1202: ")
    assert second.startswith("line 1503: ")
    assert last == "Error: 2 lines were left out; they are named above"


def test_what_cannot_be_stored_is_refused(pgqrs, pgqrs_nowhere):
    assert "JSON" in pgqrs.refused("produce", "tasks", "{bad")
    assert "255" in pgqrs.refused("produce", "x" * 256, "1")
    said = pgqrs_nowhere.refused("produce", "tasks", "1", "--file", __file__, status=2)
    assert said == "either JSON or --file"
    said = pgqrs_nowhere.refused("produce", "tasks", "1", "--delay", "soon", status=2)
    assert "'soon' is no duration" in said


def test_a_server_that_goes_away_is_told_with_what_is_stored(private_server):
    dsn = private_server.fresh_database()
    environment = os.environ | {"PGQRS_DSN": dsn, "PGQRS_CONNECTION_TIMEOUT_SECONDS": "5"}
    with subprocess.Popen(
        [sys.executable, "-m", "pgqrs", "produce", "tasks", "-"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write("1\n2\n3\n")
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not stored(environment, 3):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
        private_server.crash()
        output, said = process.communicate("4\n5\n", timeout=120)
    assert (process.returncode, output) == (1, "")
    assert said.startswith("Error: ")
    assert ". 3 messages are stored, from the lines before line 4" in said
    assert len(said.splitlines()) == 1


def stored(environment: dict[str, str], number: int) -> bool:
    """Whether so many messages are there."""
    command = [sys.executable, "-m", "pgqrs", "queue", "metrics", "tasks", "--format", "json"]
    result = subprocess.run(command, env=environment, capture_output=True)
    return result.returncode == 0 and json.loads(result.stdout)["depth"] == number
