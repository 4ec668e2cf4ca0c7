"""The program of Autobahn|Python: client.py [mates REALM]

SPDX-License-Identifier: MIT
"""
import asyncio
import os
import signal
import sys

from features_calls import Calls
from features_events import Events
from features_meta import Meta
from peer import WAYS, join
from suite import Suite
from tap import finish, test, within
import mates


async def said_goodbye(peer):
    assert await within(peer.left, "GOODBYE") == "wamp.close.system_shutdown"


async def suite():
    for way in WAYS:
        for tests in (Suite, Meta, Calls, Events):
            await tests(way).run()
    # The end of the router, which says goodbye to every session.
    peers = [await join(way) for way in WAYS]
    os.kill(int(os.environ["NEXUS_PID"]), signal.SIGTERM)
    for way, peer in zip(WAYS, peers):
        await test(f"autobahn-python {way[0]} {way[1]}: the router ends", said_goodbye(peer))


if sys.argv[1:2] == ["mates"]:
    asyncio.run(mates.serve(sys.argv[2]))
else:
    asyncio.run(suite())
    finish()
