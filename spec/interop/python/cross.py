"""Every client against every other: calls, errors and events from each to each.

The sessions of the clients live in programs of their own and do what they are asked to over WAMP.
Octets go through the JSON of JavaScript, too: as the text that WAMP makes of them, which becomes
octets again behind the router.

What JavaScript does to values on its way is no fault: its numbers know no difference between 1 and
1.0, and wampy's CBOR puts tag 64 (an array of octets) before octets, which stays there from CBOR
to CBOR.

SPDX-License-Identifier: MIT
"""
import asyncio
import sys

from cross_features import alike, crossbar, features
from peer import join
from tap import finish, test, within

ARGS = [0, -1, 65536, (1 << 53) - 1, 0.5, -1e300, "grüße 🎉", "", None, True, False, [], {},
        [[], {}, None], {"a": {"b": [1, {"c": []}]}}, b"\x00\xff\x10", b""]
KWARGS = {"none": None, "text": "日本語", "list": [1, [2]], "dict": {"k": {}}, "octets": b"\x01"}

MATES = [
    ["node", "--no-deprecation", "js/client.mjs", "autobahn", "mates"],
    ["node", "--no-deprecation", "js/client.mjs", "wampy", "mates"],
    [sys.executable, "python/client.py", "mates"],
]


async def start(command, realm):
    """The program, and the names of its sessions."""
    process = await asyncio.create_subprocess_exec(
        *command, realm, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    names = []
    while True:
        line = (await within(process.stdout.readline(), f"{command} to be ready", 30)).decode()
        assert line, f"{command} ended early"
        if line == "ready\n":
            return process, names
        names.append(line.strip())


async def calls(controller, one, other):
    asked, _ = await controller.ask(f"{one}.call", f"{other}.echo", *ARGS, **KWARGS)
    alike(asked, ["result", ARGS, KWARGS])
    asked, _ = await controller.ask(f"{one}.call", f"{other}.fail", *ARGS, **KWARGS)
    alike(asked, ["com.example.mate_failed", ARGS, KWARGS])


async def events(controller, names, publisher, options, receivers):
    """The publisher's event reaches these, once, and nobody else."""
    await controller.ask(f"{publisher}.publish", options, *ARGS, **KWARGS)
    for name in names:
        [got], _ = await controller.ask(f"{name}.events")
        alike(got, [[ARGS, KWARGS]] if name in receivers else [])


async def basics(controller, names):
    wampys = [name for name in names if "wampy" in name]
    others = [name for name in names if "wampy" not in name]
    for one in names:
        for other in names:
            await test(f"{one} calls {other}", calls(controller, one, other))
    for one in names:
        await test(f"{one} publishes to all others", events(
            controller, names, one, {}, [name for name in names if name != one]))
    # wampy puts an attribute of its own into HELLO, autobahn can filter by it.
    for one in [name for name in names if "autobahn" in name]:
        await test(f"{one} publishes to those with an attribute", events(
            controller, names, one, {"eligible__mate": ["wampy"]}, wampys))
        await test(f"{one} publishes to those without an attribute", events(
            controller, names, one, {"exclude__mate": ["wampy"]},
            [name for name in others if name != one]))


async def in_realm(realm, *parts):
    """Gathers the sessions of all clients in that realm for these parts."""
    controller = await join(("websocket", "cbor"), realm=realm)
    started = [await start(command, realm) for command in MATES]
    names = [name for _, some in started for name in some]
    for part in parts:
        await part(controller, names)
    await controller.end()
    for process, _ in started:
        process.stdin.close()
        await within(process.wait(), "the end of a program")


async def run():
    await in_realm("features", basics, features)
    await in_realm("crossbar", crossbar)


asyncio.run(run())
finish()
