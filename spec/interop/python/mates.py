"""Sessions that do what another program asks of them; the same as in js/mates.mjs.

SPDX-License-Identifier: MIT
"""
import asyncio
import sys

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallResult, PublishOptions

from peer import WAYS, join


async def mate(way):
    name = f"mate.python_{way[0]}_{way[1]}"
    peer = await join(way)
    events = []

    def fail(*args, **kwargs):
        raise ApplicationError("com.example.mate_failed", *args, **kwargs)

    def drain():
        taken, events[:] = list(events), []
        return taken

    async def publish(options, *args, **kwargs):
        await peer.publish("mate.all.topic", *args,
                           options=PublishOptions(acknowledge=True, **options), **kwargs)

    async def call(procedure, *args, **kwargs):
        try:
            args, kwargs = await peer.ask(procedure, *args, **kwargs)
            return CallResult("result", args, kwargs)
        except ApplicationError as error:
            return CallResult(error.error, list(error.args), error.kwargs)

    await peer.subscribe(lambda *args, **kwargs: events.append([list(args), kwargs]),
                         "mate.all.topic")
    await peer.register(lambda *args, **kwargs: CallResult(*args, **kwargs), f"{name}.echo")
    await peer.register(fail, f"{name}.fail")
    await peer.register(drain, f"{name}.events")
    await peer.register(publish, f"{name}.publish")
    await peer.register(call, f"{name}.call")
    return name


async def serve():
    """Joins over every way, says so, and stays until standard input ends."""
    for way in WAYS:
        print(await mate(way))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
