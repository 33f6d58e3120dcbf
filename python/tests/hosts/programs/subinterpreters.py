"""subinterpreters.py KIND: uses pgqrs in a subinterpreter, isolated (with a GIL of its own,
where this Python has such) or legacy, while the main one has a store open."""

import asyncio
import sys
from pathlib import Path

import pgqrs

try:
    import _interpreters as interpreters  # 3.13
except ImportError:
    import _xxsubinterpreters as interpreters

SOURCE = f"""
import sys
sys.path[:0] = {[str(Path(pgqrs.__file__).parents[1])]!r}
try:
    import pgqrs
except ImportError as error:
    print("ImportError:", error)
else:
    import asyncio

    async def main():
        async with pgqrs.connect("memory://a") as store:
            await pgqrs.produce(store, "tasks", "sub")
            async for msg in pgqrs.consume_iter(store, "tasks"):
                print(msg.payload, await msg.archive())
                break

    asyncio.run(main())
print(end="", flush=True)
"""


def create(kind):
    if sys.version_info >= (3, 13):
        return interpreters.create(kind)
    if sys.version_info >= (3, 12):
        return interpreters.create(isolated=kind == "isolated")
    return interpreters.create()


async def produce(payload):
    await pgqrs.produce(store, "tasks", payload)


# Not while the loop runs: before 3.12 asyncio takes that of one interpreter for the other's.
loop = asyncio.new_event_loop()
store = loop.run_until_complete(pgqrs.connect("memory://b"))
loop.run_until_complete(produce("before"))
interpreter = create(sys.argv[1])
try:
    interpreters.run_string(interpreter, SOURCE)
finally:
    if sys.version_info[:2] != (3, 12):  # where a mere `import asyncio` is fatal at its end
        interpreters.destroy(interpreter)
loop.run_until_complete(produce("after"))
loop.run_until_complete(store.close())
loop.close()
print("main went on", flush=True)
