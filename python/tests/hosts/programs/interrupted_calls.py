"""interrupted_calls.py DSN LOOP: a Ctrl-C in each call, while the server keeps it
waiting. Prints "in NAME" when a call is on its way, and "out of NAME" when the interrupt
has ended asyncio.run(); then the next one."""

import asyncio
import contextlib
import socket
import sys

import psycopg

import pgqrs

dsn, loop_name = sys.argv[1:]
kept = []
TABLES = "pgqrs_queues, pgqrs_log, pgqrs_spans, pgqrs_done, pgqrs_workers"


def calls(store, consumer, message):
    return {
        "produce": lambda: pgqrs.produce(store, "tasks", 1),
        "produce_batch": lambda: pgqrs.produce_batch(store, "tasks", [1, 2]),
        "dequeue": lambda: consumer.dequeue(),
        "archive": lambda: message.archive(),
        "delete": lambda: message.delete(),
        "release": lambda: message.release(),
        "extend_vt": lambda: message.extend_vt(1),
        "archive_batch": lambda: consumer.archive_batch([message.id]),
        "register": lambda: store.producer("tasks"),
        "create_queue": lambda: store.queue("new"),
        "queue_metrics": lambda: pgqrs.admin(store).queue_metrics("tasks"),
        "consume": lambda: pgqrs.consume(store, "tasks", print, shutdown_timeout=5),
        "consume_iter": lambda: pgqrs.consume_iter(store, "tasks").__anext__(),
        "close": lambda: store.close(),
        "connect": lambda: connect_to_silence(),
    }


async def connect_to_silence():
    """To a server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        await pgqrs.connect(f"postgresql://user@127.0.0.1:{port}/db")


async def main(name):
    store = await pgqrs.connect(dsn)
    consumer = await store.consumer("tasks")
    await pgqrs.produce(store, "tasks", 1)
    (message,) = await consumer.dequeue_many_with_delay(1, 3600)
    call = calls(store, consumer, message)[name]
    holder = psycopg.connect(dsn)
    holder.execute(f"lock table {TABLES} in access exclusive mode")
    try:
        if name == "close":
            kept.append(asyncio.ensure_future(pgqrs.produce(store, "tasks", 1)))
            await asyncio.sleep(0)
        # The call runs to its first await before the loop calls back.
        asyncio.get_running_loop().call_soon(lambda: print("in", name, flush=True))
        await call()
    finally:
        holder.close()
        if name != "close":
            await message.release()
            await store.close()


def run(name):
    if loop_name == "uvloop":
        import uvloop

        uvloop.run(main(name))
    else:
        asyncio.run(main(name))


for each in calls(None, None, None):
    with contextlib.suppress(KeyboardInterrupt):
        run(each)
        print("finished", each, flush=True)
        continue
    print("out of", each, flush=True)
