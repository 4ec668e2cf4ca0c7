"""Features that take two, with every client on either side.

SPDX-License-Identifier: MIT
"""
import itertools

from cbor2 import CBORTag

from features_calls import Codec
from suite import surely
from tap import same, test

_numbers = itertools.count(1)


def uri():
    return f"crossing.f{next(_numbers)}"


def plain(value):
    if isinstance(value, CBORTag) and value.tag == 64:
        return value.value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def alike(actual, expected):
    same(plain(actual), plain(expected))


class Crossing:
    def __init__(self, controller, names):
        self.controller = controller
        self.names = names

    def those(self, *words):
        return [name for name in self.names if any(word in name for word in words)]

    async def ask(self, name, word, *args, **kwargs):
        return (await self.controller.ask(f"{name}.{word}", *args, **kwargs))[0]

    async def served(self, name, kind, **options):
        """The URI of a procedure that this session has now."""
        procedure = uri()
        await self.ask(name, "serve", procedure, kind, options)
        return procedure

    async def heard(self, name):
        return (await self.ask(name, "heard"))[0]

    async def features(self):
        for one in self.those("autobahn", "python"):
            await test(f"{one} retains, all others ask for it", self.retained(one))
        for one in self.names:
            await test(f"the testament of {one} reaches all", self.testament(one))
        for one in self.those("autobahn", "wampy"):
            await test(f"{one} discloses itself to all", self.disclosed(one))
        await test("one procedure of all, in turn", self.in_turn())
        for callee in self.names:
            counter = await self.served(callee, "count")
            waiter = await self.served(callee, "wait")
            for caller in self.names:
                await test(f"{callee} gives partial results to {caller}",
                           self.partial(caller, callee, counter))
                await test(f"{caller} waits for {callee} until a timeout",
                           self.timeout(caller, waiter))
                if caller != callee:
                    await test(f"{caller} cancels a call of {callee}",
                               self.canceled(caller, callee, waiter))
        for one in self.those("wampy"):
            for other in self.those("wampy"):
                await test(f"{one} packs payloads for {other}", self.packed(one, other))
        await test("a payload of Autobahn|Python's codec for those without it", self.encoded())

    async def retained(self, publisher):
        topic = uri()
        await self.ask(publisher, "tell", topic, {"retain": True}, "kept", 1, k=[None])
        for name in self.names:
            await self.ask(name, "listen", topic, {"get_retained": True})
            expected = [["kept", 1], {"k": [None]}, {"retained": True, "publisher": None}]
            same(await self.heard(name), [] if name == publisher else [expected])
        await self.ask(publisher, "tell", topic, {}, "live")
        for name in self.names:
            expected = [["live"], {}, {"retained": False, "publisher": None}]
            same(await self.heard(name), [] if name == publisher else [expected])

    async def testament(self, one):
        topic = uri()
        for name in self.names:
            await self.ask(name, "listen", topic, {})
        await self.ask(one, "testament", topic, "gone", one, k={"v": 1})
        for name in self.names:
            same(await self.heard(name), [
                [["gone", one], {"k": {"v": 1}}, {"retained": False, "publisher": None}]])

    async def disclosed(self, one):
        ident, authid = await self.ask(one, "id")
        topic = uri()
        for name in self.names:
            await self.ask(name, "listen", topic, {})
            procedure = await self.served(name, "who")
            for options, expected in (({}, [None] * 3),
                                      ({"disclose_me": True}, [ident, authid, "anonymous"])):
                got = await self.ask(one, "call_with", procedure, options)
                alike(got, ["result", [expected], {}, []])
        await self.ask(one, "tell", topic, {"disclose_me": True}, 1)
        for name in self.names:
            alike(await self.heard(name), [] if name == one else [
                [[1], {}, {"retained": False, "publisher": ident}]])

    async def in_turn(self):
        procedure = uri()
        for name in self.names:
            await self.ask(name, "serve", procedure, "name", {"invoke": "roundrobin"})
        got = [await self.controller.call(procedure) for _ in range(2 * len(self.names))]
        same(got, 2 * self.names)

    async def crossbar(self):
        for callee in self.names:
            counter = await self.served(callee, "count")
            for caller in self.names:
                await test(f'compat = "crossbar": {callee} gives partial results to {caller}',
                           self.partial(caller, callee, counter, asked=True))

    async def partial(self, caller, callee, procedure, asked=False):
        # autobahn of npm is not asked for partial results, since it cannot be interrupted; with
        # the preset it is.
        asked = asked or "autobahn" not in callee
        pieces = [[[n], {"of": 3}] for n in (1, 2, 3)] if asked else []
        same(await self.ask(caller, "call_with", procedure, {}, 3),
             ["result", ["counted", 3], {}, pieces])

    async def timeout(self, caller, procedure):
        error, args, kwargs, _ = await self.ask(
            caller, "call_with", procedure, {"timeout": 10}, uri())
        same([error, kwargs], ["wamp.error.timeout", {}])

    async def canceled(self, caller, callee, procedure):
        error, args, _ = await self.ask(caller, "cancel", procedure, uri(), "kill")
        same(error, "wamp.error.canceled")
        # The last word is the callee's when it can be interrupted and the caller waits for it.
        if "python" in callee and "python" not in caller:
            same(args, ["interrupted"])

    async def packed(self, one, other):
        procedure, topic = await self.served(other, "echo"), uri()
        await self.ask(other, "listen", topic, {})
        kinds = ["json"] if "json" in one + other else ["json", "msgpack", "cbor"]
        for kind in kinds:
            options = {"ppt_scheme": "x_interop", "ppt_serializer": kind}
            got = await self.ask(one, "call_with", procedure, options, "there", [1, None], k="v")
            same(got, ["result", ["there", [1, None]], {"k": "v"}, []])
            if one != other:
                await self.ask(one, "tell", topic, options, "told", k={"v": True})
                same([event[:2] for event in await self.heard(other)],
                     [[["told"], {"k": {"v": True}}]])

    async def encoded(self):
        topic, codec = uri(), Codec()
        for name in self.those("autobahn"):
            await self.ask(name, "listen", topic, {})
        self.controller.set_payload_codec(codec)
        await self.controller.publish(topic, "grüße", options=surely())
        self.controller.set_payload_codec(None)
        octets = codec.encode(True, topic, ("grüße",), {}).payload
        # Its JSON and MessagePack know no octets to send: what came back is looked at in CBOR.
        for name in self.those("autobahn_websocket_cbor", "autobahn_rawsocket_json"):
            [[args, kwargs, _]] = await self.heard(name)
            same([args, kwargs], [[octets], {}])
        for name in self.those("autobahn"):
            await self.heard(name)


async def features(controller, names):
    await Crossing(controller, names).features()


async def crossbar(controller, names):
    """What that preset changes for pairs."""
    await Crossing(controller, names).crossbar()
