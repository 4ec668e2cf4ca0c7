// wampy (npm) behind the face that the suite knows: WebSocket with three serializers.
//
// Its deviations, as far as the suite has to know them:
// - It sends `exclude_me` only when it is true, so a publisher cannot ask for its own events.
// - Of the filters of a publication it sends the six standard ones and those whose name begins
//   with an underscore; `eligible_<attribute>` is dropped.
// - It looks up the subscription that UNSUBSCRIBED is about without its match policy, does not
//   find one with a pattern, and the promise stays pending for ever.
// - Its check of URIs refuses a wildcard in unregister().
// - An options dictionary holds `undefined` for what was not given: an extension type in
//   MessagePack, "undefined" in CBOR.
// - Its MessagePack hands out every integer that came in eight octets as a BigInt, ids among them,
//   and sends a number above 32 bits as a float.
// - It closes its WebSocket after GOODBYE, so one transport has one session; the reason of a
//   router's GOODBYE reaches nobody but its logger.
// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import { join as path } from 'node:path';
import { pathToFileURL } from 'node:url';
import { deferred, within } from './tap.mjs';

const build = path(process.env.INTEROP_BUILD, 'js');
const require = createRequire(path(build, 'package.json'));
const { w3cwebsocket } = require('websocket');
// What its package.json offers to require() are modules that cannot be loaded that way.
const load = (file) => import(pathToFileURL(path(build, 'node_modules', 'wampy', 'src', file)));
const { Wampy } = await load('wampy.js');

const makers = {
    json: (await load('serializers/json-serializer.js')).JsonSerializer,
    msgpack: (await load('serializers/msgpack-serializer.js')).MsgpackSerializer,
    cbor: (await load('serializers/cbor-serializer.js')).CborSerializer,
};

const GOODBYE = 6;

// The WebSocket package takes frames of 1 MiB at most unless it is told otherwise.
class LargeWebSocket extends w3cwebsocket {
    constructor(url, protocols, origin, headers, requestOptions) {
        super(url, protocols, origin, headers, requestOptions,
            { maxReceivedFrameSize: 16 << 20, maxReceivedMessageSize: 16 << 20 });
    }
}

async function translated(promise) {
    try {
        return await promise;
    } catch (e) {
        const uri = e.errorUri ?? e.error;
        throw uri ? Object.assign(e, { uri, args: e.argsList, kwargs: e.argsDict }) : e;
    }
}

function payload(args, kwargs) {
    return { ...(args ? { argsList: args } : {}), ...(kwargs ? { argsDict: kwargs } : {}) };
}

class Peer {
    constructor(wampy, details) {
        this.wampy = wampy;
        this.id = Number(wampy.getSessionId());
        this.details = details;
        this.left = deferred();
    }

    async call(procedure, args, kwargs, options) {
        const { argsList = [], argsDict = {} } =
            await translated(this.wampy.call(procedure, payload(args, kwargs), options));
        return { args: argsList, kwargs: argsDict };
    }

    async register(procedure, handler, options) {
        const endpoint = async ({ argsList = [], argsDict = {}, details }) => {
            try {
                const result = await handler(argsList, argsDict,
                    { procedure: details.procedure ?? procedure });
                return payload(result.args, result.kwargs);
            } catch (e) {
                throw { error: e.uri, argsList: e.args, argsDict: e.kwargs };
            }
        };
        await translated(this.wampy.register(procedure, endpoint, options));
        return procedure;
    }

    unregister(procedure) {
        return translated(this.wampy.unregister(procedure));
    }

    async subscribe(topic, handler, options) {
        const subscription = await translated(this.wampy.subscribe(topic,
            ({ argsList = [], argsDict = {}, details }) =>
                handler(argsList, argsDict, { topic: details.topic ?? topic }),
            options));
        return subscription.subscriptionKey;
    }

    unsubscribe(key) {
        return translated(this.wampy.unsubscribe(key));
    }

    /** Acknowledged, always: wampy knows nothing else. */
    async publish(topic, args, kwargs, options) {
        const { publicationId } =
            await translated(this.wampy.publish(topic, payload(args, kwargs), options));
        return Number(publicationId);
    }

    async leave() {
        await this.wampy.disconnect();
        return 'wamp.close.goodbye_and_out';
    }
}

/** A session; rejects with the reason of ABORT. `hello` goes into HELLO.Details. */
async function join({ serializer, realm = 'interop', hello }) {
    let peer = null;
    let reason = null;
    const wampy = new Wampy(process.env.NEXUS_WS, {
        realm,
        ws: LargeWebSocket,
        serializer: new makers[serializer](),
        autoReconnect: false,
        helloCustomDetails: hello,
        debug: true,
        logger: ([, message]) => {
            if (Array.isArray(message) && message[0] === GOODBYE) {
                reason = message[2];
            }
        },
        onClose: () => peer?.left.resolve(reason),
    });
    const details = await within(translated(wampy.connect()), 'a session');
    peer = new Peer(wampy, details);
    return peer;
}

export default {
    name: 'wampy',
    kinds: [
        { kind: 'websocket', serializer: 'json' },
        { kind: 'websocket', serializer: 'msgpack', octets: true },
        { kind: 'websocket', serializer: 'cbor', octets: true },
    ],
    join,
    can: {},
};
