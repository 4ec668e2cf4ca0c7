// Publish and subscribe of the Advanced Profile. Filters by session, authid and authrole,
// exclude_me, acknowledgements and patterns are in suite.mjs.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { same } from './tap.mjs';
import { numbers } from './values.mjs';

const surely = { acknowledge: true };

/** An event that stays: by PUBLISH, or by the testament of a session that ends. */
async function retain(t, peer, topic, args, options) {
    if (t.can.anyOption) {
        return peer.publish(topic, args, {}, { ...surely, retain: true, ...options });
    }
    const mortal = await t.join();
    await mortal.call('wamp.session.add_testament', [topic, args, {}],
        { publish_options: { retain: true, ...options } });
    return t.leaves(mortal);
}

const publications = (args) => args.map((event) => event.publication);

export const events = {
    'event_retention': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        await retain(t, a, name, ['old']);
        await retain(t, a, name, ['kept', 1]);
        await retain(t, a, `${name}.two`, ['also']);
        const inbox = await t.listen(b, name, { get_retained: true });
        const [event] = await inbox.take();
        same(event.args, ['kept', 1]);
        assert.equal(event.details.retained, true);
        const all = await t.listen(b, name, { match: 'prefix', get_retained: true });
        same((await all.take(2)).map(({ args, details }) => [args, details.topic]),
            [[['kept', 1], name], [['also'], `${name}.two`]]);
        // Live events are not retained ones, and who does not ask gets none of those.
        const other = await t.join();
        const live = await t.listen(other, name);
        await a.publish(name, ['live'], {}, surely);
        const [now] = await live.take();
        same(now.args, ['live']);
        assert.ok(!now.details.retained);
    } },

    'event_retention: filters hold': { run: async (t) => {
        const [a, b, c] = await t.joins(3);
        const name = t.uri();
        await retain(t, a, name, ['for all']);
        await retain(t, a, name, ['for b'], { eligible_authid: [b.details.authid] });
        await retain(t, a, name, ['not for b'], { exclude: [b.id, c.id] });
        const one = await t.listen(b, name, { get_retained: true });
        const other = await t.listen(c, name, { get_retained: true });
        same((await one.take())[0].args, ['for b']);
        same((await other.take())[0].args, ['for all']);
        await t.settled(b);
        await t.settled(c);
        same([one.items.length, other.items.length], [0, 0]);
    } },

    'event_retention: no payload deletes': { needs: (can) => can.anyOption, run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        await retain(t, a, name, ['kept']);
        await a.publish(name, undefined, undefined, { ...surely, retain: true });
        const inbox = await t.listen(b, name, { get_retained: true });
        await t.settled(b);
        assert.equal(inbox.items.length, 0);
    } },

    'event_history': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const topic = `history.${t.uri()}`;
        const [id] = await t.ask(b, 'wamp.subscription.lookup', 'history', { match: 'prefix' });
        assert.ok(id, 'the subscription that keeps events');
        const ids = [];
        for (let n = 0; n < 5; n++) {
            ids.push(await a.publish(topic, [n], { n }, surely));
        }
        const query = async (more) => {
            const { args, kwargs } = await b.call('wamp.subscription.get_events', [id],
                { topic, ...more });
            return { events: numbers(args), ...kwargs };
        };
        const all = await query();
        same(publications(all.events), ids);
        same(all.events.map(({ args, kwargs }) => [args, kwargs]),
            [0, 1, 2, 3, 4].map((n) => [[n], { n }]));
        same([all.more, all.events[0].details.topic, all.events[0].subscription],
            [false, topic, id]);
        assert.ok(Date.parse(all.events[0].timestamp) > 1e12, all.events[0].timestamp);
        const page = await query({ limit: 2 });
        same([publications(page.events), page.more], [ids.slice(0, 2), true]);
        const next = await query({ limit: 3, after_publication: ids[1] });
        same([publications(next.events), next.more], [ids.slice(2), false]);
        same(publications((await query({ reverse: true, limit: 2 })).events), [ids[4], ids[3]]);
        same(publications((await query({ from_publication: ids[1],
            before_publication: ids[3] })).events), ids.slice(1, 3));
        same((await query({ after_time: '2999-01-01T00:00:00.000Z' })).events, []);
    } },

    'event_history: a short memory, and none': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const ids = [];
        for (let n = 0; n < 5; n++) {
            ids.push(await a.publish('brief.history', [n], {}, surely));
        }
        const [id] = await t.ask(b, 'wamp.subscription.lookup', 'brief.history');
        const { args, kwargs } = await b.call('wamp.subscription.get_events', [id]);
        same(publications(numbers(args)), ids.slice(2));
        same(kwargs, { is_limit_reached: true, more: false });
        await t.listen(a, t.uri());
        const [plain] = await t.ask(b, 'wamp.subscription.lookup', `${t.base}.f${t.uris}`);
        await assert.rejects(t.ask(b, 'wamp.subscription.get_events', plain),
            { uri: 'wamp.error.history_unavailable' });
        await assert.rejects(t.ask(b, 'wamp.subscription.get_events', Number.MAX_SAFE_INTEGER),
            { uri: 'wamp.error.no_such_subscription' });
    } },

    'event_history: filters hold': { run: async (t) => {
        const [a, b, c] = await t.joins(3);
        const topic = `history.${t.uri()}`;
        for (const [word, options] of [
            ['for b', { eligible_authid: [b.details.authid] }],
            ['not for b', { exclude_authid: [b.details.authid] }],
            ['for nobody', { exclude_authrole: ['anonymous'] }],
            ['now only', { eligible: [b.id, c.id] }],
        ]) {
            await a.publish(topic, [word], {}, { ...surely, ...options });
        }
        const [id] = await t.ask(b, 'wamp.subscription.lookup', 'history', { match: 'prefix' });
        const known = async (peer) => numbers((await peer.call('wamp.subscription.get_events', [id],
            { topic })).args).map(({ args }) => args[0]);
        same(await known(b), ['for b']);
        same(await known(c), ['not for b']);
    } },

    'compat = "crossbar": the history is one list': { run: async (t) => {
        const a = await t.join({ realm: 'crossbar' });
        const topic = `history.${t.uri()}`;
        const ids = [];
        for (const n of [0, 1]) {
            ids.push(await a.publish(topic, [n], {}, surely));
        }
        const [id] = await t.ask(a, 'wamp.subscription.lookup', 'history', { match: 'prefix' });
        const { args } = await a.call('wamp.subscription.get_events', [id], { topic });
        assert.equal(args.length, 1);
        same(publications(numbers(args[0])), ids);
    } },

    'publisher_identification': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        const inbox = await t.listen(a, name);
        await b.publish(name, [1], {}, surely);
        await b.publish(name, [2], {}, { ...surely, disclose_me: true });
        const [hidden, shown] = await inbox.take(2);
        assert.ok(!hidden.details.publisher && !hidden.details.publisher_authid);
        same([shown.details.publisher, shown.details.publisher_authid,
            shown.details.publisher_authrole], [b.id, b.details.authid, 'anonymous']);
        if (t.can.anyOption) {
            b.session.publisher_disclose_me = true;
            await b.publish(name, [3], {}, { acknowledge: true });
            assert.equal((await inbox.take())[0].details.publisher, b.id);
        }
    } },

    'publication_trustlevels': { needs: (can) => can.trustlevels, run: async (t) => {
        for (const [realm, level] of [['features', 3], ['interop', undefined]]) {
            const [a, b] = await t.joins(2, { realm });
            const name = t.uri();
            const inbox = await t.listen(a, name);
            await b.publish(name, [1], {});
            assert.equal((await inbox.take())[0].details.trustlevel, level);
        }
    } },

    'blackwhite_listing by an attribute': { needs: (can) => can.anyOption, run: async (t) => {
        const [a, b, c] = await t.joins(3);
        const name = t.uri();
        const [red, other] = [await t.listen(a, name), await t.listen(b, name)];
        await t.ask(c, 'wamp.session.modify_details', a.id, { team: 'red' });
        await c.publish(name, ['red'], {}, { ...surely, eligible_team: ['red', 'blue'] });
        await c.publish(name, ['not red'], {}, { ...surely, exclude_team: ['red'] });
        await c.publish(name, ['all'], {}, surely);
        same((await red.take(2)).map(({ args }) => args[0]), ['red', 'all']);
        same((await other.take(2)).map(({ args }) => args[0]), ['not red', 'all']);
    } },

    'sharded_subscription': { needs: (can) => can.anyOption, run: async (t) => {
        const [publisher, ...peers] = await t.joins(5);
        const name = t.uri();
        const inboxes = [];
        for (const [i, peer] of peers.entries()) {
            // The last one has no key and gets everything.
            inboxes.push(await t.listen(peer, name, i < 3 ? { nkey: String(101 + i) } : {}));
        }
        await publisher.publish(name, ['one'], {}, { ...surely, rkey: 'sn239019' });
        await publisher.publish(name, ['two'], {}, { ...surely, rkey: 'user-42' });
        await publisher.publish(name, ['mark'], {}, surely);
        const got = [];
        for (const inbox of inboxes) {
            const mine = [];
            while (mine.at(-1) !== 'mark') {
                mine.push((await inbox.take())[0].args[0]);
            }
            got.push(mine);
        }
        same(got, [['one', 'mark'], ['mark'], ['two', 'mark'], ['one', 'two', 'mark']]);
    } },

    'payload_passthru_mode: events': { needs: (can) => can.passthru, run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        const inbox = await t.listen(a, name);
        for (const ppt_serializer of t.way.serializer === 'json' ? ['json'] :
            ['json', 'msgpack', 'cbor']) {
            await b.publish(name, ['packed', 1], { k: { v: null } },
                { ppt_scheme: 'x_interop', ppt_serializer, ppt_cipher: 'none' });
            const [{ args, kwargs, details }] = await inbox.take();
            same(args, ['packed', 1]);
            same(kwargs, { k: { v: null } });
            same([details.ppt_scheme, details.ppt_serializer, details.ppt_cipher],
                ['x_interop', ppt_serializer, 'none']);
        }
    } },
};
