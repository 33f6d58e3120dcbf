"""die.py DSN ID: consumes "tasks" until it is empty; the message of that id kills
the process, as a bug in an extension module would."""

import asyncio
import os
import signal
import sys

import pgqrs

BAD = int(sys.argv[2])


async def handler(msg):
    if msg.id == BAD:
        os.kill(os.getpid(), signal.SIGKILL)


async def main():
    store = await pgqrs.connect(sys.argv[1])
    await pgqrs.consume(store, "tasks", handler, vt=0.3, until_empty=True)


asyncio.run(main())
