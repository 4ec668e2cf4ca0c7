// The clients of npm log in by every method that they have, with TLS and without:
// logins.mjs autobahn|wampy
//
// Their own signers do the work. Neither has SCRAM or channel binding; the RawSocket of autobahn
// has no TLS, and wampy sends authmethods only along with an authid.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join as path } from 'node:path';
import autobahn from './autobahn.mjs';
import wampy from './wampy.mjs';
import { finish, refused, test, within } from './tap.mjs';

const folder = process.env.NEXUS_LOGINS;
const [plain, tls12, tls13] = process.env.NEXUS_PORTS.split(' ');
const ports = { plain, tls12, tls13 };
const read = (name) => readFileSync(path(folder, name), 'utf8').trim();
const require = createRequire(path(process.env.INTEROP_BUILD, 'js', 'package.json'));
const nacl = require('tweetnacl');
const WebSocket = require('ws');
const origin = 'https://app.example.com';

function keys(seed) {
    const pair = nacl.sign.keyPair.fromSeed(Buffer.from(seed, 'hex'));
    return { pair, pubkey: Buffer.from(pair.publicKey).toString('hex') };
}

function urlOf(link) {
    return `${link === 'plain' ? 'ws' : 'wss'}://localhost:${ports[link]}/`;
}

// ---- each client behind one face: login({ way, method, authid, authextra, sign, headers, tls }) ----

const faces = {
    autobahn({ way, method, authid, authextra, sign, headers = {}, tls }) {
        const transport = way.kind === 'websocket'
            ? { url: urlOf(way.link), headers: { origin, ...headers }, tlsConfiguration: tls }
            : {};
        return autobahn.join({ kind: way.kind, serializer: way.serializer, transport, login: {
            authmethods: [method], authid, authextra,
            onchallenge: (session, name, extra) => sign(extra),
        } });
    },
    wampy({ way, method, authid, authextra, sign, headers = {}, tls }) {
        const ca = way.link === 'plain' ? {} : { ca: read('ca.pem') };
        return wampy.join({ serializer: way.serializer, url: urlOf(way.link), login: {
            authmethods: [method], authid, authMode: 'manual', ...(authextra ? { authextra } : {}),
            onChallenge: (name, extra) => sign(extra),
            additionalHeaders: { origin, ...headers },
            wsRequestOptions: { ...ca, ...tls },
        } });
    },
};

const crypto = {
    autobahn: {
        cra: (secret) => ({ challenge, salt, iterations, keylen }) => autobahn.auth.cra.sign(
            salt ? autobahn.auth.cra.derive_key(secret, salt, iterations, keylen) : secret,
            challenge),
        cryptosign: (seed) => (extra) =>
            autobahn.auth.cryptosign.sign_challenge(keys(seed).pair, extra),
    },
    wampy: {
        cra: (secret) => (extra) => wampy.auth.cra(secret)('wampcra', extra),
        cryptosign: (seed) => (extra) => wampy.auth.cryptosign(seed)('cryptosign', extra),
    },
};

const name = process.argv[2];
const login = faces[name];

function methods(password, seed) {
    const { cra, cryptosign } = crypto[name];
    return [
        { method: 'ticket', authid: 'ticket', sign: () => password },
        { method: 'wampcra', authid: 'plain', sign: cra(password) },
        { method: 'wampcra', authid: 'salted', sign: cra(password) },
        { method: 'cryptosign', authid: 'device', sign: cryptosign(seed),
            authextra: { pubkey: keys(seed).pubkey } },
    ];
}

async function succeeds(options, authid = options.authid) {
    const peer = await login(options);
    assert.equal(peer.details.authid, authid);
    assert.equal(peer.details.authmethod, options.method);
    const { args } = await peer.call('wamp.session.count', [], {});
    assert.ok(args[0] >= 1);
    await peer.leave();
}

// What a browser has after a login by ticket: the cookie that came with the upgrade to it.
function cookieOf(link, { authid, sign }) {
    const ca = link === 'plain' ? {} : { ca: read('ca.pem') };
    const socket = new WebSocket(urlOf(link), 'wamp.2.json', { origin, ...ca });
    const send = (message) => socket.send(JSON.stringify(message));
    return within(new Promise((resolve, reject) => {
        let cookie;
        socket.on('upgrade', ({ headers }) => { [cookie] = headers['set-cookie'][0].split(';'); });
        socket.on('open', () => send([1, 'interop', { roles: { caller: {} },
            authmethods: ['ticket'], authid }]));
        socket.on('message', (data) => {
            const [type] = JSON.parse(String(data));
            if (type === 4) {
                send([5, sign(), {}]);
            } else if (type === 2) {
                socket.terminate();
                resolve(cookie);
            } else {
                reject(new Error(String(data)));
            }
        });
        socket.on('error', reject);
    }), 'a cookie');
}

const kinds = { autobahn: ['rawsocket', 'unix'], wampy: [] }[name];
const ways = [
    ...['json', 'msgpack', 'cbor'].map((serializer) =>
        ({ kind: 'websocket', link: 'plain', serializer })),
    { kind: 'websocket', link: 'tls12', serializer: 'json' },
    { kind: 'websocket', link: 'tls13', serializer: 'cbor' },
    ...kinds.map((kind) => ({ kind, link: 'plain', serializer: 'json' })),
];

for (const way of ways) {
    const title = `${name} ${way.kind} ${way.link} ${way.serializer}`;
    for (const options of methods('pass word', read('device.key'))) {
        await test(`${title}: ${options.method} of ${options.authid}`,
            () => succeeds({ way, ...options }));
    }
    for (const options of methods('wrong', read('router.key'))) {
        await test(`${title}: ${options.method} of ${options.authid}, wrong`,
            () => refused(login({ way, ...options }), 'wamp.error.authentication_denied'));
    }
    if (way.kind === 'websocket') {
        await test(`${title}: cookie`, async () => {
            const [ticket] = methods('pass word', read('device.key'));
            const headers = { Cookie: await cookieOf(way.link, ticket) };
            await succeeds({ way, method: 'cookie', authid: 'ticket', headers });
        });
    }
    if (way.link !== 'plain') {
        const tls = { ca: read('ca.pem'), cert: read('alice.pem'), key: read('alice.key') };
        await test(`${title}: tls`,
            () => succeeds({ way, method: 'tls', authid: 'alice', tls }, 'alice'));
        await test(`${title}: tls without a certificate`, () => refused(
            login({ way, method: 'tls', authid: 'alice' }), 'wamp.error.authentication_failed'));
    }
}
finish();
