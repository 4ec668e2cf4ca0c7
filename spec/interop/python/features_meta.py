"""The meta API, called as any procedure is: sessions, registrations, subscriptions, testaments.

SPDX-License-Identifier: MIT
"""
import re

from autobahn.wamp.types import RegisterOptions

from bench import Bench
from suite import refused, surely
from tap import same, within

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NONE = "wamp.error.no_such_session"
INVALID = "wamp.error.invalid_argument"
ENOUGH = "com.example.enough"

BROKER = ["event_history", "event_retention", "pattern_based_subscription", "payload_transparency",
          "publication_trustlevels", "publisher_exclusion", "publisher_identification",
          "session_meta_api", "subscriber_blackwhite_listing", "subscription_meta_api",
          "subscription_revocation"]
DEALER = ["call_canceling", "call_timeout", "call_trustlevels", "caller_identification",
          "pattern_based_registration", "payload_transparency", "progressive_call_results",
          "registration_meta_api", "registration_revocation", "session_meta_api",
          "shared_registration", "testament_meta_api"]


class Meta(Bench):
    async def t_welcome(self):
        """WELCOME announces the features"""
        peer = await self.join()
        for name in BROKER:
            assert getattr(peer._router_roles["broker"], name) is True, name
        for name in DEALER:
            assert getattr(peer._router_roles["dealer"], name) is True, name
        plain = await self.join("interop")
        assert plain._router_roles["broker"].event_history is None

    async def t_sessions(self):
        """session_meta_api: count, list, get"""
        a, b = await self.joins(2, "killing")
        one, other = a.details.session, b.details.session
        same(await self.ask(a, "wamp.session.count"), [2])
        same(await self.ask(a, "wamp.session.count", ["admin"]), [0])
        same(await self.ask(a, "wamp.session.count", ["anonymous", "admin"]), [2])
        [ids] = await self.ask(b, "wamp.session.list")
        same(sorted(ids), sorted([one, other]))
        same(await self.ask(b, "wamp.session.list", ["admin"]), [[]])
        [details] = await self.ask(a, "wamp.session.get", other)
        same([details["session"], details["authid"], details["authrole"], details["authmethod"]],
             [other, b.details.authid, "anonymous", "anonymous"])
        same(details["transport"]["protocol"], f"wamp.2.{self.way[1]}")
        same(details["transport"]["type"],
             "websocket" if self.way[0] == "websocket" else "rawsocket")
        assert details["transport"]["peer"].startswith(
            "unix:" if self.way[0] == "unix" else "tcp4:127.0.0.1:")
        assert details["transport"]["secure"] is False
        await refused(self.ask(a, "wamp.session.get", 1), NONE)
        await refused(self.ask(a, "wamp.session.get"), INVALID)
        await refused(self.ask(a, "wamp.session.get", "seven"), INVALID)
        await self.leaves(b)
        same(await self.ask(a, "wamp.session.list"), [[one]])

    async def t_sessions_events(self):
        """session_meta_api: on_join, on_leave"""
        watcher = await self.join("killing")
        joined = await self.listen(watcher, "wamp.session.on_join")
        left = await self.listen(watcher, "wamp.session.on_leave")
        peer = await self.join("killing")
        [([details], _, _)] = await joined.take()
        same([details["session"], details["authid"]], [peer.details.session, peer.details.authid])
        await self.leaves(peer)
        [(args, _, _)] = await left.take()
        same(args, [peer.details.session, peer.details.authid, "anonymous"])

    async def t_kill(self):
        """session_meta_api: kill"""
        a, b, c = await self.joins(3, "killing")
        left = await self.listen(a, "wamp.session.on_leave")
        same(await self.ask(a, "wamp.session.kill", b.details.session, reason=ENOUGH,
                            message="go"), [])
        same(await self.ended(b), ENOUGH)
        [(args, _, _)] = await left.take()
        same(args[0], b.details.session)
        await self.ask(a, "wamp.session.kill", c.details.session)
        same(await self.ended(c), "wamp.close.killed")
        await refused(self.ask(a, "wamp.session.kill", b.details.session), NONE)
        await refused(self.ask(a, "wamp.session.kill", a.details.session), NONE)
        d = await self.join("killing")
        await refused(self.ask(a, "wamp.session.kill", d.details.session, reason="not a uri"),
                      "wamp.error.invalid_uri")
        same(await self.ask(d, "wamp.session.count"), [2])

    async def t_kill_many(self):
        """session_meta_api: kill by authid, by authrole, all"""
        a, b, c, d, e = await self.joins(5, "killing")
        same(await self.ask(a, "wamp.session.kill_by_authid", b.details.authid),
             [[b.details.session]])
        same(await self.ask(a, "wamp.session.kill_by_authid", b.details.authid), [[]])
        same(await self.ended(b), "wamp.close.killed")
        same(await self.ask(a, "wamp.session.kill_by_authrole", "admin"), [0])
        same(await self.ask(a, "wamp.session.kill_by_authrole", "anonymous"), [3])
        for peer in (c, d, e):
            same(await self.ended(peer), "wamp.close.killed")
        f = await self.join("killing")
        same(await self.ask(a, "wamp.session.kill_all", reason="wamp.close.normal"), [1])
        same(await self.ended(f), "wamp.close.normal")
        same(await self.ask(a, "wamp.session.count"), [1])

    async def t_kill_crossbar(self):
        """compat = "crossbar": a list of the killed, and its reason"""
        a, b, c = await self.joins(3, "crossbar")
        [ids] = await self.ask(a, "wamp.session.kill_by_authrole", "anonymous")
        same(sorted(ids), sorted([b.details.session, c.details.session]))
        same(await self.ended(b), "wamp.close.normal")
        same(await self.ended(c), "wamp.close.normal")

    async def t_modify_details(self):
        """modify_details"""
        a, b = await self.joins(2)
        ident = b.details.session
        await self.ask(a, "wamp.session.modify_details", ident, {"team": "red", "size": 3})
        [details] = await self.ask(b, "wamp.session.get", ident)
        same([details["team"], details["size"]], ["red", 3])
        await self.ask(a, "wamp.session.modify_details", ident, {"team": None})
        [details] = await self.ask(b, "wamp.session.get", ident)
        assert "team" not in details and details["size"] == 3
        await refused(self.ask(a, "wamp.session.modify_details", ident, {"authid": "root"}),
                      INVALID)
        plain = await self.join("interop")
        await refused(self.ask(plain, "wamp.session.modify_details", 1, {}),
                      "wamp.error.no_such_procedure")

    async def life(self, watcher, kind, attached, detached):
        """Follows the four events of a kind; returns what expects those of one id, in order."""
        inboxes = [await self.listen(watcher, f"wamp.{kind}.{name}")
                   for name in ("on_create", attached, detached, "on_delete")]

        async def expect(ident, session, details):
            for first, inbox in enumerate(inboxes):
                about = None
                while about != ident:
                    [(args, _, _)] = await inbox.take()
                    about = args[1] if first else args[1]["id"]
                same(args[0], session)
                if not first:
                    assert TIMESTAMP.fullmatch(args[1].pop("created"))
                    same(args[1], {"id": ident, **details})

        return expect

    async def t_registrations(self):
        """registration_meta_api"""
        a, b = await self.joins(2)
        life = await self.life(b, "registration", "on_register", "on_unregister")
        name = self.uri()
        registration = await a.register(lambda: None, name, RegisterOptions(invoke="roundrobin"))
        ident, session = registration.id, a.details.session
        same(await self.ask(b, "wamp.registration.lookup", name), [ident])
        same(await self.ask(b, "wamp.registration.lookup", name, {"match": "prefix"}), [])
        same(await self.ask(b, "wamp.registration.match", name), [ident])
        same(await self.ask(b, "wamp.registration.match", f"{name}.more"), [])
        [details] = await self.ask(b, "wamp.registration.get", ident)
        assert TIMESTAMP.fullmatch(details.pop("created"))
        expected = {"uri": name, "match": "exact", "invoke": "roundrobin"}
        same(details, {"id": ident, **expected})
        assert ident in (await self.ask(b, "wamp.registration.list"))[0]["exact"]
        same(await self.ask(b, "wamp.registration.list_callees", ident), [[session]])
        same(await self.ask(b, "wamp.registration.count_callees", ident), [1])
        await registration.unregister()
        await life(ident, session, expected)
        same(await self.ask(b, "wamp.registration.lookup", name), [])
        await refused(self.ask(b, "wamp.registration.get", ident),
                      "wamp.error.no_such_registration")

    async def t_registration_revocation(self):
        """registration_revocation"""
        a, b = await self.joins(2)
        name = self.uri()
        registration = await a.register(lambda: None, name)
        await refused(self.ask(b, "wamp.registration.remove_callee", registration.id,
                               b.details.session), NONE)
        same(await self.ask(b, "wamp.registration.remove_callee", registration.id,
                            a.details.session, reason=ENOUGH), [])
        await self.settled(a)
        await refused(b.call(name), "wamp.error.no_such_procedure")
        await b.register(lambda: "b", name)
        same(await a.ask(name), (["b"], {}))
        await refused(registration.unregister(), "wamp.error.no_such_registration")

    async def t_subscriptions(self):
        """subscription_meta_api"""
        a, b = await self.joins(2)
        life = await self.life(b, "subscription", "on_subscribe", "on_unsubscribe")
        name = self.uri()
        inbox = await self.listen(a, name)
        ident, session = inbox.subscription.id, a.details.session
        prefix = (await self.listen(b, name[:-1], match="prefix")).subscription.id
        same(await self.ask(b, "wamp.subscription.lookup", name), [ident])
        same(await self.ask(b, "wamp.subscription.lookup", name, {"match": "wildcard"}), [])
        same(await self.ask(b, "wamp.subscription.lookup", name[:-1], {"match": "prefix"}),
             [prefix])
        same(await self.ask(b, "wamp.subscription.match", name), [[ident, prefix]])
        same(await self.ask(b, "wamp.subscription.match", "nobody.has.this"), [])
        [details] = await self.ask(b, "wamp.subscription.get", ident)
        assert TIMESTAMP.fullmatch(details.pop("created"))
        same(details, {"id": ident, "uri": name, "match": "exact"})
        [lists] = await self.ask(b, "wamp.subscription.list")
        assert ident in lists["exact"] and prefix in lists["prefix"]
        same(await self.ask(b, "wamp.subscription.list_subscribers", ident), [[session]])
        same(await self.ask(b, "wamp.subscription.count_subscribers", ident), [1])
        await inbox.subscription.unsubscribe()
        await life(ident, session, {"uri": name, "match": "exact"})
        await refused(self.ask(b, "wamp.subscription.get", ident),
                      "wamp.error.no_such_subscription")

    async def t_subscription_revocation(self):
        """subscription_revocation, which it announces and takes for a protocol violation"""
        a, b = await self.joins(2)
        name = self.uri()
        inbox = await self.listen(a, name)
        left = await self.listen(b, "wamp.session.on_leave")
        same(await self.ask(b, "wamp.subscription.remove_subscriber", inbox.subscription.id,
                            a.details.session, reason=ENOUGH), [])
        same(await self.ask(b, "wamp.subscription.lookup", name), [])
        await b.publish(name, "late", options=surely())
        await self.ended(a)
        session = None
        while session != a.details.session:
            [(args, _, _)] = await left.take()
            session = args[0]
        same(inbox.items, [])

    async def t_testaments(self):
        """testament_meta_api"""
        a, b, c = await self.joins(3)
        name = self.uri()
        add = "wamp.session.add_testament"
        inbox = await self.listen(b, name)
        same(await self.ask(a, add, name, ["flushed"], {}), [])
        same(await self.ask(a, "wamp.session.flush_testaments"), [])
        await self.ask(a, add, name, ["last", 1], {"k": "v"})
        await self.ask(a, add, name, ["first"], {}, scope="detached")
        await self.ask(a, add, name, ["hidden"], {},
                       publish_options={"exclude": [b.details.session]})
        await refused(self.ask(a, add, name, [], {}, scope="never"), INVALID)
        await refused(self.ask(a, add, "wamp.mine", [], {}), "wamp.error.invalid_uri")
        same(inbox.items, [])
        await self.leaves(a)
        got = await inbox.take(2)
        same([event[:2] for event in got], [(["first"], {}), (["last", 1], {"k": "v"})])
        # A session that is killed has one, and so has one that loses its connection.
        await self.ask(c, add, name, ["killed"], {})
        await self.ask(b, "wamp.session.kill", c.details.session)
        await self.ended(c)
        d = await self.join()
        await self.ask(d, add, name, ["lost"], {})
        d.transport.abort()
        await self.ended(d)
        same([args for args, _, _ in await inbox.take(2)], [["killed"], ["lost"]])
        await self.settled(b)
        same(inbox.items, [])

    async def t_reflection(self):
        """reflection"""
        a, b = await self.joins(2)
        name = self.uri()
        defined = await self.listen(b, "wamp.reflect.on_define")
        await a.register(lambda: None, name)
        await self.listen(a, f"{name}.topic")
        assert name in (await self.ask(b, "wamp.reflection.procedure.list"))[0]
        assert f"{name}.topic" in (await self.ask(b, "wamp.reflection.topic.list"))[0]
        assert "wamp.error.canceled" in (await self.ask(b, "wamp.reflection.error.list"))[0]
        schema = {"kind": "procedure", "args": ["number", {"deep": [None, True]}]}
        same(await self.ask(a, "wamp.reflect.define", name, schema), [])
        [(args, _, _)] = await within(defined.take(), "on_define")
        same(args, [name, schema])
        same(await self.ask(b, "wamp.reflection.procedure.describe", name), [schema])
        same(await self.ask(b, "wamp.reflect.describe", name), [schema])
        await self.ask(a, "wamp.reflect.define", name, None)
        await refused(self.ask(b, "wamp.reflection.procedure.describe", name),
                      "wamp.error.no_such_procedure")
