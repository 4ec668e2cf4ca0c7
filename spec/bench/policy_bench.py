#!/usr/bin/env python3
"""What policies cost: the router's CPU time per request, in turn under each policy.

    spec/bench/policy_bench.py NEXUSD [SECONDS] [ROUNDS] [SUBSCRIBERS]   default: 1 s, 3, 10000

Requests come in batches of 64 from 16 RawSockets with JSON. Printed are medians over the rounds:
acknowledged events under no policy, rules, policy.authorize by role, and the same with answers that
are kept; an event to SUBSCRIBERS in 50 groups, one group of which gets it, by a set filter and by a
predicate; calls of an echo in Lua, and of one in another program; and how long calls of that echo
take, WINDOW at a time from SUBSCRIBERS sessions in turn, while a kv of ENTRIES is empty and while a
task of the policy writes it all over again. Nothing but Python is needed; all of it stays on this
machine.

SPDX-License-Identifier: MIT
"""
import itertools
import json
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HEAD = """
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous(hello)
  return { authrole = "user", attributes = { group = hello.authid } }
end
policy.attributes = { group = "string" }
"""
ALLOW = 'policy.roles.user = { { allow = "*", uri = "com.**" } }\n'
ASK = """
policy.roles.user = { { ask = "publish", uri = "com.**" } }
function policy.authorize(request)
  return request.session.authrole == "user" and %s
end
"""
ECHO = 'policy.procedures["com.echo"] = function(call) return call.args[1] end\n'
ENTRIES, WINDOW = 100000, 16
BUSY = """
local entries <const>, is_busy <const> = %d, %s
local store <const>, number = nexus.kv("busy", { max_entries = entries }), 0
policy.tasks.busy = { every = 0.01, run = function()
  for _ = 1, is_busy and 500 or 0 do
    number = number %% entries + 1
    store:set("key" .. number, { number = number, name = "a value" })
  end
end }
policy.procedures["com.kept"] = function() return store:size() end
"""
POLICIES = {
    "open": None,
    "rules": HEAD + ALLOW,
    "authorize": HEAD + ASK % "true",
    "kept": HEAD + ASK % "nexus.allow{ cache = 60 }",
    "set filter": HEAD + ALLOW + 'function policy.filter() return nexus.only("group", "g1") end\n',
    "predicate": HEAD + ALLOW + """function policy.filter()
  return function(session) return session.group == "g1" end
end
""",
    "no filter": HEAD + ALLOW,
    "echo in Lua": HEAD + ALLOW + ECHO,
    "echo outside": HEAD + ALLOW,
    "calm kv": HEAD + ALLOW + ECHO + BUSY % (ENTRIES, "false"),
    "busy kv": HEAD + ALLOW + ECHO + BUSY % (ENTRIES, "true"),
}
CONNECTIONS, BATCH, GROUPS = 16, 64, 50
TICK = os.sysconf("SC_CLK_TCK")


def frame(payload):
    return len(payload).to_bytes(4, "big") + payload


class Peer:
    def __init__(self, port, group="g0"):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"\x7f\xf1\0\0")
        assert len(self.socket.recv(4, socket.MSG_WAITALL)) == 4
        self.request, self.rest = 0, b""
        roles = {name: {} for name in ("caller", "callee", "publisher", "subscriber")}
        self.ask([1, "realm1", {"roles": roles, "authid": group}], 2)

    def ask(self, message, answer):
        self.socket.sendall(frame(json.dumps(message).encode()))
        length = int.from_bytes(self.socket.recv(4, socket.MSG_WAITALL), "big")
        text = self.socket.recv(length, socket.MSG_WAITALL)
        assert json.loads(text)[0] == answer, text

    def fill(self):
        """How many whole messages came."""
        data, at, count = self.rest + self.socket.recv(1 << 18), 0, 0
        while len(data) - at >= 4:
            length = int.from_bytes(data[at:at + 4], "big")
            if len(data) - at < 4 + length:
                break
            assert data[at + 4:at + 7] != b"[8,", data[at:at + 200]
            at += 4 + length
            count += 1
        self.rest = data[at:]
        return count

    def batch(self, text, count):
        frames = []
        for _ in range(count):
            self.request += 1
            frames.append(frame(text % self.request))
        self.socket.sendall(b"".join(frames))


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def start(nexusd, folder, policy):
    os.mkdir(folder)
    if policy:
        with open(folder + "/policy.lua", "w") as file:
            file.write(policy + "return policy\n")
    with open(folder + "/nexusd.lua", "w") as file:
        file.write('return { listen = { "127.0.0.1:0" }, workers = 1, limits = { ping_interval = 0 },'
                   ' realms = { realm1 = { policy = "%s" } } }\n'
                   % ("./policy.lua" if policy else "open"))
    log = open(folder + "/log", "w")
    process = subprocess.Popen([nexusd, "--config", "nexusd.lua"], cwd=folder, stderr=log)
    for _ in range(1000):
        with open(folder + "/log") as file:
            found = re.search(r"address=127.0.0.1:(\d+)", file.read())
        if found:
            return process, int(found.group(1))
        time.sleep(0.01)
    with open(folder + "/log") as file:
        raise SystemExit(file.read())


def drive(pid, port, text, seconds, peers, batch):
    """CPU seconds of the router per request, and requests per second."""
    counts = {peer.socket: 0 for peer in peers}
    of = {peer.socket: peer for peer in peers}
    done, began, cpu = 0, time.monotonic(), cpu_of(pid)
    for peer in peers:
        peer.batch(text, batch)
    while (now := time.monotonic()) < began + seconds or any(c for c in counts.values()):
        for one in select.select(list(of), [], [], 0.5)[0]:
            counts[one] += of[one].fill()
            if counts[one] >= batch:
                counts[one] -= batch
                done += batch
                if now < began + seconds:
                    of[one].batch(text, batch)
        if now > began + seconds + 1:
            break
    return (cpu_of(pid) - cpu) / done, done / (time.monotonic() - began)


def serve(peer):
    rest = b""
    while data := peer.socket.recv(1 << 18):
        rest += data
        answers = []
        while len(rest) >= 4 and len(rest) >= 4 + (length := int.from_bytes(rest[:4], "big")):
            invocation = json.loads(rest[4:4 + length])
            if invocation[0] == 68:  # else it is GOODBYE
                answers.append(frame(b'[70,%d,{},["x"]]' % invocation[1]))
            rest = rest[4 + length:]
        peer.socket.sendall(b"".join(answers))


def in_groups(process, port, seconds, subscribers):
    """CPU seconds for one event to all of them."""
    peers = []
    for number in range(subscribers):
        peer = Peer(port, f"g{number % GROUPS}")
        peer.ask([32, 1, {}, "com.topic"], 33)
        peers.append(peer)
    publisher, poll = Peer(port), select.epoll()
    of = {peer.socket.fileno(): peer for peer in peers}
    for fd in of:
        poll.register(fd, select.EPOLLIN)
    ends, cpu, count = time.monotonic() + seconds, cpu_of(process.pid), 0
    while time.monotonic() < ends:
        publisher.request += 1
        publisher.ask([16, publisher.request, {"acknowledge": True}, "com.topic", ["x"]], 17)
        count += 1
        for fd, _ in poll.poll(0):
            of[fd].fill()
    used = cpu_of(process.pid) - cpu
    for peer in peers:
        peer.socket.close()
    return used / count, count / seconds


def latencies(port, seconds, sessions):
    """Seconds that each call took, WINDOW of them at a time, from each session in turn."""
    peers, poll, began, times = [Peer(port) for _ in range(sessions)], select.epoll(), {}, []
    of = {peer.socket.fileno(): peer for peer in peers}
    for fd in of:
        poll.register(fd, select.EPOLLIN)
    turn = itertools.cycle(peers)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends or began:
        while len(began) < WINDOW and time.monotonic() < ends:
            peer = next(turn)
            began[peer.socket.fileno()] = time.monotonic()
            peer.batch(b'[48,%d,{},"com.echo",["x"]]', 1)
        for fd, _ in poll.poll(1):
            assert of[fd].fill() == 1
            times.append(time.monotonic() - began.pop(fd))
    peers[0].socket.sendall(frame(b'[48,%d,{},"com.kept"]' % (peers[0].request + 1)))
    length = int.from_bytes(peers[0].socket.recv(4, socket.MSG_WAITALL), "big")
    kept = json.loads(peers[0].socket.recv(length, socket.MSG_WAITALL))[3][0]
    for peer in peers:
        peer.socket.close()
    return sorted(times), kept


def measure(nexusd, folder, name, seconds, subscribers):
    process, port = start(nexusd, folder, POLICIES[name])
    try:
        if "filter" in name or name == "predicate":
            return in_groups(process, port, seconds, subscribers)
        if "kv" in name:
            times, kept = latencies(port, 5 * seconds, subscribers)
            assert kept == (ENTRIES if "busy" in name else 0), kept
            return times[len(times) * 999 // 1000] * 1000, times[len(times) // 2] * 1000
        text = b'[16,%d,{"acknowledge":true},"com.topic",["x"]]'
        if "echo" in name:
            text = b'[48,%d,{},"com.echo",["x"]]'
        if name == "echo outside":
            callee = Peer(port)
            callee.ask([64, 1, {}, "com.echo"], 65)
            threading.Thread(target=serve, args=(callee,), daemon=True).start()
        peers = [Peer(port) for _ in range(CONNECTIONS)]
        return drive(process.pid, port, text, seconds, peers, BATCH)
    finally:
        process.terminate()
        process.wait(30)


def main():
    nexusd = os.path.abspath(sys.argv[1])
    seconds, rounds, subscribers = (
        int(value) for value in (sys.argv[2:] + ["1", "3", "10000"][len(sys.argv) - 2:])[:3])
    found = {name: [] for name in POLICIES}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for name in POLICIES:
                found[name].append(measure(nexusd, f"{folder}/{turn} {name}", name, seconds,
                                           subscribers))
    base = None
    for name, values in found.items():
        if "kv" in name:
            high, middle = (statistics.median(value[i] for value in values) for i in (0, 1))
            base = high if name == "calm kv" else base
            print(f"{name:14} p50 {middle:.2f} ms, p99.9 {high:.2f} ms a call"
                  f"  ratio {high / base:.2f}")
            continue
        cpu = statistics.median(value[0] for value in values) * 1e6
        rate = statistics.median(value[1] for value in values)
        base = cpu if name in ("open", "set filter", "echo in Lua") else base
        print(f"{name:14} {cpu:9.2f} us of CPU a request {rate:9.0f} requests/s"
              f"  ratio {cpu / base:.2f}")


main()
