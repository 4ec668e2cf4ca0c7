"""What every test of a feature gets: sessions that end with it, names of its own, helpers.

SPDX-License-Identifier: MIT
"""
import asyncio
import itertools

from autobahn.wamp.types import RegisterOptions

from peer import join
from suite import Inbox, refused
from tap import test, within


class Bench:
    """Each method of a subclass whose name begins with t_ is a test, named in its first line."""

    def __init__(self, way):
        self.way = way
        self.base = f"features.python.{way[0]}.{way[1]}.{type(self).__name__.lower()}"
        self.numbers = itertools.count(1)
        self.sessions = []

    async def run(self):
        for name in [name for name in dir(type(self)) if name.startswith("t_")]:
            body = getattr(self, name)
            words = body.__doc__ or name[2:]
            await test(f"autobahn-python {self.way[0]} {self.way[1]}: {words}", self.whole(body))

    async def whole(self, body):
        try:
            await body()
        finally:
            for peer in self.sessions:
                if peer.is_attached():
                    await peer.end()
            self.sessions.clear()

    def uri(self):
        return f"{self.base}.f{next(self.numbers)}"

    async def join(self, realm="features"):
        peer = await join(self.way, realm=realm)
        self.sessions.append(peer)
        return peer

    async def joins(self, count, realm="features"):
        return [await self.join(realm) for _ in range(count)]

    async def leaves(self, peer):
        self.sessions.remove(peer)
        await peer.end()

    async def ended(self, peer):
        """The reason why the session has been ended by others."""
        self.sessions.remove(peer)
        return await within(peer.left, "the end of the session")

    async def ask(self, peer, procedure, *args, **kwargs):
        """The arguments of the result; none when it is null, which looks the same."""
        return (await peer.ask(procedure, *args, **kwargs))[0]

    async def listen(self, peer, topic, **options):
        return await Inbox.open(peer, topic, **options)

    async def settled(self, peer):
        """Whatever was sent to the session before has arrived when this answer has."""
        await refused(peer.call(f"{self.base}.nobody"), "wamp.error.no_such_procedure")

    async def silent(self, peer, **options):
        """A procedure that waits to be interrupted: its name, its calls, its interruptions."""
        name, called, interrupted = self.uri(), asyncio.Queue(), asyncio.Queue()

        # No coroutine: one that is canceled before it began would never run.
        def wait(*args):
            called.put_nowait(list(args))
            result = asyncio.get_running_loop().create_future()
            result.add_done_callback(lambda _: interrupted.put_nowait(list(args)))
            return result

        await peer.register(wait, name, RegisterOptions(**options))
        return name, called, interrupted
