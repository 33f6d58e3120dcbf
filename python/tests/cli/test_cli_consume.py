"""pgqrs consume."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import json, os, sys
n = json.load(sys.stdin)["n"]
about = [os.environ[name] for name in ("PGQRS_QUEUE", "PGQRS_READ_CT")]
print("number", n, *about, flush=True)
if n == 2:
    print("first words", file=sys.stderr)
    print("cannot do 2", file=sys.stderr)
    sys.exit(3)
if n == 3:
    os.abort()
"""


def test_messages_are_printed_as_they_were_written(pgqrs, database):
    texts = ['{"n": 1.10}', '{"n":2}', '["a", 1e400]', "4"]
    pgqrs("produce", "tasks", "-", input="\n".join(texts))
    database.execute("select pgqrs_produce('tasks', E'{\\n  \"five\": 5\\r\\n}')")
    lines = pgqrs("consume", "tasks", "--count", 3).splitlines()
    assert [line.partition('"payload": ')[2][:-1] for line in lines] == texts[:3]
    first = json.loads(lines[0])
    assert (first["queue"], first["read_ct"], first["payload"]) == ("tasks", 1, {"n": 1.1})
    (numbers,) = pgqrs.json("queue", "metrics", "tasks")
    assert (numbers["archived"], numbers["ready"], numbers["leased"]) == (3, 2, 0)
    rest = pgqrs("consume", "tasks", "--until-empty", "--concurrency", 10, "--count", 10)
    assert [json.loads(line)["payload"] for line in rest.splitlines()] == [4, {"five": 5}]


def test_a_program_is_run_for_each_message(pgqrs, database, capfd):
    pgqrs("produce", "tasks", "-", input='{"n": 1}\n{"n": 2}\n{"n": 3}\n{"n": 4}\n')
    command = [sys.executable, "-c", PROGRAM]
    result = pgqrs.run("consume", "tasks", "--count", 4, "--vt", "1h", "--", *command)
    assert result.exit_code == 1
    assert capfd.readouterr().out.splitlines() == [f"number {n} tasks 1" for n in (1, 2, 3, 4)]
    assert "first words\ncannot do 2\n" in result.stderr
    assert result.stderr.endswith("Error: 2 deliveries failed\n")
    (numbers,) = pgqrs.json("queue", "metrics", "tasks")
    assert (numbers["archived"], numbers["delayed"], numbers["leased"]) == (2, 2, 0)
    ids = [row[0] for row in database.rows("select id from pgqrs_messages order by id")]
    errors = [pgqrs.json("message", "history", number)[0]["error"] for number in ids]
    assert errors == ["cannot do 2", "ended by signal 6"]


def test_a_program_need_not_read_its_input(pgqrs):
    pgqrs("produce", "tasks", json.dumps("x" * 1_000_000))
    pgqrs("consume", "tasks", "--until-empty", "--", "true")
    assert pgqrs.json("queue", "metrics", "tasks")[0]["archived"] == 1


def test_a_program_that_is_not_there_is_wrong_usage(pgqrs_nowhere):
    said = pgqrs_nowhere.refused("consume", "tasks", "--", "no-such-program", status=2)
    assert said == "there is no program 'no-such-program'"


def test_what_the_reader_of_a_pipe_did_not_take_goes_back(pgqrs, dsn):
    pgqrs("produce", "tasks", "-", input="".join(f'"{"x" * 10_000}{n}"\n' for n in range(500)))
    script = f"{sys.executable} -m pgqrs consume tasks | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PGQRS_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=120,
    )
    first, status = result.stdout.splitlines()
    assert json.loads(first)["payload"].endswith("x0")
    assert (status, result.stderr) == ("141", "")
    (numbers,) = pgqrs.json("queue", "list")
    assert numbers["leased"] == 0
    assert numbers["archived"] + numbers["depth"] == 500
    assert numbers["depth"] > 0
