"""The benchmark of pgqrs.

    python -m bench run [--quick]     measures, and writes build/bench/results.json
    python -m bench show              prints its tables
    python -m bench publish           makes docs/benchmarks.md and its plots of it

In one run and in alternating rounds, on one private PostgreSQL server, all
subjects do the same workloads. Each subject is a process of its own, driven by
lines of JSON (pydriver.py):

    workloads   what is measured, of whom, and which goals there are
    machine     the machine, the server and the environments of the peers
    runner      the rounds
    results     the figures of one run, and what is computed from them
    report      tables and plots
    godriver/   the subjects in Go: floors, row model, pgqrs
    peers/      the subjects in Python, a file each
"""
