"""preforking.py DSN: a server that imports its application first and forks its workers
then, as gunicorn does with preload_app: what the application made lazily while it was
imported connects in each worker, and one that dies is replaced by another fork."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pgqrs

DSN = sys.argv[1]
WORKERS = 3

# The application: all of it is made at import, and nothing is connected.
admin = pgqrs.admin(DSN)
emails = pgqrs.producer(admin, "tasks", "host", 8000)
store = None


async def request(number):
    """What a request does: the store is connected by the first one."""
    global store
    if store is None:
        store = await pgqrs.connect(DSN)
    await pgqrs.produce(store, "tasks", [os.getpid(), number])
    await emails.enqueue([os.getpid(), number])


async def work():
    for number in range(5):
        await request(number)
    await store.close()
    await admin.close()


def fork(task):
    child = os.fork()
    if child:
        return child
    try:
        asyncio.run(task())
        sys.stdout.flush()
        os._exit(0)
    except BaseException as error:
        print("worker:", repr(error), flush=True)
        os._exit(1)


async def dies():
    await request(0)
    os.kill(os.getpid(), signal.SIGKILL)


workers = [fork(work) for _ in range(WORKERS)]
first = fork(dies)
_, status = os.waitpid(first, 0)
assert os.WTERMSIG(status) == signal.SIGKILL, status
workers.append(fork(work))  # in its place
assert [os.waitpid(worker, 0)[1] for worker in workers] == [0] * len(workers)
assert "libpgqrs" not in Path("/proc/self/maps").read_text(), "the master has loaded it"
print("all workers ended well")
