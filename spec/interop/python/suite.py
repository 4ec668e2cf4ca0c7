"""What Autobahn|Python must be able to do with the router, over one transport and serializer.

SPDX-License-Identifier: MIT
"""
import asyncio
import itertools

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import (
    CallResult,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

from peer import join, rejoin
from tap import same, test, within

MIB = 1 << 20


def nested(depth):
    return ["bottom"] if depth == 0 else {"deeper": [nested(depth - 1)]}


VALUES = {
    "small integers": [0, 1, 23, 24, 127, 128, 255, 256, 65535, 65536],
    "negative integers": [-1, -24, -25, -32, -33, -128, -129, -32768, -32769, -(1 << 31),
                          -(1 << 31) - 1],
    "large integers": [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 10**15],
    "integers up to 2^53": [(1 << 53) - 1, -(1 << 53) + 1, 1 << 53, -(1 << 53)],
    "integers of 64 bits": [(1 << 53) + 1, (1 << 63) - 1, -(1 << 63), 1 << 63, (1 << 64) - 1],
    "floats": [0.5, -1.25, 0.1, 3.141592653589793, 1e300, -1e-300, 5e-324,
               1.7976931348623157e308],
    "floats that are whole": [0.0, 1.0, -3.0, 1e15, 1e22],
    "unicode": ["", "plain", "grüße", "здравствуйте", "日本語", "👩‍🚀🎉", '"\\/\b\f\n\r\t',
                "\u2028\u2029", "x" * 300],
    "null and booleans": [None, True, False],
    "empty list and dict": [[], {}, [[]], [{}], {"a": []}, {"a": {}}],
    "nested": [nested(20), [[1, [2, [3, [4]]]], {"a": {"b": {"c": [{"d": None}]}}}]],
    "unusual keys": [{"": 1, "with space": 2, "ключ": 3, "a.b": 4, "1": 5}],
    "octets": [b"", b"\0", bytes.fromhex("00ff10fe7f80"), b"\xa5" * 70000],
}


async def refused(awaitable, uri, args=None, kwargs=None):
    """It must fail with that WAMP error, and with this payload when it is given."""
    try:
        await within(awaitable, f"the error {uri}")
    except ApplicationError as error:
        assert error.error == uri, error
        if args is not None:
            same(list(error.args), args)
            same(error.kwargs, kwargs)
    else:
        raise AssertionError(f"no error, expected {uri}")


class Inbox:
    """The events of one subscription."""

    def __init__(self):
        self.items = []
        self.more = asyncio.Event()
        self.subscription = None

    @classmethod
    async def open(cls, peer, topic, **options):
        inbox = cls()

        def on_event(*args, details, **kwargs):
            inbox.items.append((list(args), kwargs, details))
            inbox.more.set()

        inbox.subscription = await within(
            peer.subscribe(on_event, topic, SubscribeOptions(details=True, **options)),
            "SUBSCRIBED")
        return inbox

    async def take(self, count=1):
        async def enough():
            while len(self.items) < count:
                self.more.clear()
                await self.more.wait()

        await within(enough(), f"{count} events")
        taken, self.items = self.items[:count], self.items[count:]
        return taken


async def listen(peer, topic, match=None):
    return await Inbox.open(peer, topic, match=match)


def surely(**options):
    return PublishOptions(acknowledge=True, **options)


class Suite:
    def __init__(self, way):
        self.way = way
        self.numbers = itertools.count(1)

    def uri(self):
        return f"interop.python.{self.way[0]}.{self.way[1]}.u{next(self.numbers)}"

    async def run(self):
        """Each method whose name begins with t_ is a test. After a failure there are new sessions,
        so that one fault is told once."""
        title = f"autobahn-python {self.way[0]} {self.way[1]}"
        await self.fresh()
        for name in [name for name in dir(type(self)) if name.startswith("t_")]:
            words = name[2:].replace("_", " ")
            if not await test(f"{title}: {words}", getattr(self, name)()):
                await self.fresh()
        for name, values in VALUES.items():
            if not await test(f"{title}: payload: {name}", self.there_and_back(values)):
                await self.fresh()
        await self.a.end()
        await self.b.end()

    async def fresh(self):
        self.a = await join(self.way)
        self.b = await join(self.way)

    async def until_mark(self, publisher, topic, inboxes):
        """What came before a last event that everybody gets."""
        await publisher.publish(topic, "mark", options=surely())
        got = []
        for inbox in inboxes:
            events = []
            while True:
                [(args, _, _)] = await inbox.take()
                if args == ["mark"]:
                    break
                events.append(args[0])
            got.append(events)
        return got

    async def filtered(self, publisher, expected, **options):
        """Publishes with the filter; expects the event at exactly those of a and b."""
        topic = self.uri()
        inboxes = [await listen(self.a, topic), await listen(self.b, topic)]
        await publisher.publish(topic, "filtered", options=surely(**options))
        got = await self.until_mark(publisher, topic, inboxes)
        same([len(events) == 1 for events in got], expected)
        for inbox in inboxes:
            await inbox.subscription.unsubscribe()

    async def there_and_back(self, values):
        echo, told = self.uri(), self.uri()
        registration = await self.a.register(
            lambda *args, **kwargs: CallResult(*args, **kwargs), echo)
        inbox = await listen(self.a, told)
        for value in values:
            args, kwargs = await self.b.ask(echo, value, "end", value=value)
            same(args, [value, "end"])
            same(kwargs, {"value": value})
            self.b.publish(told, value, value=value)
            [(args, kwargs, _)] = await inbox.take()
            same(args, [value])
            same(kwargs, {"value": value})
        await registration.unregister()
        await inbox.subscription.unsubscribe()

    async def t_welcome(self):
        one, other = self.a.details, self.b.details
        assert one.session != other.session
        assert one.realm == "interop"
        assert one.authrole == one.authmethod == "anonymous"
        assert one.authid and one.authid != other.authid

    async def t_joins_and_leaves_ten_times(self):
        ids = set()
        for _ in range(10):
            peer = await join(self.way)
            ids.add(peer.details.session)
            assert await peer.end() == "wamp.close.goodbye_and_out"
        assert len(ids) == 10

    async def t_ten_sessions_on_one_transport(self):
        assert len(set(await rejoin(self.way, 10))) == 10

    async def t_a_realm_that_there_is_not(self):
        await refused(join(self.way, realm="nowhere"), "wamp.error.no_such_realm")

    async def t_subscribe_publish_unsubscribe(self):
        topic = self.uri()
        inbox = await listen(self.a, topic)
        publication = await self.b.publish(topic, 1, "two", options=surely(), three=3)
        [(args, kwargs, details)] = await inbox.take()
        same(args, [1, "two"])
        same(kwargs, {"three": 3})
        assert details.topic == topic
        assert details.publication == publication.id
        await inbox.subscription.unsubscribe()
        await self.b.publish(topic, "late", options=surely())
        again = await listen(self.a, topic)
        same(await self.until_mark(self.b, topic, [again]), [[]])
        assert not inbox.items

    async def by_pattern(self, match, pattern, hits, misses):
        base = self.uri()
        inbox = await listen(self.a, f"{base}.{pattern}", match)
        for name in misses + hits:
            await self.b.publish(f"{base}.{name}", name, options=surely())
        events = await inbox.take(len(hits))
        same([args for args, _, _ in events], [[name] for name in hits])
        same([details.topic for _, _, details in events], [f"{base}.{name}" for name in hits])
        assert not inbox.items
        await inbox.subscription.unsubscribe()
        await self.b.publish(f"{base}.{hits[0]}", "late", options=surely())
        # The answer comes after an event that was sent before it.
        await refused(self.a.call(self.uri()), "wamp.error.no_such_procedure")
        assert not inbox.items

    async def t_subscribe_by_prefix(self):
        await self.by_pattern("prefix", "pre.one", ["pre.one", "pre.one.two", "pre.onerous"],
                              ["pre.on", "x.pre.one"])

    async def t_subscribe_by_wildcard(self):
        await self.by_pattern("wildcard", "wild..end", ["wild.a.end", "wild.b.end"],
                              ["wild.end", "wild.a.b.end", "wild.a.en"])

    async def t_exclude_me_both_ways(self):
        topic = self.uri()
        inbox = await listen(self.a, topic)
        await self.a.publish(topic, "default", options=surely())
        await self.a.publish(topic, "true", options=surely(exclude_me=True))
        await self.a.publish(topic, "false", options=surely(exclude_me=False))
        same(await self.until_mark(self.b, topic, [inbox]), [["false"]])

    async def t_eligible_and_exclude(self):
        c = await join(self.way)
        one, other = self.a.details, self.b.details
        await self.filtered(c, [True, False], eligible=[one.session])
        await self.filtered(c, [False, True], exclude=[one.session])
        await self.filtered(c, [True, False], eligible=[one.session, other.session],
                            exclude=[other.session])
        await self.filtered(c, [False, False], eligible=[1])
        await self.filtered(c, [True, False], eligible_authid=[one.authid])
        await self.filtered(c, [False, True], exclude_authid=[one.authid])
        await self.filtered(c, [True, True], eligible_authrole=["anonymous"])
        await self.filtered(c, [False, False], eligible_authrole=["admin"])
        await self.filtered(c, [False, False], exclude_authrole=["anonymous"])
        await self.filtered(c, [True, True], exclude_authrole=["admin"])
        await c.end()

    async def t_register_call_unregister(self):
        name = self.uri()
        registration = await self.a.register(
            lambda *args, details, **kwargs: CallResult(*args, details.procedure, **kwargs, x=1),
            name, RegisterOptions(details=True))
        args, kwargs = await self.b.ask(name, 1, 2, three=3)
        same(args, [1, 2, name])
        same(kwargs, {"three": 3, "x": 1})
        await registration.unregister()
        await refused(self.b.call(name), "wamp.error.no_such_procedure")

    async def procedures(self, match, pattern, hits, miss):
        base = self.uri()
        registration = await self.a.register(
            lambda *args, details: details.procedure, f"{base}.{pattern}",
            RegisterOptions(match=match, details=True))
        for name in hits:
            same(await self.b.ask(f"{base}.{name}"), ([f"{base}.{name}"], {}))
        exact = await self.a.register(lambda: "exact", f"{base}.{hits[1]}")
        same(await self.b.ask(f"{base}.{hits[1]}"), (["exact"], {}))
        await refused(self.b.call(f"{base}.{miss}"), "wamp.error.no_such_procedure")
        await exact.unregister()
        await registration.unregister()
        await refused(self.b.call(f"{base}.{hits[0]}"), "wamp.error.no_such_procedure")

    async def t_register_by_prefix(self):
        await self.procedures("prefix", "pre.one", ["pre.one", "pre.one.two"], "pre.on")

    async def t_register_by_wildcard(self):
        await self.procedures("wildcard", "wild..end", ["wild.a.end", "wild.b.end"],
                              "wild.a.b.end")

    async def t_a_procedure_that_another_session_has(self):
        name = self.uri()
        registration = await self.a.register(lambda: None, name)
        await refused(self.b.register(lambda: None, name), "wamp.error.procedure_already_exists")
        await registration.unregister()
        registration = await self.b.register(lambda: None, name)
        await registration.unregister()

    async def t_an_error_of_the_callee(self):
        name = self.uri()

        def fail(*args, **kwargs):
            raise ApplicationError("com.example.oh_dear", *args, **kwargs)

        await self.a.register(fail, name)
        await refused(self.b.call(name, 1, "two", None, why=["because", {}]),
                      "com.example.oh_dear", [1, "two", None], {"why": ["because", {}]})

    async def t_a_callee_that_leaves(self):
        name = self.uri()
        c = await join(self.way)
        await c.register(lambda: asyncio.get_running_loop().create_future(), name)
        result = self.b.call(name)
        await refused(self.b.call(self.uri()), "wamp.error.no_such_procedure")
        await c.end()
        await refused(result, "wamp.error.canceled")
        await refused(self.b.call(name), "wamp.error.no_such_procedure")

    async def t_messages_of_1_MiB(self):
        await self.there_and_back(["m" * MIB, b"\x42" * MIB])

    async def t_a_thousand_calls_in_flight(self):
        name, arrived = self.uri(), []

        def square(n):
            future = asyncio.get_running_loop().create_future()
            arrived.append((future, n))
            if len(arrived) == 1000:
                for waiting, number in reversed(arrived):
                    waiting.set_result(number * number)
            return future

        await self.a.register(square, name)
        results = await within(
            asyncio.gather(*[self.b.call(name, n) for n in range(1000)]), "1,000 results")
        same(results, [n * n for n in range(1000)])

    async def t_ten_thousand_events_in_order(self):
        topic = self.uri()
        inbox = await listen(self.a, topic)
        for first in range(0, 10000, 500):
            for n in range(first, first + 499):
                self.b.publish(topic, n)
            await self.b.publish(topic, first + 499, options=surely())
        same([args[0] for args, _, _ in await inbox.take(10000)], list(range(10000)))
        assert not inbox.items
