// The meta API, called as any procedure is: sessions, registrations, subscriptions, testaments,
// reflection. Ids come from lookups, since not every client tells its own.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { refused, same, within } from './tap.mjs';

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const none = 'wamp.error.no_such_session';
const nothing = { args: [], kwargs: {} };

/** The four events of a kind, in the order of a life. */
async function lifeOf(t, watcher, kind, [attached, detached]) {
    const told = [];
    for (const name of ['on_create', attached, detached, 'on_delete']) {
        told.push(await t.listen(watcher, `wamp.${kind}.${name}`));
    }
    // Of all there are the events that are about this id.
    return async (id, session, details) => {
        const lives = [];
        for (const [i, inbox] of told.entries()) {
            for (;;) {
                const [event] = await inbox.take();
                const about = i === 0 ? event.args[1].id : event.args[1];
                if (about === id) {
                    lives.push(event.args[0]);
                    if (i === 0) {
                        const { created, ...rest } = event.args[1];
                        assert.match(created, timestamp);
                        same(rest, { id, ...details });
                    }
                    break;
                }
            }
        }
        same(lives, Array(4).fill(session));
    };
}

export const meta = {
    'WELCOME announces the features': { run: async (t) => {
        const { details } = await t.join();
        const { broker, dealer } = details.roles;
        for (const name of ['event_history', 'event_retention', 'pattern_based_subscription',
            'payload_passthru_mode', 'publication_trustlevels', 'publisher_exclusion',
            'publisher_identification', 'reflection', 'session_meta_api', 'sharded_subscription',
            'subscriber_blackwhite_listing', 'subscription_meta_api', 'subscription_revocation']) {
            assert.equal(broker.features[name], true, name);
        }
        for (const name of ['call_canceling', 'call_reroute', 'call_timeout', 'call_trustlevels',
            'caller_identification', 'pattern_based_registration', 'payload_passthru_mode',
            'progressive_call_invocations', 'progressive_call_results', 'reflection',
            'registration_meta_api', 'registration_revocation', 'session_meta_api',
            'sharded_registration', 'shared_registration', 'testament_meta_api']) {
            assert.equal(dealer.features[name], true, name);
        }
        const plain = await t.join({ realm: 'interop' });
        assert.equal(plain.details.roles.broker.features.event_history, undefined);
    } },

    'session_meta_api: count, list, get': { run: async (t) => {
        const [a, b] = await t.joins(2, { realm: 'killing' });
        same(await t.ask(a, 'wamp.session.count'), [2]);
        same(await t.ask(a, 'wamp.session.count', ['admin']), [0]);
        same(await t.ask(a, 'wamp.session.count', ['anonymous', 'admin']), [2]);
        const [ids] = await t.ask(b, 'wamp.session.list');
        same(ids.sort(), [a.id, b.id].sort());
        same(await t.ask(b, 'wamp.session.list', ['admin']), [[]]);
        const [details] = await t.ask(a, 'wamp.session.get', b.id);
        assert.equal(details.session, b.id);
        assert.equal(details.authid, b.details.authid);
        assert.equal(details.authrole, 'anonymous');
        assert.equal(details.authmethod, 'anonymous');
        assert.equal(details.transport.protocol, `wamp.2.${t.way.serializer}`);
        assert.equal(details.transport.type,
            t.way.kind === 'websocket' ? 'websocket' : 'rawsocket');
        assert.match(details.transport.peer,
            t.way.kind === 'unix' ? /^unix:/ : /^tcp4:127\.0\.0\.1:\d+$/);
        assert.equal(details.transport.secure, false);
        await refused(t.ask(a, 'wamp.session.get', 1), none);
        await refused(t.ask(a, 'wamp.session.get'), 'wamp.error.invalid_argument');
        await refused(t.ask(a, 'wamp.session.get', 'seven'), 'wamp.error.invalid_argument');
        await t.leaves(b);
        same(await t.ask(a, 'wamp.session.list'), [[a.id]]);
    } },

    'session_meta_api: on_join, on_leave': { run: async (t) => {
        const watcher = await t.join({ realm: 'killing' });
        const joined = await t.listen(watcher, 'wamp.session.on_join');
        const left = await t.listen(watcher, 'wamp.session.on_leave');
        const peer = await t.join({ realm: 'killing' });
        const [{ args: [details] }] = await joined.take();
        assert.equal(details.session, peer.id);
        assert.equal(details.authid, peer.details.authid);
        await t.leaves(peer);
        const [{ args }] = await left.take();
        same(args, [peer.id, peer.details.authid, 'anonymous']);
    } },

    'session_meta_api: kill': { run: async (t) => {
        const [a, b, c] = await t.joins(3, { realm: 'killing' });
        const left = await t.listen(a, 'wamp.session.on_leave');
        same((await a.call('wamp.session.kill', [b.id], { reason: 'com.example.enough',
            message: 'go' })).args, []);
        assert.equal(await within(b.left.promise, 'GOODBYE'), 'com.example.enough');
        t.gone(b);
        same((await left.take())[0].args[0], b.id);
        await t.ask(a, 'wamp.session.kill', c.id);
        assert.equal(await within(c.left.promise, 'GOODBYE'), 'wamp.close.killed');
        t.gone(c);
        await refused(t.ask(a, 'wamp.session.kill', b.id), none);
        await refused(t.ask(a, 'wamp.session.kill', a.id), none);
        const d = await t.join({ realm: 'killing' });
        await refused(a.call('wamp.session.kill', [d.id], { reason: 'not a uri' }),
            'wamp.error.invalid_uri');
        same(await t.ask(d, 'wamp.session.count'), [2]);
    } },

    'session_meta_api: kill by authid, by authrole, all': { run: async (t) => {
        const [a, b, c, d, e] = await t.joins(5, { realm: 'killing' });
        same(await t.ask(a, 'wamp.session.kill_by_authid', b.details.authid), [[b.id]]);
        same(await t.ask(a, 'wamp.session.kill_by_authid', b.details.authid), [[]]);
        assert.equal(await within(b.left.promise, 'GOODBYE'), 'wamp.close.killed');
        t.gone(b);
        same(await t.ask(a, 'wamp.session.kill_by_authrole', 'admin'), [0]);
        same(await t.ask(a, 'wamp.session.kill_by_authrole', 'anonymous'), [3]);
        for (const peer of [c, d, e]) {
            assert.equal(await within(peer.left.promise, 'GOODBYE'), 'wamp.close.killed');
            t.gone(peer);
        }
        const f = await t.join({ realm: 'killing' });
        same((await a.call('wamp.session.kill_all', [], { reason: 'wamp.close.normal' })).args,
            [1]);
        assert.equal(await within(f.left.promise, 'GOODBYE'), 'wamp.close.normal');
        t.gone(f);
        same(await t.ask(a, 'wamp.session.count'), [1]);
    } },

    'compat = "crossbar": a list of the killed, and its reason': { run: async (t) => {
        const [a, b, c] = await t.joins(3, { realm: 'crossbar' });
        const others = (await t.ask(a, 'wamp.session.list'))[0].filter((id) => id !== a.id);
        const [ids] = await t.ask(a, 'wamp.session.kill_by_authrole', 'anonymous');
        same(ids.sort(), others.sort());
        same(others.sort(), [b.id, c.id].sort());
        assert.equal(await within(b.left.promise, 'GOODBYE'), 'wamp.close.normal');
        assert.equal(await within(c.left.promise, 'GOODBYE'), 'wamp.close.normal');
        t.gone(b);
        t.gone(c);
    } },

    'modify_details': { run: async (t) => {
        const [a, b] = await t.joins(2);
        await t.ask(a, 'wamp.session.modify_details', b.id, { team: 'red', size: 3 });
        const [details] = await t.ask(b, 'wamp.session.get', b.id);
        same([details.team, details.size], ['red', 3]);
        await t.ask(a, 'wamp.session.modify_details', b.id, { team: null });
        assert.equal((await t.ask(b, 'wamp.session.get', b.id))[0].team, undefined);
        await refused(t.ask(a, 'wamp.session.modify_details', b.id, { authid: 'root' }),
            'wamp.error.invalid_argument');
        const other = await t.join({ realm: 'interop' });
        await refused(t.ask(other, 'wamp.session.modify_details', other.id, { team: 'red' }),
            'wamp.error.no_such_procedure');
    } },

    'registration_meta_api': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const life = await lifeOf(t, b, 'registration', ['on_register', 'on_unregister']);
        const name = t.uri();
        const handle = await a.register(name, () => nothing, { invoke: 'roundrobin' });
        const [id] = await t.ask(b, 'wamp.registration.lookup', name);
        assert.ok(Number.isSafeInteger(id), `registration ${id}`);
        t.nothing(await t.ask(b, 'wamp.registration.lookup', name, { match: 'prefix' }));
        same(await t.ask(b, 'wamp.registration.match', name), [id]);
        t.nothing(await t.ask(b, 'wamp.registration.match', `${name}.more`));
        const [{ created, ...rest }] = await t.ask(b, 'wamp.registration.get', id);
        assert.match(created, timestamp);
        same(rest, { id, uri: name, match: 'exact', invoke: 'roundrobin' });
        assert.ok((await t.ask(b, 'wamp.registration.list'))[0].exact.includes(id));
        same(await t.ask(b, 'wamp.registration.list_callees', id), [[a.id]]);
        same(await t.ask(b, 'wamp.registration.count_callees', id), [1]);
        await a.unregister(handle);
        await life(id, a.id, { uri: name, match: 'exact', invoke: 'roundrobin' });
        t.nothing(await t.ask(b, 'wamp.registration.lookup', name));
        await refused(t.ask(b, 'wamp.registration.get', id), 'wamp.error.no_such_registration');
    } },

    'registration_revocation': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        const handle = await a.register(name, () => nothing);
        const [id] = await t.ask(b, 'wamp.registration.lookup', name);
        await refused(t.ask(b, 'wamp.registration.remove_callee', id, b.id), none);
        same((await b.call('wamp.registration.remove_callee', [id, a.id],
            { reason: 'com.example.enough' })).args, []);
        if (t.can.revocation) {
            assert.equal(await within(a.revoked(handle), 'UNREGISTERED'), 'com.example.enough');
        }
        await refused(b.call(name, [], {}), 'wamp.error.no_such_procedure');
        await t.settled(a);
        // Free for others, and the session that lost it is as good as ever.
        await b.register(name, () => ({ args: ['b'], kwargs: {} }));
        same((await a.call(name, [], {})).args, ['b']);
    } },

    'subscription_meta_api': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const life = await lifeOf(t, b, 'subscription', ['on_subscribe', 'on_unsubscribe']);
        const name = t.uri();
        const inbox = await t.listen(a, name);
        const [id] = await t.ask(b, 'wamp.subscription.lookup', name);
        assert.ok(Number.isSafeInteger(id), `subscription ${id}`);
        t.nothing(await t.ask(b, 'wamp.subscription.lookup', name, { match: 'wildcard' }));
        await t.listen(b, name.slice(0, -1), { match: 'prefix' });
        const [prefix] = await t.ask(b, 'wamp.subscription.lookup', name.slice(0, -1),
            { match: 'prefix' });
        same(await t.ask(b, 'wamp.subscription.match', name), [[id, prefix]]);
        t.nothing(await t.ask(b, 'wamp.subscription.match', 'nobody.has.this'));
        const [{ created, ...rest }] = await t.ask(b, 'wamp.subscription.get', id);
        assert.match(created, timestamp);
        same(rest, { id, uri: name, match: 'exact' });
        const [lists] = await t.ask(b, 'wamp.subscription.list');
        assert.ok(lists.exact.includes(id) && lists.prefix.includes(prefix));
        same(await t.ask(b, 'wamp.subscription.list_subscribers', id), [[a.id]]);
        same(await t.ask(b, 'wamp.subscription.count_subscribers', id), [1]);
        await a.unsubscribe(inbox.handle);
        await life(id, a.id, { uri: name, match: 'exact' });
        await refused(t.ask(b, 'wamp.subscription.get', id), 'wamp.error.no_such_subscription');
    } },

    'subscription_revocation': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        const inbox = await t.listen(a, name);
        const [id] = await t.ask(b, 'wamp.subscription.lookup', name);
        same((await b.call('wamp.subscription.remove_subscriber', [id, a.id],
            { reason: 'com.example.enough' })).args, []);
        if (t.can.revocation) {
            assert.equal(await within(a.revoked(inbox.handle), 'UNSUBSCRIBED'),
                'com.example.enough');
        }
        await b.publish(name, ['late'], {}, { acknowledge: true });
        await t.settled(a);
        assert.equal(inbox.items.length, 0);
        t.nothing(await t.ask(b, 'wamp.subscription.lookup', name));
    } },

    'testament_meta_api': { run: async (t) => {
        const [a, b, c] = await t.joins(3);
        const name = t.uri();
        const inbox = await t.listen(b, name);
        same((await a.call('wamp.session.add_testament', [name, ['flushed'], {}])).args, []);
        same((await a.call('wamp.session.flush_testaments', [])).args, []);
        await a.call('wamp.session.add_testament', [name, ['last', 1], { k: 'v' }]);
        await a.call('wamp.session.add_testament', [name, ['first'], {}], { scope: 'detached' });
        await a.call('wamp.session.add_testament', [name, ['hidden'], {}],
            { publish_options: { exclude: [b.id] } });
        await refused(a.call('wamp.session.add_testament', [name, ['x'], {}], { scope: 'never' }),
            'wamp.error.invalid_argument');
        await refused(a.call('wamp.session.add_testament', ['wamp.mine', [], {}]),
            'wamp.error.invalid_uri');
        assert.equal(inbox.items.length, 0);
        await t.leaves(a);
        const [first, last] = await inbox.take(2);
        same([first.args, first.kwargs], [['first'], {}]);
        same([last.args, last.kwargs], [['last', 1], { k: 'v' }]);
        // A session that is killed has one, too.
        await c.call('wamp.session.add_testament', [name, ['killed'], {}]);
        await t.ask(b, 'wamp.session.kill', c.id);
        t.gone(c);
        same((await inbox.take())[0].args, ['killed']);
        await t.settled(b);
        assert.equal(inbox.items.length, 0);
    } },

    'reflection': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        const defined = await t.listen(b, 'wamp.reflect.on_define');
        await a.register(name, () => nothing);
        await t.listen(a, `${name}.topic`);
        assert.ok((await t.ask(b, 'wamp.reflection.procedure.list'))[0].includes(name));
        assert.ok((await t.ask(b, 'wamp.reflection.topic.list'))[0].includes(`${name}.topic`));
        assert.ok((await t.ask(b, 'wamp.reflection.error.list'))[0]
            .includes('wamp.error.no_such_procedure'));
        const schema = { kind: 'procedure', args: ['number', { deep: [null, true] }] };
        same(await t.ask(a, 'wamp.reflect.define', name, schema), []);
        same((await defined.take())[0].args, [name, schema]);
        same(await t.ask(b, 'wamp.reflection.procedure.describe', name), [schema]);
        same(await t.ask(b, 'wamp.reflect.describe', name), [schema]);
        await t.ask(a, 'wamp.reflect.define', name, null);
        await refused(t.ask(b, 'wamp.reflection.procedure.describe', name),
            'wamp.error.no_such_procedure');
    } },
};
