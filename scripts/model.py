"""Checks the models in model/*.pml with spin, every reachable state of each.

    python scripts/model.py [WORD ...]     (`make model`; with words: only runs whose line has one)

What to run stands in the models themselves, in lines like

    //: settle MESSAGES=2 SETTLES=2                the sound model within these bounds
    //: settle MESSAGES=2 NO_FENCE ! late_holder   the same, broken on purpose

A name that is not given a value is defined: it takes one rule away from the protocol,
and behind the `!` is what has to be found then: an invariant (model/invariants.h), or
`circle` (somebody waits for ever). A sound run fails when anything is found, a broken one
when nothing or something else is. Invariants that no broken run is about fail too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "model"
RUN = re.compile(r"^//: (?P<name>\S+) (?P<settings>[^!\n]*?)(?:\s*! (?P<find>\w+))?$", re.MULTILINE)
INVARIANT = re.compile(r"^hidden byte (\w+);", re.MULTILINE)
SIDE_BY_SIDE = 2
MEGABYTES = 3500
SECONDS = 240
DEEPEST = 1_000_000
MISSING = "spin is not installed: `apt-get install spin gcc` as root, or `make deps`"


@dataclass(frozen=True)
class Run:
    """One model within one set of bounds."""

    model: Path
    name: str
    settings: tuple[str, ...]
    find: str | None

    @property
    def title(self) -> str:
        """What to call it in the table."""
        broken = " ".join(word for word in self.settings if "=" not in word)
        return f"{self.model.stem} {self.name}" + (f", {broken}" if self.find else "")


@dataclass(frozen=True)
class Verdict:
    """What spin found: the name of a violation, or None; and how much it looked at."""

    found: str | None
    states: int
    seconds: float
    trouble: str = ""

    def is_as_expected(self, run: Run) -> bool:
        """Whether a sound model held, or a broken one failed as it should."""
        return not self.trouble and self.found == run.find


def runs() -> list[Run]:
    """All runs that the models ask for."""
    return [
        Run(model, match["name"], tuple(match["settings"].split()), match["find"])
        for model in sorted(FOLDER.glob("*.pml"))
        for match in RUN.finditer(model.read_text())
    ]


def check(run: Run) -> Verdict:
    """Generate the verifier, compile it, and let it search."""
    with tempfile.TemporaryDirectory(prefix="pgqrs-model-") as folder:
        for source in FOLDER.iterdir():
            if source.is_file():
                shutil.copy(source, folder)
        begin = time.monotonic()
        defines = [f"-D{setting}" for setting in run.settings]
        steps = [
            ["spin", *defines, "-a", run.model.name],
            [
                "gcc",
                "-w",
                "-O2",
                "-DSAFETY",
                "-DCOLLAPSE",
                f"-DMEMLIM={MEGABYTES}",
                "-opan",
                "pan.c",
            ],
            ["./pan", f"-m{DEEPEST}"],
        ]
        output = ""
        for step in steps:
            try:
                done = subprocess.run(
                    step, cwd=folder, capture_output=True, text=True, timeout=SECONDS
                )
            except subprocess.TimeoutExpired:
                return Verdict(None, 0, SECONDS, f"not done after {SECONDS} s")
            output = done.stdout + done.stderr
            if done.returncode != 0 and step[0] != "./pan":
                return Verdict(None, 0, 0, output.strip())
        return read(output, time.monotonic() - begin)


def read(output: str, seconds: float) -> Verdict:
    """Read what the verifier prints."""
    states = re.search(r"^ *(\d+) states, stored", output, re.MULTILINE)
    errors = re.search(r"errors: (\d+)", output)
    if states is None or errors is None:
        return Verdict(None, 0, seconds, output[-500:].strip() or "the verifier said nothing")
    found = None
    trouble = ""
    if violated := re.search(r"assertion violated .*\|\|\s*(\w+)\)", output):
        found = violated[1]
    elif "invalid end state" in output and "pan:1: invalid end state" in output:
        found = "circle"
    elif errors[1] != "0":
        trouble = (re.search(r"^pan:1: .*", output, re.MULTILINE) or ["an error"])[0]
    if "max search depth too small" in output:
        trouble = "not searched to the end: too deep"
    elif found is None and "Search not completed" in output and not trouble:
        trouble = "not searched to the end"
    return Verdict(found, int(states[1]), seconds, trouble)


def show(run: Run, verdict: Verdict) -> None:
    """Print one line of the table."""
    word = "ok" if verdict.is_as_expected(run) else "FAILED"
    said = verdict.trouble or (f"finds {verdict.found}" if verdict.found else "holds")
    if not verdict.is_as_expected(run) and run.find:
        said += f", not {run.find}"
    seen = f"{verdict.states:>10,} states {verdict.seconds:>5.0f} s"
    print(f"  {run.title:<52} {word:<6} {seen}  {said}", flush=True)


def unproved(all_runs: list[Run]) -> list[str]:
    """The invariants that no broken variant shows to be looked at."""
    named = INVARIANT.findall((FOLDER / "invariants.h").read_text())
    shown = {run.find for run in all_runs}
    return [name for name in named if name not in shown]


def main(words: list[str]) -> int:
    """Check everything; 0 when all is as it should be."""
    if shutil.which("spin") is None or shutil.which("gcc") is None:
        print(MISSING, file=sys.stderr)
        return 1
    begin = time.monotonic()
    chosen = [run for run in runs() if not words or any(word in run.title for word in words)]
    failed = 0
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for run, verdict in zip(chosen, pool.map(check, chosen), strict=True):
            show(run, verdict)
            failed += not verdict.is_as_expected(run)
    sound = sum(run.find is None for run in chosen)
    seconds = time.monotonic() - begin
    print(f"{sound} sound models, {len(chosen) - sound} broken ones, {seconds:.0f} s")
    for name in unproved(runs()):
        print(f"  * no broken variant violates {name}")
        failed += 1
    if not chosen:
        print("no such run")
        failed += 1
    print(f"FAILED: {failed}" if failed else "the sound hold, the broken are found out")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
