// The program of a JavaScript client: client.mjs autobahn|wampy [mates REALM]
// SPDX-License-Identifier: MIT
import autobahn from './autobahn.mjs';
import wampy from './wampy.mjs';
import { finish } from './tap.mjs';
import { features } from './features.mjs';
import { goodbye, suite } from './suite.mjs';
import { mates } from './mates.mjs';

const clients = { autobahn, wampy };
const client = clients[process.argv[2]];

if (process.argv[3] === 'mates') {
    await mates(client, process.argv[4]);
} else {
    for (const way of client.kinds) {
        await suite(client, way);
        await features(client, way);
    }
    await goodbye(client, () => process.kill(Number(process.env.NEXUS_PID), 'SIGTERM'));
    finish();
}
