"""Autobahn|Python logs in by every method that it has, with TLS and without.

Its own authenticators (autobahn.wamp.auth) do all the work. Its SCRAM has no channel binding, and
with PBKDF2 it fails in its own code, which gives a text where octets are wanted. Of the bindings
for cryptosign it knows tls-unique, which TLS 1.3 does not have.

SPDX-License-Identifier: MIT
"""
import asyncio
import os
import ssl

import txaio

txaio.use_asyncio()

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory  # noqa: E402
from autobahn.asyncio.wamp import ApplicationSession  # noqa: E402
from autobahn.asyncio.websocket import WampWebSocketClientFactory  # noqa: E402
from autobahn.wamp.auth import create_authenticator  # noqa: E402
from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.serializer import create_transport_serializer  # noqa: E402
from autobahn.wamp.types import ComponentConfig  # noqa: E402

from tap import finish, test, within  # noqa: E402

FOLDER = os.environ["NEXUS_LOGINS"]
PORTS = dict(zip(("plain", "tls12", "tls13"), map(int, os.environ["NEXUS_PORTS"].split())))
VERSIONS = {"tls12": ssl.TLSVersion.TLSv1_2, "tls13": ssl.TLSVersion.TLSv1_3}
PASSWORD = "pass word"


def read(name):
    with open(os.path.join(FOLDER, name)) as file:
        return file.read().strip()


def context_of(link, has_certificate):
    if link == "plain":
        return None
    context = ssl.create_default_context(cafile=os.path.join(FOLDER, "ca.pem"))
    context.minimum_version = context.maximum_version = VERSIONS[link]
    if has_certificate:
        context.load_cert_chain(
            os.path.join(FOLDER, "alice.pem"), os.path.join(FOLDER, "alice.key"))
    return context


class Peer(ApplicationSession):
    """A session that logs in with one of autobahn's authenticators, or by a bare method name."""

    def __init__(self, method, authid, authenticator):
        super().__init__(ComponentConfig("interop"))
        self.way_in = (method, authid)
        self.authenticator = authenticator
        self.joined = asyncio.get_running_loop().create_future()

    def onConnect(self):
        extra = self.authenticator.authextra if self.authenticator else None
        self.join("interop", authmethods=[self.way_in[0]], authid=self.way_in[1],
                  authextra=extra)

    def onChallenge(self, challenge):
        assert challenge.method == self.way_in[0]
        answer = self.authenticator.on_challenge(self, challenge)
        return answer.decode() if isinstance(answer, bytes) else answer

    def onWelcome(self, welcome):
        if self.authenticator:
            return self.authenticator.on_welcome(self, welcome.authextra)

    def onJoin(self, details):
        self.joined.set_result(details)

    def onLeave(self, details):
        if not self.joined.done():
            self.joined.set_exception(ApplicationError(details.reason, details.message))
        return super().onLeave(details)


async def login(way, method, authid=None, authenticator=None, headers=None, certificate=False):
    """The session, and what WELCOME said; raises the reason of ABORT."""
    kind, link, serializer = way
    loop = asyncio.get_running_loop()
    txaio.config.loop = loop
    peers, transports = [], []

    def create():
        peers.append(Peer(method, authid, authenticator))
        return peers[0]

    made = create_transport_serializer(serializer)
    context = context_of(link, certificate)
    if kind == "websocket":
        scheme = "ws" if context is None else "wss"
        factory = WampWebSocketClientFactory(
            create, url=f"{scheme}://localhost:{PORTS[link]}/", serializers=[made], loop=loop,
            headers=headers, origin="https://app.example.com")
    else:
        factory = WampRawSocketClientFactory(create, serializer=made)
    if kind == "unix":
        await loop.create_unix_connection(factory, os.environ["NEXUS_UNIX"])
    else:
        transport, protocol = await loop.create_connection(
            factory, "127.0.0.1", PORTS[link], ssl=context,
            server_hostname="localhost" if context else None)
        transports.append(protocol)

    async def wait():
        while not peers:
            await asyncio.sleep(0.001)
        return await peers[0].joined

    details = await within(wait(), "a session")
    return peers[0], details, transports


async def succeeds(way, method, expected, **options):
    peer, details, _ = await login(way, method, **options)
    assert (details.authid, details.authmethod) == expected, details
    if details.authrole == "user":
        assert await within(peer.call("wamp.session.count"), "a count") >= 1
    peer.leave()


async def refused(way, method, uri, **options):
    try:
        await login(way, method, **options)
    except ApplicationError as error:
        assert error.error == uri, error
        return
    raise AssertionError("it was let in")


def authenticators(password, key):
    def cra(authid):
        return create_authenticator("wampcra", authid=authid, secret=password)

    return [
        ("ticket", "ticket", create_authenticator("ticket", authid="ticket", ticket=password)),
        ("wampcra", "plain", cra("plain")),
        ("wampcra", "salted", cra("salted")),
        ("scram", "argon",
         create_authenticator("scram", authid="argon", password=password)),
        ("cryptosign", "device",
         create_authenticator("cryptosign", authid="device", privkey=key)),
    ]


async def bound(way):
    """cryptosign with tls-unique: the signature is of this connection."""
    authenticator = create_authenticator(
        "cryptosign", authid="device", privkey=read("device.key"),
        authextra={"channel_binding": "tls-unique"})
    await succeeds(way, "cryptosign", ("device", "cryptosign"), authid="device",
                   authenticator=authenticator)


async def by_cookie(way):
    authenticator = create_authenticator("ticket", authid="ticket", ticket=PASSWORD)
    peer, _, transports = await login(
        way, "ticket", authid="ticket", authenticator=authenticator)
    cookie = transports[0].http_headers["set-cookie"].split(";")[0]
    peer.leave()
    await succeeds(way, "cookie", ("ticket", "cookie"), headers={"Cookie": cookie})


async def all_tests():
    ways = [("websocket", "plain", serializer) for serializer in ("json", "msgpack", "cbor")]
    ways += [("websocket", "tls12", "json"), ("websocket", "tls13", "cbor"),
             ("rawsocket", "plain", "json"), ("rawsocket", "tls12", "msgpack"),
             ("rawsocket", "tls13", "cbor"), ("unix", "plain", "msgpack")]
    for way in ways:
        name = "autobahn-python " + " ".join(way)
        await test(f"{name}: tls without a certificate",
                   refused(way, "tls", "wamp.error.authentication_failed"))
        for method, authid, authenticator in authenticators(PASSWORD, read("device.key")):
            await test(f"{name}: {method} of {authid}",
                       succeeds(way, method, (authid, method), authid=authid,
                                authenticator=authenticator))
        for method, authid, authenticator in authenticators("wrong", read("router.key")):
            await test(f"{name}: {method} of {authid}, wrong",
                       refused(way, method, "wamp.error.authentication_denied", authid=authid,
                               authenticator=authenticator))
        if way[0] == "websocket":
            await test(f"{name}: cookie", by_cookie(way))
        if way[1] != "plain":
            await test(f"{name}: tls",
                       succeeds(way, "tls", ("alice", "tls"), certificate=True))
        if way[1] == "tls12":
            await test(f"{name}: cryptosign bound to it", bound(way))


asyncio.run(all_tests())
finish()
