"""Measures what `import pgqrs` costs beyond `import asyncio`, in CPU time.

    python scripts/import_time.py [ROUNDS]

The programs take turns, so that a machine that is slow for a while is slow for all;
what is printed are medians. CPU time, because it says the same on a busy machine.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

PROGRAMS = {
    "asyncio": "import asyncio",
    "pgqrs": "import asyncio, pgqrs",
    "pgqrs.sync": "import asyncio, pgqrs.sync",
}


def cost(program: str) -> float:
    """The milliseconds of CPU time that a Python takes for it."""
    # Installers write bytecode; a setting of this machine must not hide that.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Print the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for program in PROGRAMS.values():
        cost(program)  # writes the bytecode
    costs: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            costs[name].append(cost(program))
    medians = {name: statistics.median(values) for name, values in costs.items()}
    for name, median in medians.items():
        print(f"{name:<10} {median:6.1f} ms {median - medians['asyncio']:+6.1f} ms")


if __name__ == "__main__":
    main()
