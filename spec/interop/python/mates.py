"""Sessions that do what another program asks of them; the same as in js/mates.mjs.

SPDX-License-Identifier: MIT
"""
import asyncio
import sys

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import (
    CallOptions,
    CallResult,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

from peer import WAYS, join


class Mate:
    def __init__(self, way, peer):
        self.way = way
        self.peer = peer
        self.name = f"mate.python_{way[0]}_{way[1]}"
        self.got = []
        self.noted = []

    async def begin(self):
        """Registers each method that is named in lower case without an underscore at its front."""
        await self.peer.subscribe(lambda *args, **kwargs: self.got.append([list(args), kwargs]),
                                  "mate.all.topic")
        for word in ("echo", "fail", "events", "publish", "call", "id", "listen", "heard", "tell",
                     "serve", "call_with", "cancel", "testament"):
            await self.peer.register(getattr(self, word), f"{self.name}.{word}")
        return self.name

    async def outcome(self, begun, *more):
        try:
            args, kwargs = await begun
            return CallResult("result", args, kwargs, *more)
        except ApplicationError as error:
            return CallResult(error.error, list(error.args), error.kwargs, *more)

    def echo(self, *args, **kwargs):
        return CallResult(*args, **kwargs)

    def fail(self, *args, **kwargs):
        raise ApplicationError("com.example.mate_failed", *args, **kwargs)

    def events(self):
        taken, self.got[:] = list(self.got), []
        return taken

    async def publish(self, options, *args, **kwargs):
        await self.tell("mate.all.topic", options, *args, **kwargs)

    async def call(self, procedure, *args, **kwargs):
        return await self.outcome(self.peer.ask(procedure, *args, **kwargs))

    def id(self):
        return CallResult(self.peer.details.session, self.peer.details.authid)

    async def listen(self, topic, options):
        def note(*args, details, **kwargs):
            self.noted.append([list(args), kwargs, {
                "retained": details.retained is True, "publisher": details.publisher}])

        await self.peer.subscribe(note, topic, SubscribeOptions(details=True, **options))

    def heard(self):
        taken, self.noted[:] = list(self.noted), []
        return taken

    async def tell(self, topic, options, *args, **kwargs):
        await self.peer.publish(topic, *args, **kwargs,
                                options=PublishOptions(acknowledge=True, **options))

    async def serve(self, procedure, kind, options):
        def count(n, details):
            for i in range(1, n + 1):
                if details.progress:
                    details.progress(i, of=n)
            return CallResult("counted", n)

        async def wait(topic, details):
            try:
                await self.tell(topic, {})
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                raise ApplicationError("wamp.error.canceled", "interrupted") from None

        endpoint = {
            "name": lambda details: self.name,
            "echo": lambda *args, details, **kwargs: CallResult(*args, **kwargs),
            "who": lambda details: [details.caller, details.caller_authid,
                                    details.caller_authrole],
            "count": count,
            "wait": wait,
        }[kind]
        await self.peer.register(endpoint, procedure, RegisterOptions(details=True, **options))

    async def call_with(self, procedure, options, *args, **kwargs):
        pieces = []
        options = CallOptions(
            on_progress=lambda *args, **kwargs: pieces.append([list(args), kwargs]), **options)
        return await self.outcome(
            self.peer.ask(procedure, *args, options=options, **kwargs), pieces)

    async def cancel(self, procedure, topic, mode):
        """It has no modes, and its own idea of how a canceled call ends."""
        called = asyncio.Event()
        await self.peer.subscribe(called.set, topic)
        result = self.peer.call(procedure, topic)
        await called.wait()
        result.cancel()
        try:
            await result
        except asyncio.CancelledError:
            return CallResult("wamp.error.canceled", [], {})

    async def testament(self, topic, *args, **kwargs):
        mortal = await join(self.way, realm=self.peer.details.realm)
        await mortal.call("wamp.session.add_testament", topic, list(args), kwargs)
        await mortal.end()


async def serve(realm):
    """Joins over every way, says so, and stays until standard input ends."""
    for way in WAYS:
        print(await Mate(way, await join(way, realm=realm)).begin())
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
