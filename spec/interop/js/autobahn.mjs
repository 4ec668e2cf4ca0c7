// autobahn (npm) behind the face that the suite knows: WebSocket with three serializers, RawSocket
// with JSON, which is the only one that its RawSocket has.
//
// Its deviations, as far as the suite has to know them:
// - It never sends an empty ArgumentsKw, and a RESULT with one argument and no keywords is handed
//   out as that bare value; both ends look alike again here.
// - A prefix or wildcard EVENT carries details.topic; for an exact one it fills in the topic itself.
// - Partial results come by notify() of its deferreds, which promises of the language do not have.
// - CANCEL in another mode than kill ends the call on its side at once, and when the router's ERROR
//   comes, it takes that for a protocol violation and closes the connection.
// - As a callee it announces progressive results but not that it can be canceled, without which
//   the router does not ask it for them (progress_requires_cancel).
// - Its JSON and MessagePack know nothing of WAMP's text form of octets: a Buffer in JSON becomes
//   an object. So octets are sent over MessagePack and CBOR only.
// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import { join as path } from 'node:path';
import { deferred, within } from './tap.mjs';

// Newer nodes have the WebSocket of browsers, which autobahn would prefer to the package `ws`, and
// then hand ArrayBuffers to decoders that want Buffers.
delete globalThis.WebSocket;
const require = createRequire(path(process.env.INTEROP_BUILD, 'js', 'package.json'));
const autobahn = require('autobahn');
const serializers = require('autobahn/lib/serializer.js');

const makers = {
    json: () => new serializers.JSONSerializer(),
    msgpack: () => new serializers.MsgpackSerializer(),
    cbor: () => new serializers.CBORSerializer(),
};

function wampError({ error, args, kwargs }) {
    const e = new Error(`${error} ${JSON.stringify(args)}`);
    return Object.assign(e, { uri: error, args, kwargs });
}

// What autobahn rejects with becomes an Error with the URI in it.
async function translated(promise) {
    try {
        return await promise;
    } catch (e) {
        throw e instanceof autobahn.Error ? wampError(e) : e;
    }
}

function payload(result) {
    if (result instanceof autobahn.Result) {
        return { args: result.args, kwargs: result.kwargs };
    }
    return { args: result === null ? [] : [result], kwargs: {} };
}

class Peer {
    constructor(connection, session, details) {
        this.connection = connection;
        this.session = session;
        this.id = session.id;
        this.details = details;
        this.left = deferred();
    }

    async call(procedure, args, kwargs, options) {
        return payload(await translated(this.session.call(procedure, args, kwargs, options)));
    }

    /** A call that can be canceled, and whose partial results are told. */
    begin(procedure, args, kwargs, options, onProgress) {
        const promise = this.session.call(procedure, args, kwargs,
            { ...options, ...(onProgress ? { receive_progress: true } : {}) });
        promise.onProgress = (value) => onProgress(payload(value));
        return {
            result: translated(promise).then(payload),
            cancel: (mode) => promise.cancel(mode ? { mode } : undefined),
        };
    }

    register(procedure, handler, options) {
        const endpoint = async (args, kwargs, details) => {
            try {
                const result = await handler(args, kwargs, details);
                return new autobahn.Result(result.args, result.kwargs);
            } catch (e) {
                throw e.uri ? new autobahn.Error(e.uri, e.args, e.kwargs) : e;
            }
        };
        return translated(this.session.register(procedure, endpoint, options));
    }

    unregister(registration) {
        return translated(this.session.unregister(registration));
    }

    subscribe(topic, handler, options) {
        return translated(this.session.subscribe(topic, (args, kwargs, event) =>
            handler(args, kwargs, event), options));
    }

    unsubscribe(subscription) {
        return translated(this.session.unsubscribe(subscription));
    }

    /** Without `acknowledge` there is nothing to wait for. */
    async publish(topic, args, kwargs, options) {
        const publication = await translated(this.session.publish(topic, args, kwargs, options));
        return publication?.id;
    }

    /** The reason, when the router takes a registration or a subscription away. */
    revoked(handle) {
        return handle.on_unregister ?? handle.on_unsubscribe;
    }

    leave() {
        this.connection.close();
        return within(this.left.promise, 'the end of the session');
    }
}

// A deferred whose promise is told of partial results.
function notified() {
    const d = deferred();
    d.notify = (value) => d.promise.onProgress(value);
    return d;
}

function transports(kind, serializer) {
    if (kind === 'websocket') {
        return [{ type: 'websocket', url: process.env.NEXUS_WS,
            serializers: [makers[serializer]()] }];
    }
    if (kind === 'unix') {
        return [{ type: 'rawsocket', path: process.env.NEXUS_UNIX }];
    }
    return [{ type: 'rawsocket', host: '127.0.0.1', port: Number(process.env.NEXUS_PORT) }];
}

/** A session; rejects with the reason of ABORT. `transport` and `login` are options of autobahn. */
function join({ kind, serializer, realm = 'interop', transport = {}, login = {} }) {
    const connection = new autobahn.Connection({
        realm,
        transports: transports(kind, serializer).map((way) => ({ ...way, ...transport })),
        ...login,
        max_retries: 0,
        retry_if_unreachable: false,
        use_deferred: notified,
        on_user_error: () => {}, // errors of callees are thrown on purpose
    });
    const joined = deferred();
    let peer = null;
    connection.onopen = (session, details) => {
        peer = new Peer(connection, session, details);
        joined.resolve(peer);
    };
    connection.onclose = (reason, details) => {
        if (peer) {
            peer.left.resolve(details.reason);
        } else {
            joined.reject(wampError({ error: details.reason ?? reason, args: [details.message] }));
        }
        return true;
    };
    connection.open();
    return within(joined.promise, 'a session');
}

/** Joins and leaves again and again, on one and the same transport. */
async function rejoin({ kind, serializer, times }) {
    const options = transports(kind, serializer)[0];
    const transport = new (autobahn.transports.get(options.type))(options).create();
    const opened = deferred();
    transport.onopen = opened.resolve;
    const session = new autobahn.Session(transport, () => deferred());
    await within(opened.promise, 'the transport');
    const ids = [];
    for (let i = 0; i < times; i++) {
        const joined = deferred();
        const left = deferred();
        session.onjoin = joined.resolve;
        session.onleave = left.resolve;
        session.join('interop');
        await within(joined.promise, 'a session');
        ids.push(session.id);
        session.leave();
        await within(left.promise, 'GOODBYE');
    }
    transport.close();
    return ids;
}

export default {
    name: 'autobahn',
    kinds: [
        { kind: 'websocket', serializer: 'json' },
        { kind: 'websocket', serializer: 'msgpack', octets: true },
        { kind: 'websocket', serializer: 'cbor', octets: true },
        { kind: 'rawsocket', serializer: 'json' },
        { kind: 'unix', serializer: 'json' },
    ],
    auth: { cra: autobahn.auth_cra, cryptosign: autobahn.auth_cryptosign },
    join,
    rejoin,
    can: {
        ownEvents: true,
        unsubscribePattern: true,
        unregisterWildcard: true,
        anyOption: true, // options go out as they are given
        revocation: true,
        cancelModes: ['kill'],
        cancelEnds: ['skip', 'killnowait'],
    },
};
