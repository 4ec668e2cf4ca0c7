// What a client must be able to do with the router, over every transport and serializer that it
// has. Knows the clients by one face only; what a client cannot do, its own file tells.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { Inbox, refused, same, test, within } from './tap.mjs';
import { everything, octets, values } from './values.mjs';

const MIB = 1 << 20;

/** Runs everything over one transport and serializer. */
export async function suite(client, way) {
    const title = `${client.name} ${way.kind} ${way.serializer}`;
    const topic = `interop.${client.name}.${way.kind}.${way.serializer}`;
    const joining = (more) => client.join({ ...way, ...more });
    const { can } = client;
    let uris = 0;
    const uri = () => `${topic}.u${++uris}`;
    // Two sessions that most tests use; what a test leaves behind in them has names of its own.
    // After a failure there are new ones, so that one fault is told once.
    let a = await joining();
    let b = await joining();

    async function check(name, body) {
        if (!await test(`${title}: ${name}`, body)) {
            [a, b] = [await joining(), await joining()];
        }
    }

    // What reached the inboxes before a last event that everybody gets. Events of one publisher
    // keep their order, so nothing that was meant to come can come later.
    async function untilMark(publisher, topicName, inboxes) {
        await publisher.publish(topicName, ['mark'], {}, { acknowledge: true });
        return Promise.all(inboxes.map(async (inbox) => {
            const got = [];
            for (;;) {
                const [event] = await inbox.take();
                if (event.args[0] === 'mark') {
                    return got;
                }
                got.push(event.args[0]);
            }
        }));
    }

    async function listen(peer, topicName, options) {
        const inbox = new Inbox();
        const handle = await peer.subscribe(topicName, (args, kwargs, details) =>
            inbox.add({ args, kwargs, details }), options);
        return { inbox, handle };
    }

    // Publishes with the filter; expects the event at exactly the peers named.
    async function filtered(publisher, receivers, options, expected) {
        const name = uri();
        const listening = await Promise.all(receivers.map((peer) => listen(peer, name)));
        await publisher.publish(name, ['filtered'], {}, { acknowledge: true, ...options });
        const got = await untilMark(publisher, name, listening.map(({ inbox }) => inbox));
        same(got.map((events) => events.length === 1), expected);
        for (const [i, { handle }] of listening.entries()) {
            await receivers[i].unsubscribe(handle);
        }
    }

    await check('WELCOME', async () => {
        assert.ok(Number.isSafeInteger(a.id) && a.id > 0, `session ${a.id}`);
        assert.notEqual(a.id, b.id);
        assert.equal(a.details.realm ?? 'interop', 'interop');
        assert.equal(a.details.authrole, 'anonymous');
        assert.equal(a.details.authmethod, 'anonymous');
        assert.equal(typeof a.details.authid, 'string');
        assert.notEqual(a.details.authid, b.details.authid);
    });

    await check('joins and leaves, ten times', async () => {
        const ids = new Set();
        for (let i = 0; i < 10; i++) {
            const peer = await joining();
            ids.add(peer.id);
            assert.equal(await peer.leave(), 'wamp.close.goodbye_and_out');
        }
        assert.equal(ids.size, 10);
    });

    if (client.rejoin) {
        await check('ten sessions on one transport', async () => {
            const ids = await client.rejoin({ ...way, times: 10 });
            assert.equal(new Set(ids).size, 10);
        });
    }

    await check('a realm that there is not', () =>
        refused(joining({ realm: 'nowhere' }), 'wamp.error.no_such_realm'));

    await check('subscribe, publish, unsubscribe', async () => {
        const name = uri();
        const { inbox, handle } = await listen(a, name);
        const id = await b.publish(name, [1, 'two'], { three: 3 }, { acknowledge: true });
        const [event] = await inbox.take();
        same(event.args, [1, 'two']);
        same(event.kwargs, { three: 3 });
        assert.equal(event.details.topic, name);
        assert.ok(Number.isSafeInteger(id) && id > 0, `publication ${id}`);
        if (event.details.publication !== undefined) {
            assert.equal(event.details.publication, id);
        }
        await a.unsubscribe(handle);
        await b.publish(name, ['late'], {}, { acknowledge: true });
        const again = await listen(a, name);
        same(await untilMark(b, name, [again.inbox]), [[]]);
        assert.equal(inbox.items.length, 0);
    });

    await check('an event without a payload', async () => {
        const name = uri();
        const { inbox } = await listen(a, name);
        await b.publish(name);
        const [event] = await inbox.take();
        same(event.args, []);
        same(event.kwargs, {});
    });

    for (const [match, pattern, hits, misses] of [
        ['prefix', 'pre.one', ['pre.one', 'pre.one.two', 'pre.onerous'], ['pre.on', 'x.pre.one']],
        ['wildcard', 'wild..end', ['wild.a.end', 'wild.b.end'],
            ['wild.end', 'wild.a.b.end', 'wild.a.en']],
    ]) {
        await check(`subscribe by ${match}`, async () => {
            const base = uri();
            const { inbox, handle } = await listen(a, `${base}.${pattern}`, { match });
            for (const name of [...misses, ...hits]) {
                await b.publish(`${base}.${name}`, [name], {}, { acknowledge: true });
            }
            const events = await inbox.take(hits.length);
            same(events.map(({ args }) => args[0]), hits);
            same(events.map(({ details }) => details.topic), hits.map((n) => `${base}.${n}`));
            assert.equal(inbox.items.length, 0);
            if (can.unsubscribePattern) {
                await a.unsubscribe(handle);
                await b.publish(`${base}.${hits[0]}`, ['late'], {}, { acknowledge: true });
                // The answer comes after an event that was sent before it.
                await refused(a.call('interop.nowhere', [], {}), 'wamp.error.no_such_procedure');
                assert.equal(inbox.items.length, 0);
            }
        });
    }

    await check('a publisher does not hear itself', async () => {
        const name = uri();
        const { inbox } = await listen(a, name);
        await a.publish(name, ['own'], {}, { acknowledge: true });
        await a.publish(name, ['own'], {}, { acknowledge: true, exclude_me: true });
        same(await untilMark(b, name, [inbox]), [[]]);
    });

    if (can.ownEvents) {
        await check('exclude_me: false', async () => {
            const name = uri();
            const { inbox } = await listen(a, name);
            await a.publish(name, ['own'], {}, { acknowledge: true, exclude_me: false });
            same((await inbox.take()).map(({ args }) => args), [['own']]);
        });
    }

    await check('eligible and exclude: session ids', async () => {
        const c = await joining();
        await filtered(c, [a, b], { eligible: [a.id] }, [true, false]);
        await filtered(c, [a, b], { exclude: [a.id] }, [false, true]);
        await filtered(c, [a, b], { eligible: [a.id, b.id], exclude: [b.id] }, [true, false]);
        await filtered(c, [a, b], { eligible: [1] }, [false, false]);
        await c.leave();
    });

    await check('eligible and exclude: authid and authrole', async () => {
        const c = await joining();
        const { authid } = a.details;
        await filtered(c, [a, b], { eligible_authid: [authid] }, [true, false]);
        await filtered(c, [a, b], { exclude_authid: [authid] }, [false, true]);
        await filtered(c, [a, b], { eligible_authrole: ['anonymous'] }, [true, true]);
        await filtered(c, [a, b], { eligible_authrole: ['admin'] }, [false, false]);
        await filtered(c, [a, b], { exclude_authrole: ['anonymous'] }, [false, false]);
        await filtered(c, [a, b], { exclude_authrole: ['admin'] }, [true, true]);
        await c.leave();
    });

    await check('register, call, unregister', async () => {
        const name = uri();
        const registration = await a.register(name, (args, kwargs, { procedure }) =>
            ({ args: [...args, procedure], kwargs: { ...kwargs, answered: true } }));
        const { args, kwargs } = await b.call(name, [1, 2], { three: 3 });
        same(args, [1, 2, name]);
        same(kwargs, { three: 3, answered: true });
        await a.unregister(registration);
        await refused(b.call(name, [1], {}), 'wamp.error.no_such_procedure');
    });

    await check('a call and a result without a payload', async () => {
        const name = uri();
        let seen = null;
        await a.register(name, (args, kwargs) => {
            seen = { args, kwargs };
            return { args: [], kwargs: {} };
        });
        same(await b.call(name), { args: [], kwargs: {} });
        same(seen, { args: [], kwargs: {} });
    });

    for (const [match, pattern, hits, miss] of [
        ['prefix', 'pre.one', ['pre.one', 'pre.one.two'], 'pre.on'],
        ['wildcard', 'wild..end', ['wild.a.end', 'wild.b.end'], 'wild.a.b.end'],
    ]) {
        await check(`register by ${match}`, async () => {
            const base = uri();
            const registration = await a.register(`${base}.${pattern}`,
                (args, kwargs, { procedure }) => ({ args: [procedure], kwargs: {} }), { match });
            for (const name of hits) {
                same((await b.call(`${base}.${name}`, [], {})).args, [`${base}.${name}`]);
            }
            const other = await a.register(`${base}.${hits[1]}`,
                () => ({ args: ['exact'], kwargs: {} }));
            same((await b.call(`${base}.${hits[1]}`, [], {})).args, ['exact']);
            await refused(b.call(`${base}.${miss}`, [], {}), 'wamp.error.no_such_procedure');
            await a.unregister(other);
            if (match === 'prefix' || can.unregisterWildcard) {
                await a.unregister(registration);
                await refused(b.call(`${base}.${hits[0]}`, [], {}),
                    'wamp.error.no_such_procedure');
            }
        });
    }

    await check('a procedure that another session has', async () => {
        const name = uri();
        const registration = await a.register(name, () => ({ args: [], kwargs: {} }));
        await refused(b.register(name, () => ({ args: [], kwargs: {} })),
            'wamp.error.procedure_already_exists');
        await a.unregister(registration);
        await b.unregister(await b.register(name, () => ({ args: [], kwargs: {} })));
    });

    await check('an error of the callee', async () => {
        const name = uri();
        await a.register(name, (args, kwargs) => {
            throw { uri: 'com.example.oh_dear', args, kwargs };
        });
        await refused(b.call(name, [1, 'two', null], { why: ['because', {}] }),
            'com.example.oh_dear', [1, 'two', null], { why: ['because', {}] });
    });

    await check('a callee that leaves', async () => {
        const name = uri();
        const c = await joining();
        await c.register(name, () => new Promise(() => {}));
        const result = b.call(name, [1], {});
        result.catch(() => {}); // looked at below
        await refused(b.call('interop.nowhere', [], {}), 'wamp.error.no_such_procedure');
        await c.leave();
        await refused(result, 'wamp.error.canceled');
        await refused(b.call(name, [1], {}), 'wamp.error.no_such_procedure');
    });

    await check('errors of URIs', async () => {
        await refused(b.call(`${uri()}.nobody`, [], {}), 'wamp.error.no_such_procedure');
        await refused(b.call('wamp.nobody.has.this', [], {}), 'wamp.error.no_such_procedure');
    });

    // Payloads, there and back again: a call has them copied twice, an event once.
    async function thereAndBack(list) {
        const echo = uri();
        const told = uri();
        const registration = await a.register(echo, (args, kwargs) => ({ args, kwargs }));
        const { inbox, handle } = await listen(a, told);
        for (const value of list) {
            const { args, kwargs } = await b.call(echo, [value, 'end'], { value });
            same(args, [value, 'end']);
            same(kwargs, { value });
            await b.publish(told, [value], { value });
            const [event] = await inbox.take();
            same(event.args, [value]);
            same(event.kwargs, { value });
        }
        await a.unregister(registration);
        await a.unsubscribe(handle);
    }

    for (const [name, list] of Object.entries(values)) {
        await check(`payload: ${name}`, () => thereAndBack(list));
    }

    await check('payload: all of it', () => thereAndBack([everything]));

    if (way.octets) {
        await check('payload: octets', () => thereAndBack(octets));
    }

    await check('payload: 1 MiB', () => thereAndBack(
        ['m'.repeat(MIB), ...(way.octets ? [Buffer.alloc(MIB, 0x42)] : [])]));

    await check('1,000 calls in flight', async () => {
        const name = uri();
        const arrived = [];
        await a.register(name, ([n]) => new Promise((resolve) => {
            arrived.push(() => resolve({ args: [n * n, n], kwargs: {} }));
            if (arrived.length === 1000) {
                arrived.reverse().forEach((answer) => answer());
            }
        }));
        const calls = [...Array(1000).keys()].map((n) => b.call(name, [n], {}));
        const results = await within(Promise.all(calls), '1,000 results');
        results.forEach(({ args }, n) => same(args, [n * n, n]));
    });

    await check('10,000 events in order', async () => {
        const name = uri();
        const { inbox } = await listen(a, name);
        for (let n = 0; n < 10000; n += 500) {
            const burst = [...Array(500).keys()].map((i) =>
                b.publish(name, [n + i], {}, i === 499 ? { acknowledge: true } : undefined));
            await Promise.all(burst);
        }
        const events = await inbox.take(10000);
        events.forEach(({ args }, n) => assert.equal(args[0], n));
        assert.equal(inbox.items.length, 0);
    });

    await a.leave();
    await b.leave();
}

/** The end of the router, which says goodbye to every session. `stop` makes it end. */
export async function goodbye(client, stop) {
    const peers = await Promise.all(client.kinds.map((way) => client.join(way)));
    stop();
    for (const [i, { kind, serializer }] of client.kinds.entries()) {
        await test(`${client.name} ${kind} ${serializer}: the router ends`, async () => {
            const reason = await within(peers[i].left.promise, 'GOODBYE');
            assert.equal(reason, 'wamp.close.system_shutdown');
        });
    }
}
