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
// - It does not send `retain`; an event of its own is retained by way of a testament.
// - It has progressive calls but does not announce them, so its first chunk would be a protocol
//   violation; and as a callee it does not announce that it takes them, or partial results.
//   `announce` of join() says it for it.
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

    /** A call that can be canceled, and whose partial results are told. */
    begin(procedure, args, kwargs, options, onProgress) {
        const told = ({ argsList = [], argsDict = {} }) =>
            onProgress({ args: argsList, kwargs: argsDict });
        const result = this.call(procedure, args, kwargs,
            { ...options, ...(onProgress ? { progress_callback: told } : {}) });
        const { reqId } = this.wampy.getOpStatus();
        return { result, cancel: (mode) => this.wampy.cancel(reqId, mode ? { mode } : undefined) };
    }

    /** A call in several chunks: send(args, last) sends one more. */
    chunks(procedure, args, onProgress) {
        const { result, sendData } = this.wampy.progressiveCall(procedure, payload(args), {
            progress_callback: ({ argsList = [] }) => onProgress(argsList),
        });
        return {
            result: translated(result).then(({ argsList = [] }) => argsList),
            send: (more, last) => sendData(payload(more), { progress: !last }),
        };
    }

    async register(procedure, handler, options) {
        const endpoint = async (call) => {
            const { argsList = [], argsDict = {}, details } = call;
            const progress = (args, kwargs) => call.result_handler(
                { ...payload(args, kwargs), options: { progress: true } });
            try {
                const result = await handler(argsList, argsDict,
                    { ...details, procedure: details.procedure ?? procedure, progress,
                        more: details.progress === true });
                return { ...payload(result.args, result.kwargs), options: result.options };
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
                handler(argsList, argsDict, { ...details, topic: details.topic ?? topic }),
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

/** A session; rejects with the reason of ABORT. `hello` goes into HELLO.Details, `announce` has
 * features that HELLO announces besides, by role; `login` are options of wampy. */
async function join({ serializer, realm = 'interop', hello, announce = {}, url, login = {} }) {
    let peer = null;
    let reason = null;
    const wampy = new Wampy(url ?? process.env.NEXUS_WS, {
        realm,
        ws: LargeWebSocket,
        serializer: new makers[serializer](),
        autoReconnect: false,
        helloCustomDetails: hello,
        ...login,
        payloadSerializers: { json: new makers.json(), msgpack: new makers.msgpack(),
            cbor: new makers.cbor() },
        debug: true,
        logger: ([, message]) => {
            if (Array.isArray(message) && message[0] === GOODBYE) {
                reason = message[2];
            }
        },
        onClose: () => peer?.left.resolve(reason),
    });
    for (const [role, features] of Object.entries(announce)) {
        Object.assign(wampy._wamp_features.roles[role].features, features);
    }
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
    auth: {
        cra: (await load('auth/wampcra/wampy-cra.js')).sign,
        cryptosign: (await load('auth/cryptosign/wampy-cryptosign.js')).sign,
    },
    join,
    can: {
        passthru: true,
        trustlevels: true,
        cancelModes: [undefined, 'skip', 'kill', 'killnowait'],
        progressAsCallee: true,
        progressiveCalls: true,
    },
};
