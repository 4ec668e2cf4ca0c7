"""Publish and subscribe of the Advanced Profile. Filters, exclude_me, acknowledgements and
patterns are in suite.py.

SPDX-License-Identifier: MIT
"""
from bench import Bench
from features_calls import Codec
from suite import refused, surely
from tap import same

EVENTS = "wamp.subscription.get_events"


def publications(events):
    return [event["publication"] for event in events]


class Events(Bench):
    async def t_retention(self):
        """event_retention"""
        a, b, c = await self.joins(3)
        name = self.uri()
        await a.publish(name, "old", options=surely(retain=True))
        kept = await a.publish(name, "kept", options=surely(retain=True), n=1)
        await a.publish(f"{name}.two", "also", options=surely(retain=True))
        inbox = await self.listen(b, name, get_retained=True)
        [(args, kwargs, details)] = await inbox.take()
        same((args, kwargs), (["kept"], {"n": 1}))
        same((details.retained, details.publication), (True, kept.id))
        every = await self.listen(b, name, match="prefix", get_retained=True)
        same([(args, details.topic) for args, _, details in await every.take(2)],
             [(["kept"], name), (["also"], f"{name}.two")])
        # Live events are not retained ones, and who does not ask gets none of those.
        live = await self.listen(c, name)
        await a.publish(name, "live", options=surely())
        [(args, _, details)] = await live.take()
        same((args, details.retained), (["live"], None))

    async def t_retention_filters(self):
        """event_retention: filters hold, no payload deletes"""
        a, b, c = await self.joins(3)
        name = self.uri()
        await a.publish(name, "for b", options=surely(retain=True, eligible=[b.details.session]))
        one = await self.listen(b, name, get_retained=True)
        other = await self.listen(c, name, get_retained=True)
        same([args for args, _, _ in await one.take()], [["for b"]])
        await self.settled(c)
        same(other.items, [])
        await a.publish(name, options=surely(retain=True))
        same([args for args, _, _ in await other.take()], [[]])
        late = await self.join()
        none = await self.listen(late, name, get_retained=True)
        await self.settled(late)
        same(none.items, [])

    async def t_history(self):
        """event_history"""
        a, b = await self.joins(2)
        topic = f"history.{self.uri()}"
        [ident] = await self.ask(b, "wamp.subscription.lookup", "history", {"match": "prefix"})
        ids = [(await a.publish(topic, n, options=surely(), n=n)).id for n in range(5)]

        async def query(**more):
            return await b.ask(EVENTS, ident, topic=topic, **more)

        events, info = await query()
        same(publications(events), ids)
        same([(event["args"], event["kwargs"]) for event in events],
             [([n], {"n": n}) for n in range(5)])
        same((info["more"], events[0]["details"]["topic"], events[0]["subscription"]),
             (False, topic, ident))
        page, info = await query(limit=2)
        same((publications(page), info["more"]), (ids[:2], True))
        page, info = await query(limit=3, after_publication=ids[1])
        same((publications(page), info["more"]), (ids[2:], False))
        page, _ = await query(reverse=True, limit=2)
        same(publications(page), [ids[4], ids[3]])
        page, _ = await query(from_publication=ids[1], before_publication=ids[3])
        same(publications(page), ids[1:3])
        same((await query(after_time="2999-01-01T00:00:00.000Z"))[0], [])

    async def t_history_short(self):
        """event_history: a short memory, and none"""
        a, b = await self.joins(2)
        ids = [(await a.publish("brief.history", n, options=surely())).id for n in range(5)]
        [ident] = await self.ask(b, "wamp.subscription.lookup", "brief.history")
        events, info = await b.ask(EVENTS, ident)
        same(publications(events), ids[2:])
        same(info, {"is_limit_reached": True, "more": False})
        plain = await self.listen(a, self.uri())
        await refused(self.ask(b, EVENTS, plain.subscription.id), "wamp.error.history_unavailable")
        await refused(self.ask(b, EVENTS, (1 << 53) - 1), "wamp.error.no_such_subscription")

    async def t_history_filters(self):
        """event_history: filters hold"""
        a, b, c = await self.joins(3)
        topic = f"history.{self.uri()}"
        authid = [b.details.authid]
        await a.publish(topic, "for b", options=surely(eligible_authid=authid))
        await a.publish(topic, "not for b", options=surely(exclude_authid=authid))
        await a.publish(topic, "for nobody", options=surely(exclude_authrole=["anonymous"]))
        await a.publish(topic, "now only", options=surely(eligible=[b.details.session]))
        [ident] = await self.ask(b, "wamp.subscription.lookup", "history", {"match": "prefix"})
        for peer, expected in ((b, ["for b"]), (c, ["not for b"])):
            events = await self.ask(peer, EVENTS, ident, topic=topic)
            same([event["args"][0] for event in events], expected)

    async def t_history_crossbar(self):
        """compat = "crossbar": the history is one list"""
        a = await self.join("crossbar")
        topic = f"history.{self.uri()}"
        ids = [(await a.publish(topic, n, options=surely())).id for n in range(2)]
        [ident] = await self.ask(a, "wamp.subscription.lookup", "history", {"match": "prefix"})
        [events], _ = await a.ask(EVENTS, ident, topic=topic)
        same(publications(events), ids)

    async def t_publisher_identification(self):
        """publisher_identification, where the realm discloses"""
        for realm, known in (("features", False), ("crossbar", True)):
            a, b = await self.joins(2, realm)
            name = self.uri()
            inbox = await self.listen(a, name)
            await b.publish(name, options=surely())
            [(_, _, details)] = await inbox.take()
            same([details.publisher, details.publisher_authid, details.publisher_authrole],
                 [b.details.session, b.details.authid, "anonymous"] if known else [None] * 3)

    async def t_transaction_hash(self):
        """transaction_hash arrives, forward_for does not"""
        a, b = await self.joins(2)
        name = self.uri()
        inbox = await self.listen(a, name)
        way = [{"session": 1, "authid": "root", "authrole": "admin"}]
        await b.publish(name, options=surely(transaction_hash="0x1234", forward_for=way))
        [(_, _, details)] = await inbox.take()
        same([details.transaction_hash, details.forward_for], ["0x1234", None])

    async def t_payload_transparency(self):
        """payload_transparency: events"""
        a, b = await self.joins(2)
        name, codec = self.uri(), Codec()
        a.set_payload_codec(codec)
        b.set_payload_codec(codec)
        inbox = await self.listen(a, name)
        every = await self.listen(a, name[:-1], match="prefix")
        await b.publish(name, "grüße", [1, None], options=surely(), k={"v": 1.5})
        for box in (inbox, every):
            [(args, kwargs, details)] = await box.take()
            same((args, kwargs), (["grüße", [1, None]], {"k": {"v": 1.5}}))
            same(details.enc_algo, "x_interop")
        same(codec.uris, [name])

    async def t_errors(self):
        """errors of publications and subscriptions"""
        a, b = await self.joins(2)
        await refused(a.publish("wamp.mine", 1, options=surely()), "wamp.error.invalid_uri")
        inbox = await self.listen(b, self.uri())
        await inbox.subscription.unsubscribe()
        await refused(self.ask(a, "wamp.subscription.get", inbox.subscription.id),
                      "wamp.error.no_such_subscription")
        await self.settled(b)
