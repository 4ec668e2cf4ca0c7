"""Remote procedure calls of the Advanced Profile.

SPDX-License-Identifier: MIT
"""
import asyncio
import json

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, CallResult, EncodedPayload, RegisterOptions

from bench import Bench
from suite import refused
from tap import same, within

EXISTS = "wamp.error.procedure_already_exists"


class Codec:
    """Hides payloads of these tests from the router: JSON, each octet changed."""

    def __init__(self):
        self.uris = []

    def encode(self, is_originating, uri, args=None, kwargs=None):
        if uri.startswith("wamp."):
            return None
        self.uris.append(uri)
        text = json.dumps([uri, args, kwargs]).encode()
        return EncodedPayload(bytes(octet ^ 0x5A for octet in text), "x_interop", "json", "key 7")

    def decode(self, is_originating, uri, encoded):
        assert (encoded.enc_algo, encoded.enc_serializer, encoded.enc_key) == (
            "x_interop", "json", "key 7")
        return json.loads(bytes(octet ^ 0x5A for octet in encoded.payload))


class OddError(Exception):
    """An exception that the session knows by its URI."""

    def __init__(self, *args, why=None):
        super().__init__(*args)
        self.kwargs = {"why": why}


class Calls(Bench):
    async def shared(self, invoke, times):
        """Three callees that answer with their number, and what so many calls got."""
        caller, *callees = await self.joins(4)
        name = self.uri()
        for number, callee in enumerate(callees):
            await callee.register(lambda number=number: number, name,
                                  RegisterOptions(invoke=invoke))
        got = [await caller.call(name) for _ in range(times)]
        return caller, callees, name, got

    async def t_roundrobin(self):
        """shared_registration: roundrobin"""
        caller, callees, name, got = await self.shared("roundrobin", 6)
        same(got, [0, 1, 2, 0, 1, 2])
        [ident] = await self.ask(caller, "wamp.registration.lookup", name)
        same(await self.ask(caller, "wamp.registration.list_callees", ident),
             [[peer.details.session for peer in callees]])
        await self.leaves(callees[1])
        same([await caller.call(name) for _ in range(4)], [0, 2, 0, 2])

    async def t_first_last(self):
        """shared_registration: first and last"""
        caller, callees, name, got = await self.shared("first", 3)
        same(got, [0, 0, 0])
        await self.leaves(callees[0])
        same(await caller.call(name), 1)
        caller, callees, name, got = await self.shared("last", 3)
        same(got, [2, 2, 2])
        await self.leaves(callees[2])
        same(await caller.call(name), 1)

    async def t_random(self):
        """shared_registration: random"""
        caller, callees, name, got = await self.shared("random", 20)
        assert set(got) <= {0, 1, 2}, got
        await self.leaves(callees[0])
        await self.leaves(callees[2])
        same(await caller.call(name), 1)

    async def t_policies(self):
        """shared_registration: policies do not mix"""
        a, b = await self.joins(2)
        name = self.uri()
        await a.register(lambda: None, name, RegisterOptions(invoke="first"))
        for invoke in ("last", "single", None):
            await refused(b.register(lambda: None, name, RegisterOptions(invoke=invoke)), EXISTS)
        await b.register(lambda: None, name, RegisterOptions(invoke="first"))

    async def t_concurrency(self):
        """concurrency"""
        a, b = await self.joins(2)
        name, answer = self.uri(), asyncio.get_running_loop().create_future()

        async def wait():
            return await answer

        await a.register(wait, name, RegisterOptions(concurrency=1))
        first = b.call(name)
        await refused(b.call(name), "wamp.error.no_available_callee")
        answer.set_result("done")
        same(await within(first, "the first result"), "done")
        same(await b.call(name), "done")

    async def t_force_reregister(self):
        """force_reregister"""
        a, b = await self.joins(2)
        name = self.uri()
        old = await a.register(lambda: 1, name)
        force = RegisterOptions(force_reregister=True)
        await refused(b.register(lambda: 3, name, force), "wamp.error.not_authorized")
        same(await b.call(name), 1)
        new = await a.register(lambda: 2, name, force)
        assert new.id != old.id
        same(await b.call(name), 2)
        await refused(old.unregister(), "wamp.error.no_such_registration")

    async def t_caller_identification(self):
        """caller_identification, where the realm discloses, and not by what a caller claims"""
        for realm, known in (("features", False), ("crossbar", True)):
            a, b = await self.joins(2, realm)
            name = self.uri()
            await a.register(
                lambda details: [details.caller, details.caller_authid, details.caller_authrole],
                name, RegisterOptions(details=True))
            mine = [b.details.session, b.details.authid, "anonymous"]
            claim = CallOptions(caller=a.details.session, caller_authid="root",
                                caller_authrole="admin")
            for options in (None, claim):
                same(await b.call(name, options=options), mine if known else [None] * 3)

    async def t_progressive_results(self):
        """progressive_call_results"""
        a, b = await self.joins(2)
        name, got = self.uri(), []

        def count(last, details):
            for number in range(1, last + 1):
                if details.progress:
                    details.progress(number, "of", last, i=number)
            return CallResult("all", last)

        await a.register(count, name, RegisterOptions(details=True))
        options = CallOptions(on_progress=lambda *args, **kwargs: got.append((args, kwargs)))
        args, _ = await b.ask(name, 3, options=options)
        same(args, ["all", 3])
        same(got, [((i, "of", 3), {"i": i}) for i in (1, 2, 3)])
        # A callee is told when nobody wants them.
        same(await b.ask(name, 2), (["all", 2], {}))
        same(len(got), 3)

    async def t_timeout(self):
        """call_timeout, and the callee is interrupted"""
        a, b = await self.joins(2)
        name, called, interrupted = await self.silent(a)
        await refused(b.call(name, "t", options=CallOptions(timeout=20)), "wamp.error.timeout")
        same(await within(called.get(), "the call"), ["t"])
        same(await within(interrupted.get(), "INTERRUPT"), ["t"])
        quick = self.uri()
        await a.register(lambda n: n, quick)
        same(await b.call(quick, 1, options=CallOptions(timeout=15000)), 1)

    async def t_canceling(self):
        """call_canceling, and the callee is interrupted"""
        a, b, c = await self.joins(3)
        name, called, interrupted = await self.silent(a)
        result = b.call(name, "canceled")
        same(await within(called.get(), "the call"), ["canceled"])
        result.cancel()
        same(await within(interrupted.get(), "INTERRUPT"), ["canceled"])
        await self.settled(b)  # took the ERROR that came
        c.call(name, "left").add_done_callback(lambda future: future.exception())
        same(await within(called.get(), "the call"), ["left"])
        await self.leaves(c)
        same(await within(interrupted.get(), "INTERRUPT"), ["left"])
        await self.settled(a)

    async def t_payload_transparency(self):
        """payload_transparency: calls, results, errors"""
        a, b, plain = await self.joins(3)
        name, codec, other = self.uri(), Codec(), Codec()
        a.set_payload_codec(codec)
        b.set_payload_codec(other)

        def fail(*args):
            raise ApplicationError("com.example.odd", *args, why="because")

        await a.register(lambda *args, **kwargs: CallResult(*args, "back", **kwargs), name)
        await a.register(fail, f"{name}.fail")
        same(await b.ask(name, "grüße", 1, k=[None]), (["grüße", 1, "back"], {"k": [None]}))
        await refused(b.call(f"{name}.fail", 1), "com.example.odd", [1], {"why": "because"})
        same(codec.uris, [name, "com.example.odd"])
        same(other.uris, [name, f"{name}.fail"])
        # Who has no codec is called as ever.
        await plain.register(lambda *args: list(args), f"{name}.plain")
        same(await plain.call(f"{name}.plain", 1), [1])

    async def t_errors(self):
        """errors of calls and registrations"""
        a, b = await self.joins(2)
        name = self.uri()
        a.define(OddError, "com.example.odd")
        b.define(OddError, "com.example.odd")

        def fail():
            raise OddError(1, ["x"], why={})

        def crash():
            raise ValueError("seven")

        await a.register(fail, name)
        await a.register(crash, f"{name}.crash")
        try:
            await b.call(name)
        except OddError as error:
            same([list(error.args), error.kwargs], [[1, ["x"]], {"why": {}}])
        else:
            raise AssertionError("no error")
        await refused(b.call(f"{name}.crash"), "wamp.error.runtime_error", ["seven"], {})
        await refused(b.register(lambda: None, name), EXISTS)
        await refused(b.register(lambda: None, "wamp.mine"), "wamp.error.invalid_uri")
