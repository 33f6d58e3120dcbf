"""The soak bench of pgqrs: a ledger of what programs were told, faults, and a checker.

    python -m soak run --seconds 120 --seed 7 --faults mix        (`make soak`)

Programs of the public API (`programs/`) produce and consume, and write into files
outside the database what they ask and what they are told (`ledger.py`). Faults strike
meanwhile (`faults.py`), each noted in the same way. At the end the files and the tables
(`tables.py`) are laid side by side, and `checker.py` says what cannot be; `recovery.py`
says who did not go on in time, and who talked too much.

Nothing in pgqrs imports it. It imports the public API, psycopg and psutil, and starts its
servers through core/internal/testserver. docs/soak.md tells what the rules mean.
"""
