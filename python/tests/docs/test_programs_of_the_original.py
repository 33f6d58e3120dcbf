"""Programs in the style of the original's documentation run unchanged: those beside
this file, in programs/."""

from __future__ import annotations

from pathlib import Path

import pytest
from fix_programs import ran_strictly

PROGRAMS = Path(__file__).with_name("programs")

PRINTED = {
    "quickstart": """
        created emails
        there already
        enqueued 5 True
        5 messages in 1 queue
        to ann@example.com try 1
        archived True
        to 0@example.com try 1
        archived True
        extended True
        deleted True False
        archived the rest True
        left []
        4 archived, 4
        the first was True 1
        ready True
        ready True
        deleted the queue True
    """,
    "batches": """
        enqueued 1000
        handled 1000 failed 10
        handled 1050
        left 0
    """,
    "delayed": """
        at once 0
        a second later ['soon'] True
        extended True
        archived True
        extended False
    """,
    "graceful": """
        began 0
        finished True
        began 1
        finished True
        began 2
        finished True
        left 2
        workers 2
    """,
    "polling": """
        queue jobs
        status True
        seen [0, 1, 2, 3, 4, 5]
        status True
        ended StateTransitionError
        released True
        archived [False]
        workers 3
    """,
}


def test_every_program_has_a_test():
    assert {path.stem for path in PROGRAMS.glob("*.py")} == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_a_program_of_the_original_runs_unchanged(mydb, name):
    lines = PRINTED[name].split("\n")
    wanted = "\n".join(line.strip() for line in lines if line.strip()) + "\n"
    assert ran_strictly(str(PROGRAMS / f"{name}.py")) == (0, wanted, "")
