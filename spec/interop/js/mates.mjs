// Sessions that do what another program asks of them, so that every client can be paired with
// every other: each of them answers calls, calls, publishes and tells which events it got.
// SPDX-License-Identifier: MIT

async function mate(client, way) {
    const name = `mate.${client.name}_${way.kind}_${way.serializer}`;
    const peer = await client.join({ ...way, hello: { _mate: client.name } });
    const events = [];
    const nothing = { args: [], kwargs: {} };

    await peer.subscribe('mate.all.topic', (args, kwargs) => events.push([args, kwargs]));
    await peer.register(`${name}.echo`, (args, kwargs) => ({ args, kwargs }));
    await peer.register(`${name}.fail`, (args, kwargs) => {
        throw { uri: 'com.example.mate_failed', args, kwargs };
    });
    await peer.register(`${name}.events`, () => ({ args: [events.splice(0)], kwargs: {} }));
    await peer.register(`${name}.publish`, async ([options, ...args], kwargs) => {
        await peer.publish('mate.all.topic', args, kwargs, { acknowledge: true, ...options });
        return nothing;
    });
    await peer.register(`${name}.call`, async ([procedure, ...args], kwargs) => {
        try {
            const result = await peer.call(procedure, args, kwargs);
            return { args: ['result', result.args, result.kwargs], kwargs: {} };
        } catch (e) {
            return { args: [e.uri, e.args, e.kwargs], kwargs: {} };
        }
    });
    return name;
}

/** Joins over every way the client has, says so, and stays until standard input ends. */
export async function mates(client) {
    for (const way of client.kinds) {
        process.stdout.write(`${await mate(client, way)}\n`);
    }
    process.stdout.write('ready\n');
    process.stdin.resume();
    process.stdin.on('end', () => process.exit(0));
}
