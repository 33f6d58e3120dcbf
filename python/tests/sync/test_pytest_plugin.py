"""The fixtures that pgqrs has for tests of other programs, in runs of pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fix_page import blocks

WHERE = """
def test_where_it_is(pgqrs_config):
    print("it is", pgqrs_config.dsn.partition(":")[0])


def test_another_one_has_no_queue_of_a_test_before(pgqrs_store):
    assert pgqrs.sync.admin(pgqrs_store).all_queues_metrics() == []
"""
UNUSED = """
import sys


def test_nothing_is_imported_for_who_does_not_ask():
    assert not [name for name in sys.modules if name.startswith("pgqrs._")]
"""


def ran(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_program.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-rP", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        [*command, "test_program.py"], cwd=folder, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("options", "place"), [((), "memory"), (("--pgqrs=server",), "postgresql")]
)
def test_each_test_has_queues_of_its_own(tmp_path, options, place):
    (page,) = blocks("testing.md", "python")
    done = ran(tmp_path, "import asyncio\n" + page + WHERE, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert f"it is {place}" in done.stdout


def test_the_place_can_stand_in_the_configuration_of_pytest(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\npgqrs = nowhere\n")
    done = ran(tmp_path, WHERE)
    assert done.returncode != 0
    assert "pgqrs must be memory or server, not 'nowhere'" in done.stdout


def test_a_run_that_does_not_ask_pays_nothing(tmp_path):
    done = ran(tmp_path, UNUSED)
    assert done.returncode == 0, done.stdout + done.stderr
