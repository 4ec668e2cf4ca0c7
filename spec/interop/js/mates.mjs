// Sessions that do what another program asks of them, so that every client can be paired with
// every other: each of them answers calls, calls, publishes and tells which events it got.
// python/mates.py does the same.
// SPDX-License-Identifier: MIT
import { Inbox } from './tap.mjs';
import { numbers } from './values.mjs';

const nothing = { args: [], kwargs: {} };
const answer = (...args) => ({ args, kwargs: {} });

// What an endpoint does whose kind is asked for.
const endpoints = (peer, name) => ({
    name: () => answer(name),
    echo: (args, kwargs, details) => ({ args, kwargs, options: passthru(details) }),
    who: (args, kwargs, { caller, caller_authid, caller_authrole }) =>
        answer([numbers(caller) ?? null, caller_authid ?? null, caller_authrole ?? null]),
    count: ([n], kwargs, { progress }) => {
        for (let i = 1; i <= n; i++) {
            progress?.([i], { of: n });
        }
        return answer('counted', n);
    },
    wait: async ([topic]) => {
        await peer.publish(topic, [], {}, { acknowledge: true });
        return new Promise(() => {});
    },
});

// A result is packed as its call was.
function passthru({ ppt_scheme, ppt_serializer }) {
    return ppt_scheme ? { ppt_scheme, ppt_serializer } : {};
}

async function outcome(begun) {
    try {
        const { args, kwargs } = await begun;
        return ['result', args, kwargs];
    } catch (e) {
        return [e.uri, e.args ?? [], e.kwargs ?? {}];
    }
}

async function mate(client, way, realm) {
    const name = `mate.${client.name}_${way.kind}_${way.serializer}`;
    const joining = () => client.join({ ...way, realm, hello: { _mate: client.name } });
    const peer = await joining();
    const events = [];
    const heard = [];

    await peer.subscribe('mate.all.topic', (args, kwargs) => events.push([args, kwargs]));
    await peer.register(`${name}.echo`, (args, kwargs) => ({ args, kwargs }));
    await peer.register(`${name}.fail`, (args, kwargs) => {
        throw { uri: 'com.example.mate_failed', args, kwargs };
    });
    await peer.register(`${name}.events`, () => answer(events.splice(0)));
    await peer.register(`${name}.publish`, async ([options, ...args], kwargs) => {
        await peer.publish('mate.all.topic', args, kwargs, { acknowledge: true, ...options });
        return nothing;
    });
    await peer.register(`${name}.call`, async ([procedure, ...args], kwargs) =>
        answer(...await outcome(peer.call(procedure, args, kwargs))));

    await peer.register(`${name}.id`, () => answer(peer.id, peer.details.authid));
    await peer.register(`${name}.listen`, async ([topic, options]) => {
        await peer.subscribe(topic, (args, kwargs, { retained, publisher }) =>
            heard.push([args, kwargs,
                { retained: retained === true, publisher: numbers(publisher) ?? null }]), options);
        return nothing;
    });
    await peer.register(`${name}.heard`, () => answer(heard.splice(0)));
    await peer.register(`${name}.tell`, async ([topic, options, ...args], kwargs) => {
        await peer.publish(topic, args, kwargs, { acknowledge: true, ...options });
        return nothing;
    });
    await peer.register(`${name}.serve`, async ([procedure, kind, options]) => {
        await peer.register(procedure, endpoints(peer, name)[kind], options);
        return nothing;
    });
    await peer.register(`${name}.call_with`, async ([procedure, options, ...args], kwargs) => {
        const pieces = [];
        const { result } = peer.begin(procedure, args, kwargs, options,
            (piece) => pieces.push([piece.args, piece.kwargs]));
        return answer(...await outcome(result), pieces);
    });
    await peer.register(`${name}.cancel`, async ([procedure, topic, mode]) => {
        const called = new Inbox();
        await peer.subscribe(topic, (args) => called.add(args));
        const { result, cancel } = peer.begin(procedure, [topic], {}, {});
        const ended = outcome(result);
        await called.take();
        cancel(mode);
        return answer(...await ended);
    });
    await peer.register(`${name}.testament`, async ([topic, ...args], kwargs) => {
        const mortal = await joining();
        await mortal.call('wamp.session.add_testament', [topic, args, kwargs]);
        await mortal.leave();
        return nothing;
    });
    return name;
}

/** Joins over every way the client has, says so, and stays until standard input ends. */
export async function mates(client, realm) {
    for (const way of client.kinds) {
        process.stdout.write(`${await mate(client, way, realm)}\n`);
    }
    process.stdout.write('ready\n');
    process.stdin.resume();
    process.stdin.on('end', () => process.exit(0));
}
