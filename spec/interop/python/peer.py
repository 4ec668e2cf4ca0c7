"""Autobahn|Python over asyncio: WebSocket, RawSocket on TCP and RawSocket on a unix socket.

Its deviations, as far as the tests have to know them:
- Of the options of a publication it sends those it knows; there is no way to filter by another
  attribute, and none to put one into HELLO.
- A result with one value and no keywords is handed out as that bare value.
- Its RawSocket for asyncio has no answer to PING: it closes the connection. The router asks a peer
  only after 20 s of silence, which no test here lasts.

SPDX-License-Identifier: MIT
"""
import asyncio
import os

import txaio

txaio.use_asyncio()

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory  # noqa: E402
from autobahn.asyncio.wamp import ApplicationSession  # noqa: E402
from autobahn.asyncio.websocket import WampWebSocketClientFactory  # noqa: E402
from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.serializer import create_transport_serializer  # noqa: E402
from autobahn.wamp.types import CallResult, ComponentConfig  # noqa: E402
from autobahn.websocket.compress import PerMessageDeflateOffer  # noqa: E402

from tap import within  # noqa: E402

WAYS = [(kind, serializer) for kind in ("websocket", "rawsocket", "unix")
        for serializer in ("json", "msgpack", "cbor")]


class Peer(ApplicationSession):
    """A session whose life can be waited for. `stays`: GOODBYE leaves the transport open."""

    def __init__(self, realm, stays):
        super().__init__(ComponentConfig(realm))
        self.stays = stays
        self.begin()

    def begin(self):
        loop = asyncio.get_running_loop()
        self.joined = loop.create_future()
        self.left = loop.create_future()

    def onConnect(self):
        self.join(self.config.realm)

    def onJoin(self, details):
        self.details = details
        self.joined.set_result(self)

    def onLeave(self, details):
        if not self.joined.done():
            self.joined.set_exception(ApplicationError(details.reason, details.message))
        if not self.left.done():
            self.left.set_result(details.reason)
        if not self.stays:
            return super().onLeave(details)

    def onUserError(self, fail, msg):
        """Errors of callees are raised on purpose."""

    async def end(self):
        """Leaves; gives the reason of the router's GOODBYE."""
        self.leave()
        return await within(self.left, "GOODBYE")

    async def ask(self, procedure, *args, **kwargs):
        """A call; gives arguments and keywords however many there are."""
        result = await within(self.call(procedure, *args, **kwargs), f"a result of {procedure}")
        if isinstance(result, CallResult):
            return list(result.results), result.kwresults
        return [] if result is None else [result], {}


async def join(way, realm="interop", stays=False):
    """A session over that transport and serializer; raises the reason of ABORT."""
    loop = asyncio.get_running_loop()
    txaio.config.loop = loop
    kind, serializer = way
    peers = []

    def create():
        peers.append(Peer(realm, stays))
        return peers[0]

    serializer = create_transport_serializer(serializer)
    port = int(os.environ["NEXUS_PORT"])
    if kind == "websocket":
        factory = WampWebSocketClientFactory(
            create, url=os.environ["NEXUS_WS"], serializers=[serializer], loop=loop)
        # As browsers do; a router that took the offer up would be hung up on.
        factory.setProtocolOptions(
            perMessageCompressionOffers=[PerMessageDeflateOffer()], tcpNoDelay=True)
        await loop.create_connection(factory, "127.0.0.1", port)
    elif kind == "rawsocket":
        factory = WampRawSocketClientFactory(create, serializer=serializer)
        await loop.create_connection(factory, "127.0.0.1", port)
    else:
        factory = WampRawSocketClientFactory(create, serializer=serializer)
        await loop.create_unix_connection(factory, os.environ["NEXUS_UNIX"])

    async def made():
        while not peers:  # the transport has its own handshake first
            await asyncio.sleep(0.001)
        return await peers[0].joined

    return await within(made(), "a session")


async def rejoin(way, times):
    """Joins and leaves again and again, on one and the same transport."""
    peer = await join(way, stays=True)
    ids = [peer.details.session]
    await peer.end()
    for _ in range(times - 1):
        peer.begin()
        peer.join("interop")
        await within(peer.joined, "a session")
        ids.append(peer.details.session)
        await peer.end()
    peer.disconnect()
    return ids
