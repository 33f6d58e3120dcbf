"""The benchmark's arithmetic, and that its tables of workloads, subjects and goals fit."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import handling
import pydriver
import pytest
from bench import processes, report
from bench.goals import EXPLANATIONS, GOALS
from bench.procedures import PROCEDURES, WorkNotDone, check, fill_query
from bench.results import Results
from bench.runner import choose
from bench.subjects import DRIVERS, SUBJECTS
from bench.workloads import FULL, GROUPS, QUICK, workloads

PROJECT = Path(__file__).resolve().parents[3]

ABOUT: dict[str, Any] = {
    "machine": {
        "commit": "c0ffee",
        "when": "2026-01-01T00:00:00",
        "cpu": "abacus",
        "cores": 2,
        "memory_gib": 1,
        "system": "Linux",
        "load_before": 0.0,
    },
    "server": {"version": "18", "settings": {"fsync": "on"}},
    "scale": asdict(QUICK),
    "versions": {"pgqrs": {"pgqrs": "0"}},
    "workloads": [asdict(w) for w in workloads(FULL)],
    "absent": {},
    "failed": {},
}


def results(*measurements: tuple[str, str, dict[str, Any]], **about: Any) -> Results:
    made = Results({**ABOUT, **about})
    for turn, (workload, subject, answer) in enumerate(measurements):
        made.add(workload, subject, turn, answer)
    return made


def rate(messages: int, seconds: float, **more: Any) -> dict[str, Any]:
    return {"messages": messages, "seconds": seconds, **more}


def test_the_tables_fit_each_other() -> None:
    for scale in (QUICK, FULL):
        those = workloads(scale)
        ids = [id for w in those for id in w.rows()]
        assert len(ids) == len(set(ids))
        for workload in those:
            assert workload.group in GROUPS
            assert workload.procedure in PROCEDURES
            assert set(workload.subjects) <= set(SUBJECTS)
    assert {subject.driver for subject in SUBJECTS.values()} == set(DRIVERS)
    for driver in DRIVERS.values():
        peer = PROJECT / "bench" / "peers" / f"{driver.file or driver.id}.py"
        assert driver.go or peer.exists()


def test_goals_and_explanations_speak_of_what_is_measured() -> None:
    measured = {id: w.subjects for w in workloads(FULL) for id in w.rows()}
    for goal in GOALS:
        assert goal.subject in measured[goal.workload], goal.title
        if goal.than_rate is None:
            assert goal.than_subject in measured[goal.than_workload], goal.title
    for workload, by_subject in EXPLANATIONS.items():
        assert set(by_subject) <= set(SUBJECTS)
        assert workload in measured


def test_long_workloads_are_measured_only_when_asked_for() -> None:
    def groups(only: str = "", with_long: bool = False) -> set[str]:
        chosen = choose(FULL, only=only, subjects=None, with_long=with_long)
        return {workload.group for workload, _ in chosen}

    is_long = {name for name, group in GROUPS.items() if group.is_long}
    assert groups() == set(GROUPS) - is_long
    assert groups(with_long=True) == set(GROUPS)
    assert groups("backlog,wake") == {"backlog", "wake"}
    assert groups("drain-c1-b50") == {"drain"}
    assert choose(FULL, only="no such", subjects=None, with_long=False) == []


def test_a_figure_is_the_median_of_the_rounds_and_their_spread() -> None:
    rounds = [rate(100, 1.0), rate(300, 1.0), rate(100, 0.5)]
    figure = results(*(("consume", "pgqrs", each) for each in rounds)).figures()["consume", "pgqrs"]
    assert (figure.median, figure.low, figure.high) == (200, 100, 300)
    assert figure.spread == 1
    assert figure.wal_bytes is None
    assert figure.client_us is None


def test_cost_is_divided_by_the_messages() -> None:
    answer = rate(1000, 1.0, wal_bytes=5000, client_seconds=0.01, server_seconds=0.02)
    figure = results(("consume", "pgqrs", answer)).figures()["consume", "pgqrs"]
    assert figure.wal_bytes == 5
    assert figure.client_us == pytest.approx(10)
    assert figure.server_us == pytest.approx(20)


def test_messages_that_never_came_are_the_latest() -> None:
    answer = rate(100, 1.0, samples_ms=[1.0] * 49 + [9.0], missing=50, rate=100)
    figure = results(("load-50", "pgqrs", answer)).figures()["load-50", "pgqrs"]
    assert figure.median == 9
    assert figure.p99 == 9
    assert figure.rate == 100


def test_figures_survive_the_file(tmp_path: Path) -> None:
    made = results(("consume", "pgqrs", rate(10, 2.0)), ("cost-wal", "pgqrs", {"value": 7.5}))
    made.save(tmp_path / "results.json")
    loaded = Results.load(tmp_path / "results.json")
    assert loaded.figures() == made.figures()
    assert loaded.about == json.loads(json.dumps(made.about))
    assert json.loads((tmp_path / "results.json").read_text())["summary"]["consume"]["pgqrs"]


def test_a_goal_compares_two_medians_or_a_median_with_a_rate() -> None:
    made = results(
        ("consume", "pgqrs", rate(70_000, 1.0)),
        ("consume", "awa", rate(10_000, 1.0)),
    )
    ratios = {(o.goal.workload, o.goal.than_subject): (o.ratio, o.is_met) for o in made.outcomes()}
    assert ratios["consume", "awa"] == (7, True)
    assert ratios["consume", ""] == (2, True)
    assert ratios["consume", "pgqueuer"] == (None, False)


def test_a_report_says_who_is_missing_and_who_is_first() -> None:
    text = report.markdown(
        results(
            ("drain-c1-b50", "pgqrs", rate(100, 1.0)),
            ("drain-c1-b50", "rows", rate(200, 1.0)),
            ("consume", "pgqrs", rate(100, 1.0)),
            ("consume", "pgqueuer", rate(50, 1.0)),
            absent={"pgq": "no extension"},
            failed={"consume/awa": "fell over"},
        )
    )
    assert "not run" in text
    assert "- pgq could not run on this machine: no extension" in text
    assert "- consume by awa failed: fell over" in text
    assert "batches of 50: row model (Go) is first. Not explained yet." in text
    assert "one process: pgqueuer is first" not in text


def test_the_page_has_the_marks_between_which_figures_go() -> None:
    page = (PROJECT / "docs" / "benchmarks.md").read_text()
    assert page.index(report.BEGIN) < page.index(report.END)


@pytest.mark.parametrize(
    ("kind", "done", "before", "after"),
    [
        ("produce", 10, 0, 10),
        ("drain", 10, 100, 90),
        ("consume", 10, 100, 85),  # five more were in work when the time was over
        ("load", 10, 0, 0),
    ],
)
def test_work_that_was_done_is_believed(kind: str, done: int, before: int, after: int) -> None:
    check({"kind": kind, "backlog": before}, {"messages": done}, before, after)


@pytest.mark.parametrize(
    ("kind", "done", "before", "after"),
    [
        ("produce", 10, 0, 9),
        ("drain", 10, 100, 100),
        ("consume", 10, 100, 95),
        ("consume", 0, 100, 100),
        ("load", 10, 0, 1),
    ],
)
def test_work_that_was_not_done_is_noticed(kind: str, done: int, before: int, after: int) -> None:
    with pytest.raises(WorkNotDone):
        check({"kind": kind, "backlog": before}, {"messages": done}, before, after)


def test_a_backlog_that_is_not_there_is_noticed() -> None:
    with pytest.raises(WorkNotDone, match="100 was wanted, 99 are there"):
        check({"kind": "drain", "backlog": 100}, {"messages": 1}, 99, 98)


def test_thinned_latencies_keep_their_percentiles() -> None:
    thinned = handling.thin([float(i) for i in reversed(range(10_001))])
    assert len(thinned) == handling.KEPT
    assert (thinned[0], thinned[-1]) == (0, 10_000)
    assert thinned[len(thinned) // 2] == pytest.approx(5000, abs=100)


@pytest.mark.parametrize("size", [80, 1024, 65_536])
def test_a_payload_has_the_size_that_is_wanted(size: int) -> None:
    text = json.dumps(pydriver.payload(size=size), separators=(",", ":"))
    assert len(text) == size


@pytest.mark.loops("plain")
async def test_messages_are_due_at_a_fixed_rate_whatever_the_answers_do() -> None:
    due: list[int] = []
    waiting: list[asyncio.Event] = []

    async def produce(at: int) -> None:
        due.append(at)
        event = asyncio.Event()
        waiting.append(event)
        if len(waiting) == 20:  # none is answered before all were sent
            for each in waiting:
                each.set()
        await event.wait()

    await handling.open_loop(1000, 20, 1e6, produce)
    assert due == [1000 * (i + 1) for i in range(20)]


def test_deep_backlogs_are_made_by_one_query_each() -> None:
    for name in ("pgqrs", "rows"):
        assert "%(n)s" in fill_query(name)
    with pytest.raises(KeyError):
        fill_query("pgq")


def test_a_process_uses_memory_and_processor() -> None:
    has_proc = Path("/proc/self/stat").exists()  # elsewhere there are no such figures
    assert (os.getpid() in processes.tree(os.getppid())) == has_proc
    assert (processes.resident_bytes(os.getpid()) > 2**20) == has_proc
    assert (processes.cpu_seconds(os.getpid()) > 0) == has_proc
