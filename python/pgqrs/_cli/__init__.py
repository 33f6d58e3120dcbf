"""The command line: thin, over the public classes, with click for the arguments and
rich for the screen (docs/adr/0070-command-line.md).

    _command   the kinds of command, and the options that each has
    _session   what those options say, and connecting
    _run       coroutines, signals and exit statuses
    _output    records and lists, as tables or JSON
    _confirm   asking before something is destroyed
    _progress  bars
    _lines     standard input and files, line by line

and a file for each noun. Nothing of the package imports it but pgqrs.__main__.
"""

from __future__ import annotations

from . import (
    _archive,
    _bench,
    _completion,
    _consume,
    _demo,
    _dlq,
    _message,
    _produce,
    _queue,
    _schema,
    _top,
    _worker,
)
from ._command import cli

__all__ = ["cli"]

for _command in (
    *_schema.COMMANDS,
    _queue.queue,
    _produce.produce,
    _consume.consume,
    _message.message,
    _archive.archive,
    _dlq.dlq,
    _worker.worker,
    _top.top,
    _bench.bench,
    _demo.demo,
    _completion.completion,
):
    cli.add_command(_command)
del _command
