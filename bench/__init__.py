"""The benchmark of pgqrs.

    python -m bench run [--quick] [--long] [--only NAME,…]
                                      measures, and writes build/bench/results.json
    python -m bench compare COMMIT    measures ours in Python beside an older version
    python -m bench show              prints its tables
    python -m bench publish           makes docs/benchmarks.md and its plots of it

In one run and in alternating rounds, on one private PostgreSQL server, all
subjects do the same workloads. Each subject is a process of its own, driven by
lines of JSON (pydriver.py):

    subjects    who is measured, and by which program
    workloads   what is measured, of whom
    goals       what pgqrs wants to reach, and why another may be first
    machine     the machine, the server and the environments of the peers
    processes   CPU time and memory, from outside
    procedures  how each kind of workload is measured
    runner      the rounds
    results     the figures of one run, and what is computed from them
    report      tables and plots
    godriver/   the subjects in Go: floors, row model, pgqrs, River, PgQ
    peers/      the subjects in Python, a file each
    pydriver    what those have in common, and the protocol
    handling    a consumer in a process of its own, for latency, load and memory
"""
