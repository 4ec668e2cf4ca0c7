// Remote procedure calls of the Advanced Profile.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { deferred, Inbox, refused, same, within } from './tap.mjs';
import { numbers } from './values.mjs';

const canceled = 'wamp.error.canceled';
const nothing = { args: [], kwargs: {} };

/** Three callees of one procedure, each answering with its number; what `times` calls got. */
async function shared(t, invoke, times) {
    const [caller, ...callees] = await t.joins(4);
    const name = t.uri();
    for (const [i, callee] of callees.entries()) {
        await callee.register(name, () => ({ args: [i], kwargs: {} }), { invoke });
    }
    const got = [];
    for (let i = 0; i < times; i++) {
        got.push((await caller.call(name, [], {})).args[0]);
    }
    return { caller, callees, name, got };
}

/** Partial results of a callee that gives three, then a last one. */
async function partial(t, realm) {
    const [a, b] = await t.joins(2, { realm });
    const name = t.uri();
    await a.register(name, ([n], kwargs, { progress }) => {
        for (let i = 1; i <= n; i++) {
            progress?.([i, 'of', n], { i });
        }
        return { args: ['all', n], kwargs: {} };
    });
    const got = [];
    const { result } = b.begin(name, [3], {}, {}, (piece) => got.push(piece));
    const { args } = await within(result, 'the last result');
    same(args, ['all', 3]);
    // Who does not ask is not told.
    same((await b.call(name, [2], {})).args, ['all', 2]);
    return got;
}

const three = [1, 2, 3].map((i) => ({ args: [i, 'of', 3], kwargs: { i } }));

export const calls = {
    'shared_registration: roundrobin': { run: async (t) => {
        const { caller, callees, name, got } = await shared(t, 'roundrobin', 6);
        same(got, [0, 1, 2, 0, 1, 2]);
        const [id] = await t.ask(caller, 'wamp.registration.lookup', name);
        same(await t.ask(caller, 'wamp.registration.list_callees', id),
            [callees.map((peer) => peer.id)]);
        await t.leaves(callees[1]);
        const more = [];
        for (let i = 0; i < 4; i++) {
            more.push((await caller.call(name, [], {})).args[0]);
        }
        same(more, [0, 2, 0, 2]);
    } },

    'shared_registration: first and last': { run: async (t) => {
        const first = await shared(t, 'first', 3);
        same(first.got, [0, 0, 0]);
        await t.leaves(first.callees[0]);
        same((await first.caller.call(first.name, [], {})).args, [1]);
        const last = await shared(t, 'last', 3);
        same(last.got, [2, 2, 2]);
        await t.leaves(last.callees[2]);
        same((await last.caller.call(last.name, [], {})).args, [1]);
    } },

    'shared_registration: random': { run: async (t) => {
        const { caller, callees, name, got } = await shared(t, 'random', 20);
        assert.ok(got.every((n) => [0, 1, 2].includes(n)), got.join());
        await t.leaves(callees[0]);
        await t.leaves(callees[2]);
        same((await caller.call(name, [], {})).args, [1]);
    } },

    'shared_registration: policies do not mix': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        await a.register(name, () => nothing, { invoke: 'first' });
        for (const options of [{ invoke: 'last' }, { invoke: 'single' }, undefined]) {
            await refused(b.register(name, () => nothing, options),
                'wamp.error.procedure_already_exists');
        }
        await b.register(name, () => nothing, { invoke: 'first' });
    } },

    'concurrency': { needs: (can) => can.anyOption, run: async (t) => {
        const [a, b] = await t.joins(2);
        const answer = deferred();
        const name = t.uri();
        await a.register(name, () => answer.promise, { concurrency: 1 });
        const one = b.call(name, [], {});
        await refused(b.call(name, [], {}), 'wamp.error.no_available_callee');
        answer.resolve({ args: ['done'], kwargs: {} });
        same((await one).args, ['done']);
        same((await b.call(name, [], {})).args, ['done']);
    } },

    'force_reregister': { needs: (can) => can.anyOption, run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        const handle = await a.register(name, () => ({ args: [1], kwargs: {} }));
        await refused(b.register(name, () => nothing, { force_reregister: true }),
            'wamp.error.not_authorized');
        same((await b.call(name, [], {})).args, [1]);
        await a.register(name, () => ({ args: [2], kwargs: {} }), { force_reregister: true });
        assert.equal(await within(a.revoked(handle), 'UNREGISTERED'), 'wamp.error.unregistered');
        same((await b.call(name, [], {})).args, [2]);
    } },

    'sharded_registration': { needs: (can) => can.anyOption, run: async (t) => {
        const [caller, ...callees] = await t.joins(4);
        const name = t.uri();
        for (const [i, callee] of callees.entries()) {
            await callee.register(name, () => ({ args: [i], kwargs: {} }),
                { invoke: 'roundrobin', nkey: String(101 + i) });
        }
        const call = async (options) => (await caller.call(name, [], {}, options)).args[0];
        for (let i = 0; i < 3; i++) {
            assert.equal(await call({ runmode: 'partition', rkey: 'sn239019' }), 0);
            assert.equal(await call({ runmode: 'partition', rkey: 'user-42' }), 2);
        }
        await refused(call({ runmode: 'partition' }), 'wamp.error.invalid_argument');
        await refused(call({ runmode: 'all', rkey: 'x' }), 'wamp.error.option_not_allowed');
    } },

    'caller_identification': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        const who = (args, kwargs, { caller, caller_authid: authid, caller_authrole: role }) =>
            ({ args: [[caller ?? null, authid ?? null, role ?? null]], kwargs: {} });
        const disclosed = [b.id, b.details.authid, 'anonymous'];
        await a.register(name, who);
        const ask = async (procedure, options) =>
            numbers((await b.call(procedure, [], {}, options)).args[0]);
        same(await ask(name), [null, null, null]);
        same(await ask(name, { disclose_me: true }), disclosed);
        if (t.can.anyOption) {
            await a.register(`${name}.asks`, who, { disclose_caller: true });
            same(await ask(`${name}.asks`), disclosed);
            b.session.caller_disclose_me = true;
            same(await ask(name), disclosed);
        }
    } },

    'progressive_call_results': { run: async (t) => {
        // Who cannot be canceled is not asked for them, but what it gives all the same arrives.
        same(await partial(t, 'features'), t.can.progressAsCallee ? three : []);
        same(await partial(t, 'crossbar'), three);
    } },

    'progressive_call_invocations': { needs: (can) => can.progressiveCalls, run: async (t) => {
        const feature = { progressive_call_invocations: true };
        const caller = await t.join({ announce: { caller: feature } });
        const callee = await t.join({ announce: { callee: { ...feature,
            progressive_call_results: true, call_canceling: true } } });
        const name = t.uri();
        const sum = [];
        await callee.register(name, ([n], kwargs, { more }) => {
            sum.push(n);
            return more ? { args: [n], kwargs: {}, options: { progress: true } } :
                { args: [sum], kwargs: {} };
        });
        const echoed = new Inbox();
        const { result, send } = caller.chunks(name, [1], (args) => echoed.add(args));
        same(await echoed.take(), [[1]]);
        send([2]);
        same(await echoed.take(), [[2]]);
        send([3]);
        send([4], true);
        same(await within(result, 'the last result'), [[1, 2, 3, 4]]);
        same(await echoed.take(), [[3]]);
        // A callee without the feature gets nothing of it.
        const plain = await t.silent(await t.join());
        await refused(caller.chunks(plain.name, [1], () => {}).result,
            'wamp.error.feature_not_supported');
        assert.equal(plain.called.items.length, 0);
    } },

    'call_timeout': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const { name, called } = await t.silent(a);
        await refused(b.call(name, ['t'], {}, { timeout: 20 }), 'wamp.error.timeout');
        same(await called.take(), [['t']]);
        // One that answers in time.
        const quick = t.uri();
        await a.register(quick, (args) => ({ args, kwargs: {} }));
        same((await b.call(quick, [1], {}, { timeout: 15000 })).args, [1]);
    } },

    'call_canceling': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const { name, called } = await t.silent(a);
        for (const mode of t.can.cancelModes) {
            const { result, cancel } = b.begin(name, [mode ?? 'none'], {});
            same(await called.take(), [[mode ?? 'none']]);
            cancel(mode);
            await refused(result, canceled); // the callee cannot be: the caller need not wait
        }
        await t.settled(a);
    } },

    'call_canceling in modes that end its own session': { needs: (can) => can.cancelEnds,
        run: async (t) => {
            const watcher = await t.join();
            const left = await t.listen(watcher, 'wamp.session.on_leave');
            const { name, called } = await t.silent(watcher);
            for (const mode of t.can.cancelEnds) {
                const peer = await t.join();
                const { result, cancel } = peer.begin(name, [mode], {});
                await called.take();
                cancel(mode);
                await refused(result, 'Cancelled'); // its own word
                for (let id = null; id !== peer.id;) {
                    [id] = (await left.take())[0].args;
                }
                t.gone(peer);
            }
        } },

    'progressive_call_invocations, not announced': { needs: (can) => can.progressiveCalls,
        run: async (t) => {
            const [watcher, peer] = await t.joins(2);
            const left = await t.listen(watcher, 'wamp.session.on_leave');
            const { name, called } = await t.silent(watcher);
            await assert.rejects(peer.chunks(name, [1], () => {}).result);
            assert.equal((await left.take())[0].args[0], peer.id);
            assert.equal(called.items.length, 0);
            t.gone(peer);
        } },

    'call_trustlevels': { needs: (can) => can.trustlevels, run: async (t) => {
        for (const [realm, level] of [['features', 3], ['interop', null]]) {
            const [a, b] = await t.joins(2, { realm });
            const name = t.uri();
            await a.register(name, (args, kwargs, { trustlevel }) =>
                ({ args: [trustlevel ?? null], kwargs: {} }));
            same((await b.call(name, [], {})).args, [level]);
        }
    } },

    'payload_passthru_mode: calls': { needs: (can) => can.passthru, run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        for (const ppt_serializer of ['json', 'msgpack', 'cbor']) {
            const options = { ppt_scheme: 'x_interop', ppt_serializer, ppt_keyid: 'key 7' };
            if (t.way.serializer === 'json' && ppt_serializer !== 'json') {
                continue; // its JSON has no octets
            }
            const seen = [];
            await a.register(`${name}.${ppt_serializer}`, (args, kwargs, details) => {
                seen.push([details.ppt_scheme, details.ppt_serializer, details.ppt_keyid]);
                return { args: [...args, 'back'], kwargs, options };
            });
            const { args, kwargs } = await b.call(`${name}.${ppt_serializer}`, ['there', 1],
                { k: [null] }, options);
            same(args, ['there', 1, 'back']);
            same(kwargs, { k: [null] });
            same(seen, [['x_interop', ppt_serializer, 'key 7']]);
        }
    } },

    'errors of calls and registrations': { run: async (t) => {
        const [a, b] = await t.joins(2);
        const name = t.uri();
        await a.register(name, () => {
            throw { uri: 'com.example.odd', args: [1, ['x']], kwargs: { why: null } };
        });
        await refused(b.call(name, [], {}), 'com.example.odd', [1, ['x']], { why: null });
        await refused(b.call(`${name}.other`, [], {}), 'wamp.error.no_such_procedure');
        await refused(b.register(name, () => nothing), 'wamp.error.procedure_already_exists');
        if (t.can.anyOption) {
            await refused(b.register('wamp.mine', () => nothing), 'wamp.error.invalid_uri');
            await refused(b.publish('wamp.mine', [], {}, { acknowledge: true }),
                'wamp.error.invalid_uri');
        }
    } },
};
