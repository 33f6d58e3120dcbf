"""blocking.py DSN HOW: does that with pgqrs.sync, until a signal or until it is done."""

import os
import sys
import threading
import time

from pgqrs import sync

dsn, how = sys.argv[1:]


def say(word):
    print(word, flush=True)


def handler(message):
    say("running")
    deadline = time.monotonic() + 0.4
    while time.monotonic() < deadline:
        time.sleep(0.01)
    say("handled")


def iterate(store):
    say("running")
    next(sync.consume_iter(store, "nothing"))


def consume(store):
    sync.produce_batch(store, "tasks", range(10))
    sync.consume(store, "tasks", handler, vt=60)


def signals(store):
    sync.produce_batch(store, "tasks", range(10))
    sync.consume(store, "tasks", handler, vt=60, handle_signals=True)
    say("ended")


def leave(store):
    """Ends with all of it open, and with a thread that waits."""
    sync.produce_batch(store, "tasks", range(10))
    messages = sync.consume_iter(store, "tasks", vt=600)
    assert next(messages).archive()
    thread = threading.Thread(target=iterate, args=[store], daemon=True)
    thread.start()
    globals()["kept"] = store, messages


def fork():
    child = os.fork()
    with sync.connect(dsn) as store:
        sync.produce(store, "tasks", "child" if child == 0 else "parent")
        if child:
            _, status = os.waitpid(child, 0)
            assert status == 0, status
            child = os.fork()
            if child == 0:
                try:
                    sync.produce(store, "tasks", "too late")
                except sync.PgqrsError as error:
                    say(error)
                os._exit(0)
            os.waitpid(child, 0)
            sync.produce(store, "tasks", "parent again")


if how == "fork":
    fork()
elif how == "leave":
    leave(sync.connect(dsn))
else:
    try:
        with sync.connect(dsn) as store:
            {"iterate": iterate, "consume": consume, "signals": signals}[how](store)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
