// Runs the tests of one program one after the other and says what became of them, in the lines of
// TAP. What a test is about is not decided here.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';

const patience = 20000;
let count = 0;
let failed = 0;

function say(words) {
    process.stdout.write(words + '\n');
}

/** Rejects when the promise takes too long; the words say what was waited for. */
export function within(promise, words, ms = patience) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${words}`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** One test: true when it passes. A failure is told and the next test runs. */
export async function test(name, body) {
    count++;
    const began = Date.now();
    const took = () => (Date.now() - began > 200 ? ` # ${Date.now() - began} ms` : '');
    try {
        await within(Promise.resolve().then(body), 'the end of the test', 3 * patience);
        say(`ok ${count} - ${name}${took()}`);
        return true;
    } catch (error) {
        failed++;
        say(`not ok ${count} - ${name}${took()}`);
        const text = error instanceof Error ? error.stack : JSON.stringify(error);
        say(String(text).replace(/^/gm, '    # '));
        return false;
    }
}

/** A promise that is kept from outside. */
export function deferred() {
    const d = {};
    d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
    return d;
}

/** Collects what arrives, and lets a test wait for the first `n` pieces. */
export class Inbox {
    items = [];
    #waiting = null;

    add(item) {
        this.items.push(item);
        if (this.#waiting && this.items.length >= this.#waiting.n) {
            this.#waiting.d.resolve();
        }
    }

    async take(n = 1) {
        if (this.items.length < n) {
            this.#waiting = { n, d: deferred() };
            await within(this.#waiting.d.promise, `${n} items, ${this.items.length} are here`);
        }
        return this.items.splice(0, n);
    }
}

// Octets compare as octets, whatever class a serializer makes of them. A dictionary without a
// prototype is a dictionary.
function plain(value) {
    if (value instanceof ArrayBuffer) {
        return { octets: Buffer.from(value).toString('hex') };
    }
    if (ArrayBuffer.isView(value)) {
        const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        return { octets: bytes.toString('hex') };
    }
    if (Array.isArray(value)) {
        return value.map(plain);
    }
    if (value !== null && typeof value === 'object') {
        return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
    }
    return value;
}

/** Same value and type all the way down. */
export function same(actual, expected, words) {
    assert.deepStrictEqual(plain(actual), plain(expected), words);
}

/** The promise must be rejected with that WAMP error, and with this payload when it is given. */
export async function refused(promise, uri, args, kwargs) {
    let error = null;
    try {
        await within(promise, `the error ${uri}`);
    } catch (e) {
        error = e;
    }
    assert.ok(error, `no error, expected ${uri}`);
    assert.equal(error.uri, uri, error.stack);
    if (args !== undefined) {
        same(error.args, args);
        same(error.kwargs, kwargs);
    }
}

/** The last line, and the exit code. */
export function finish() {
    say(`1..${count}`);
    process.exit(failed > 0 ? 1 : 0);
}
