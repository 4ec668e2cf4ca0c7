#!/usr/bin/env python3
# console.py -- what a person does with a browser's console, done by headless Chromium.
#
#   console.py URL LINES FILE...
#
# Opens the page, pastes the text of each file into its console, the next one when a line was
# printed; prints the lines, and ends when there are LINES of them. Speaks the DevTools protocol
# over a pipe (descriptors 3 and 4 of the browser): JSON texts that end with a zero octet.
# SPDX-License-Identifier: MIT
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--remote-debugging-pipe"]


class Browser:
    def __init__(self, folder):
        ours, self.to = os.pipe()
        self.start, theirs = os.pipe()

        def place_pipes():
            # Copies above 4 first, so that neither overwrites the other.
            high = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 10)
            os.dup2(fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 10), 3)
            os.dup2(high, 4)

        self.process = subprocess.Popen(
            ["chromium", *FLAGS, "--user-data-dir=" + folder], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
            preexec_fn=place_pipes, start_new_session=True)
        os.close(ours)
        os.close(theirs)
        self.rest = b""
        self.lines = []
        self.last_id = 0

    def receive(self):
        while b"\0" not in self.rest:
            octets = os.read(self.start, 65536)
            if not octets:
                sys.exit("the browser has ended")
            self.rest += octets
        text, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(text)
        if message.get("method") == "Runtime.consoleAPICalled":
            words = [str(arg.get("value", arg)) for arg in message["params"]["args"]]
            self.lines.append(" ".join(words))
            print(self.lines[-1], flush=True)
        return message

    def ask(self, method, session=None, **params):
        self.last_id += 1
        request = {"id": self.last_id, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            message = self.receive()
            if message.get("id") == self.last_id:
                if "error" in message or "exceptionDetails" in message["result"]:
                    sys.exit("%s: %s" % (method, json.dumps(message)))
                return message["result"]

    def wait_for_lines(self, count):
        while len(self.lines) < count:
            self.receive()


def main(url, count, files):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        try:
            target = browser.ask("Target.createTarget", url=url)["targetId"]
            session = browser.ask("Target.attachToTarget", targetId=target,
                                  flatten=True)["sessionId"]
            is_loaded = "location.href === %s && document.readyState === 'complete'"
            while not browser.ask("Runtime.evaluate", session,
                                  expression=is_loaded % json.dumps(url))["result"]["value"]:
                time.sleep(0.05)
            browser.ask("Runtime.enable", session)
            for number, file in enumerate(files):
                browser.wait_for_lines(number)
                with open(file, encoding="utf-8") as text:
                    browser.ask("Runtime.evaluate", session, expression=text.read(), replMode=True)
            browser.wait_for_lines(count)
        finally:
            os.killpg(browser.process.pid, signal.SIGKILL)
            browser.process.wait()


def give_up(*_):
    sys.exit("the browser does not answer in time")


signal.signal(signal.SIGALRM, give_up)
signal.signal(signal.SIGTERM, give_up)
signal.alarm(50)
main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
