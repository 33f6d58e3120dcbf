"""The programs of the bench: producers and consumers as users write them, which keep a
ledger. `python -m soak.programs.NAME OPTIONS…`; each ends in good order at SIGTERM."""
