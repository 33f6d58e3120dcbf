"""The fixtures of all Python tests, by subject: fix_*.py beside this file."""

pytest_plugins = ["fix_server", "fix_loop", "fix_leaks", "fix_store"]
