// The Advanced Profile, as far as a client has it: one test for each feature, over one transport
// and serializer. What a client has is told by its `can`; what it cannot is in README.md.
// SPDX-License-Identifier: MIT
import { Inbox, refused, same, test, within } from './tap.mjs';
import { numbers } from './values.mjs';
import { meta } from './features_meta.mjs';
import { calls } from './features_calls.mjs';
import { events } from './features_events.mjs';

/** What every test gets: sessions that end with it, names that nobody else has, and helpers. */
class Bench {
    #sessions = [];

    constructor(client, way, base) {
        Object.assign(this, { client, way, can: client.can, base, uris: 0 });
    }

    uri() {
        return `${this.base}.f${++this.uris}`;
    }

    async join(more) {
        const peer = await this.client.join({ ...this.way, realm: 'features', ...more });
        this.#sessions.push(peer);
        return peer;
    }

    /** Joins several sessions at once. */
    joins(count, more) {
        return Promise.all([...Array(count)].map(() => this.join(more)));
    }

    /** The session ends, by itself or by others. */
    async leaves(peer) {
        this.#sessions = this.#sessions.filter((one) => one !== peer);
        await peer.leave();
    }

    gone(peer) {
        this.#sessions = this.#sessions.filter((one) => one !== peer);
    }

    async end() {
        await Promise.all(this.#sessions.splice(0).map((peer) => peer.leave()));
    }

    /** What a procedure of the router answers: its arguments, ids as numbers. */
    async ask(peer, procedure, ...args) {
        return numbers((await peer.call(procedure, args)).args);
    }

    /** The answer is null; autobahn cannot tell that from an answer without arguments. */
    nothing(args) {
        same([args.length <= 1, args[0] ?? null], [true, null]);
    }

    async listen(peer, topic, options) {
        const inbox = new Inbox();
        inbox.handle = await peer.subscribe(topic, (args, kwargs, details) =>
            inbox.add({ args: numbers(args), kwargs, details: numbers(details) }), options);
        return inbox;
    }

    /** Whatever was sent to the session before has arrived when this answer has. */
    async settled(peer) {
        await refused(peer.call(`${this.base}.nobody`, [], {}), 'wamp.error.no_such_procedure');
    }

    /** A callee that never answers: `called` is resolved with every call's arguments. */
    async silent(peer, options) {
        const called = new Inbox();
        const name = this.uri();
        await peer.register(name, (args) => {
            called.add(args);
            return new Promise(() => {});
        }, options);
        return { name, called };
    }
}

export async function features(client, way) {
    const title = `${client.name} ${way.kind} ${way.serializer}`;
    const bench = new Bench(client, way, `features.${client.name}.${way.kind}.${way.serializer}`);
    const tests = { ...meta, ...calls, ...events };

    for (const [name, { needs = () => true, run }] of Object.entries(tests)) {
        if (needs(client.can)) {
            await test(`${title}: ${name}`, async () => {
                await run(bench);
                await within(bench.end(), 'the end of the sessions');
            });
            await bench.end().catch(() => {}); // what a failed test has left
        }
    }
}
