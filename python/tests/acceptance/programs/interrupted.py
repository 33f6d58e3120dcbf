"""interrupted.py DSN HOW LOOP: works on ten messages until a Ctrl-C."""

import asyncio
import sys

import pgqrs

dsn, how, loop_name = sys.argv[1:]


async def handler(msg):
    print("running", flush=True)
    # Ends a moment after the interrupt, of which it hears nothing.
    for _ in range(40):
        await asyncio.sleep(0.01)
    print("handled", flush=True)


async def main():
    store = await pgqrs.connect(dsn)
    try:
        if how == "wait":
            waiting = pgqrs.consume_iter(store, "tasks").__anext__()
            print("running", flush=True)
            await waiting
            return
        await pgqrs.produce_batch(store, "tasks", range(10))
        if how == "consume":
            await pgqrs.consume(store, "tasks", handler, vt=60)
        else:
            async for _ in pgqrs.consume_iter(store, "tasks", vt=60):
                print("running", flush=True)
                await asyncio.Event().wait()
    finally:
        print("finally", flush=True)


def run():
    if loop_name == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())


try:
    run()
except KeyboardInterrupt:
    sys.exit(130)
