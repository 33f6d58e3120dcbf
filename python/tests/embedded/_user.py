"""A process that uses an embedded server until its input ends. Argument: the DSN."""

import sys

from pgqrs import _embedded

dsn, stop = _embedded.start(sys.argv[1])
print(dsn, flush=True)
sys.stdin.read()
stop()
