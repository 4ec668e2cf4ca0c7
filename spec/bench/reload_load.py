#!/usr/bin/env python3
"""Files of a policy are saved while many sessions call and publish at full speed.

    spec/bench/reload_load.py NEXUSD [SESSIONS] [SAVES]        default: 1000 sessions, 100 saves

Every session keeps calls of a procedure of the policy, of one that waits in it, and of one that a
client serves on their way; it publishes numbered events, which its neighbour and the policy hear. Each
save is another version, read because the file has changed. Printed is what was counted; the end
is 1 unless every call was answered, every event heard in order, no session ended and no registration
has got another id. Nothing but Python is needed; all of it stays on this machine.

SPDX-License-Identifier: MIT
"""
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time

HELLO, WELCOME, ERROR, PUBLISH, SUBSCRIBE, SUBSCRIBED, EVENT = 1, 2, 8, 16, 32, 33, 36
CALL, RESULT, REGISTER, REGISTERED, INVOCATION, YIELD = 48, 50, 64, 65, 68, 70
PROCEDURES = ("com.acme.version", "com.ask.wait", "com.acme.client")

POLICY = """
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local heard <const> = nexus.kv("heard")
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = {
  { allow = "*", uri = "com.acme.**" }, { ask = "call", uri = "com.ask.**" },
  { allow = "call", uri = "wamp.**" }, { allow = "call", uri = "nexus.policy.**" },
}
function policy.authorize() nexus.sleep(0.001) return true end
policy.procedures["com.acme.version"] = function() return VERSION end
policy.procedures["com.ask.wait"] = function() nexus.sleep(0.002) return VERSION end
policy.procedures["com.acme.heard"] = function() return heard:get("all") or 0 end
policy.subscriptions["com.acme.event.**"] = {
  queue = 1000, handler = function() heard:incr("all", 1) end }
return policy
"""


class Peer:
    """A RawSocket with JSON that never blocks for long."""

    def __init__(self, port, number):
        self.number, self.request, self.pending = number, 0, {}
        self.published = self.heard = self.answered = self.failed = self.disordered = 0
        self.buffer, self.is_open, self.client_id = b"", True, None
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"\x7f\xf1\0\0")
        assert len(self.socket.recv(4, socket.MSG_WAITALL)) == 4
        self.send([HELLO, "realm1", {"roles": {r: {} for r in (
            "caller", "callee", "publisher", "subscriber")}}])
        assert self.wait()[0] == WELCOME

    def send(self, *messages):
        frames = b""
        for message in messages:
            payload = json.dumps(message).encode()
            frames += len(payload).to_bytes(4, "big") + payload
        self.socket.sendall(frames)

    def next_request(self):
        self.request += 1
        return self.request

    def take(self):
        if len(self.buffer) < 4:
            return None
        length = int.from_bytes(self.buffer[:4], "big")
        if len(self.buffer) < 4 + length:
            return None
        message = json.loads(self.buffer[4:4 + length])
        self.buffer = self.buffer[4 + length:]
        return message

    def fill(self):
        octets = self.socket.recv(65536)
        self.is_open = octets != b""
        self.buffer += octets

    def wait(self):
        while True:
            message = self.take()
            if message:
                return message
            self.fill()
            assert self.is_open

    def ask(self, kind, uri):
        self.send([kind, self.next_request(), {}, uri])
        answer = self.wait()
        assert answer[0] != ERROR, answer
        return answer

    # ---- at full speed ----

    def call(self, uri):
        request = self.next_request()
        self.pending[request] = uri
        return [CALL, request, {}, uri]

    def publish(self):
        self.published += 1
        return [PUBLISH, self.next_request(), {}, f"com.acme.event.{self.number}",
                [self.published]]

    def begin(self):
        self.send(*[self.call(uri) for uri in PROCEDURES])

    def on(self, message, goes_on):
        if message[0] == RESULT or message[0] == ERROR:
            uri = self.pending.pop(message[1] if message[0] == RESULT else message[2])
            self.answered += message[0] == RESULT
            self.failed += message[0] == ERROR
            if goes_on:
                self.send(self.call(uri), self.publish())
        elif message[0] == EVENT:
            self.heard += 1
            self.disordered += message[4][0] != self.heard
        elif message[0] == INVOCATION:
            self.send([YIELD, message[1], {}, [0]])
        else:
            self.is_open = False


def save(folder, version):
    with open(folder + "/next", "w") as file:
        file.write(POLICY.replace("VERSION", str(version)))
    os.rename(folder + "/next", folder + "/policy/policy.lua")


def start(nexusd, folder):
    os.mkdir(folder + "/policy")
    save(folder, 0)
    with open(folder + "/nexusd.lua", "w") as file:
        file.write('return { listen = { "127.0.0.1:0" }, workers = 1, limits = { ping_interval = 0 },\n'
                   '  realms = { realm1 = { policy = "./policy" } } }\n')
    log = open(folder + "/log", "w")
    process = subprocess.Popen([nexusd, "--config", "nexusd.lua"], cwd=folder, stderr=log)
    for _ in range(1000):
        with open(folder + "/log") as file:
            found = re.search(r"address=127.0.0.1:(\d+)", file.read())
        if found:
            return process, int(found.group(1))
        time.sleep(0.01)
    with open(folder + "/log") as file:
        raise SystemExit("nexusd does not listen: " + file.read())


def reloads(folder):
    with open(folder + "/log") as file:
        return file.read().count("policy-reloaded")


def pump(selector, until, goes_on):
    """Handles what comes until `until()`."""
    while not until():
        for key, _ in selector.select(0.05):
            peer = key.data
            peer.fill()
            while (message := peer.take()) is not None:
                peer.on(message, goes_on)
            if not peer.is_open:
                selector.unregister(peer.socket)


def run(port, folder, sessions, saves):
    peers = [Peer(port, number) for number in range(sessions)]
    for peer in peers:
        neighbour = (peer.number + 1) % sessions
        assert peer.ask(SUBSCRIBE, f"com.acme.event.{neighbour}")[0] == SUBSCRIBED
    admin = Peer(port, sessions)
    server = Peer(port, sessions + 1)
    assert server.ask(REGISTER, "com.acme.client")[0] == REGISTERED
    lookup = [admin.ask(CALL, "wamp.registration.list")[3]]
    selector = selectors.DefaultSelector()
    for peer in peers + [server]:
        selector.register(peer.socket, selectors.EVENT_READ, peer)
    began = time.monotonic()
    for peer in peers:
        peer.begin()
    for version in range(1, saves + 1):
        save(folder, version)
        ends = time.monotonic() + 20
        pump(selector, lambda: reloads(folder) >= version or time.monotonic() > ends, True)
    took = time.monotonic() - began
    ends = time.monotonic() + 60
    published = sum(peer.published for peer in peers)
    pump(selector, lambda: time.monotonic() > ends or (
        not any(peer.pending for peer in peers)
        and sum(peer.published for peer in peers) == sum(peer.heard for peer in peers)), False)
    lookup.append(admin.ask(CALL, "wamp.registration.list")[3])
    published = sum(peer.published for peer in peers)
    for _ in range(100):
        heard = admin.ask(CALL, "com.acme.heard")[3][0]
        if heard == published:
            break
        time.sleep(0.02)
    counts = {
        "sessions": sessions, "sessions ended": sum(not peer.is_open for peer in peers),
        "saves": saves, "reloads": reloads(folder),
        "calls answered": sum(peer.answered for peer in peers),
        "calls failed": sum(peer.failed for peer in peers),
        "calls without an answer": sum(len(peer.pending) for peer in peers),
        "events published": published,
        "events heard by clients": sum(peer.heard for peer in peers),
        "events heard by the policy": heard,
        "events out of order": sum(peer.disordered for peer in peers),
        "registrations kept their ids": lookup[0] == lookup[1],
        "seconds": round(took, 1),
    }
    for what, count in counts.items():
        print(f"{what}: {count}")
    return (counts["sessions ended"] == counts["calls failed"] == 0
            and counts["calls without an answer"] == counts["events out of order"] == 0
            and counts["reloads"] == saves and lookup[0] == lookup[1]
            and published == counts["events heard by clients"] == heard)


def main():
    nexusd = os.path.abspath(sys.argv[1])
    sessions = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    saves = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    with tempfile.TemporaryDirectory() as folder:
        process, port = start(nexusd, folder)
        try:
            is_right = run(port, folder, sessions, saves)
        finally:
            process.terminate()
            process.wait(30)
    return 0 if is_right and process.returncode == 0 else 1


sys.exit(main())
