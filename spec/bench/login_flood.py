#!/usr/bin/env python3
"""What a flood of logins does to those who are in, and to those who want to come in.

    spec/bench/login_flood.py NEXUSD [SECONDS]

100 sessions call at full speed, in turn without and with a flood of logins by Argon2id from one
address (wrong tickets, 64 connections; answers are not late, which is the worst case). Then 10,000
logins from 200 addresses are begun and not finished. Printed are the 99th percentiles of the calls'
latency and their ratio, and how long an honest login takes meanwhile. Nothing but Python is
needed; all of it stays on this machine.

SPDX-License-Identifier: MIT
"""
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

CALLERS, FLOODERS, HALF_OPEN = 100, 64, 10000
HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, CALL, RESULT = 1, 2, 3, 4, 5, 48, 50

POLICY = """
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local user <const> = ({ %s }).any

function policy.authenticate.ticket(hello)
  return user
end

function policy.authenticate.anonymous()
  return { authrole = "user" }
end

policy.roles.user = { { allow = "call", uri = "wamp.session.count" } }
return policy
"""

CONFIG = """
return {
  listen = { "127.0.0.1:0" },
  workers = 1,
  logins = { max_delay = 0 },
  limits = { ping_interval = 0 },
  realms = { realm1 = { policy = "policy.lua", max_joining = 10000, auth_timeout = "30s" } },
}
"""


class Peer:
    """A RawSocket with JSON."""

    @staticmethod
    async def open(port, host):
        peer = Peer()
        peer.reader, peer.writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=(host, 0))
        peer.writer.write(b"\x7f\xf1\0\0")
        await peer.reader.readexactly(4)
        return peer

    def send(self, message):
        payload = json.dumps(message).encode()
        self.writer.write(len(payload).to_bytes(4, "big") + payload)

    async def receive(self):
        length = int.from_bytes(await self.reader.readexactly(4), "big")
        return json.loads(await self.reader.readexactly(length))

    async def knock(self, authid=None):
        details = {"roles": {"caller": {}}}
        if authid:
            details.update(authmethods=["ticket"], authid=authid)
        self.send([HELLO, "realm1", details])
        return await self.receive()

    async def login(self, ticket):
        assert (await self.knock("any"))[0] == CHALLENGE
        self.send([AUTHENTICATE, ticket, {}])
        return await self.receive()


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000


# ---- programs of their own, so that they do not wait for each other ----

async def call(port, until, times):
    peer = await Peer.open(port, "127.0.0.1")
    assert (await peer.knock())[0] == WELCOME
    request = 0
    while time.monotonic() < until:
        request += 1
        began = time.monotonic()
        peer.send([CALL, request, {}, "wamp.session.count"])
        assert (await peer.receive())[0] == RESULT
        times.append(time.monotonic() - began)
    peer.writer.close()


async def flood(port, until, tries):
    while time.monotonic() < until:
        peer = await Peer.open(port, "127.0.0.2")
        try:
            tries.append((await peer.login("wrong"))[0])
        except asyncio.IncompleteReadError:
            pass
        peer.writer.close()


async def honest(port, until, times):
    while time.monotonic() < until:
        peer = await Peer.open(port, "127.0.0.3")
        began = time.monotonic()
        answer = await peer.login("pass word")
        assert answer[0] == WELCOME, answer
        times.append(time.monotonic() - began)
        peer.writer.close()
        await asyncio.sleep(0.05)


async def together(body, count, *arguments):
    await asyncio.gather(*(body(*arguments) for _ in range(count)))


def run(result, body, count, port, until):
    seen = []
    asyncio.run(together(body, count, port, until, seen))
    result.send(seen)


def start(body, count, port, until):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=run, args=(theirs, body, count, port, until))
    process.start()
    return process, ours


def finish(program):
    process, result = program
    seen = result.recv()
    process.join()
    assert process.exitcode == 0
    return seen


def phase(port, seconds, is_flooded):
    until = time.monotonic() + seconds
    programs = [start(call, CALLERS, port, until), start(honest, 1, port, until)]
    if is_flooded:
        programs.append(start(flood, FLOODERS, port, until))
    return [finish(program) for program in programs]


async def half_open(port):
    peers, times = [], []
    for i in range(HALF_OPEN):
        peer = await Peer.open(port, f"127.0.1.{i % 200 + 1}")
        peers.append(peer)
        assert (await peer.knock("any"))[0] == CHALLENGE
        if i % 500 == 499:
            guest = await Peer.open(port, "127.0.0.3")
            began = time.monotonic()
            assert (await guest.login("pass word"))[0] == WELCOME
            times.append(time.monotonic() - began)
            guest.writer.close()
    return peers, times


def memory_of(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1048576


def measure(port, pid, seconds):
    quiet, flooded, slow, tries = [], [], [], []
    for _ in range(3):
        quiet += phase(port, seconds, False)[0]
        calls, logins, refused = phase(port, seconds, True)
        flooded, slow, tries = flooded + calls, slow + logins, tries + refused
    before, after = percentile(quiet, 0.99), percentile(flooded, 0.99)
    print(f"calls: {len(quiet)} without, {len(flooded)} with a flood of {len(tries)} logins")
    print(f"calls: p50 {percentile(quiet, 0.5):.2f} ms without, {percentile(flooded, 0.5):.2f} ms "
          "with it")
    print(f"calls: p99 {before:.2f} ms without, {after:.2f} ms with it; ratio {after / before:.2f}")
    print(f"honest logins under the flood: {len(slow)} of {len(slow)}, p50 "
          f"{percentile(slow, 0.5):.0f} ms, the longest {percentile(slow, 1):.0f} ms")
    rss = memory_of(pid)

    async def hold():
        peers, times = await half_open(port)
        print(f"{len(peers)} logins begun and not finished: {memory_of(pid) - rss:.0f} MiB; honest "
              f"logins meanwhile: {len(times)} of {len(times)}, the longest "
              f"{percentile(times, 1):.0f} ms")

    asyncio.run(hold())


def main():
    nexusd = os.path.abspath(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4
    with tempfile.TemporaryDirectory() as folder:
        user = subprocess.run(
            [nexusd, "passwd", "--user", "any", "--stdin", "--layout", "record", "--method",
             "ticket"], input="pass word\n", text=True, capture_output=True, check=True).stdout
        for name, text in (("policy.lua", POLICY % user), ("nexusd.lua", CONFIG)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        log_name = os.path.join(folder, "log")
        with open(log_name, "w") as log:
            router = subprocess.Popen([nexusd, "--config", "nexusd.lua"], cwd=folder, stderr=log)
        try:
            port = None
            while port is None:
                time.sleep(0.05)
                with open(log_name) as log:
                    for line in log:
                        if "address=127.0.0.1:" in line:
                            port = int(line.split("address=127.0.0.1:")[1].split()[0])
            measure(port, router.pid, seconds)
        finally:
            router.terminate()
            router.wait()


main()
