"""The command `pgqrs`, also `python -m pgqrs`: docs/command-line.md.

Its libraries are the extra `pgqrs[cli]`, which nothing else of the package needs.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; ends the process with its exit status."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        print(
            f"pgqrs: the command line needs {error.name}: pip install 'pgqrs[cli]'", file=sys.stderr
        )
        sys.exit(1)
    from ._cli import cli

    cli()


if __name__ == "__main__":
    main()
