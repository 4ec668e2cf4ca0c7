#!/usr/bin/env python3
# login.py -- logs in over TLS with a password, and prints who it is then.
#
#   python3 examples/login.py METHOD USER CA [ROUTER]     default: localhost:8443
#
# METHOD is ticket, which says the password, or wampcra, which proves it and does not say it. CA is
# the file with the certificate that the router's own one must be, or be signed by.
# SPDX-License-Identifier: MIT
import base64
import getpass
import hashlib
import hmac
import ssl
import sys

import wamp_raw


class Login:
    def __init__(self, method, user, password):
        self.details = {"authmethods": [method], "authid": user}
        self.password = password.encode()
        self.answer = {"ticket": self.ticket, "wampcra": self.wampcra}[method]

    def ticket(self, extra):
        return self.password.decode()

    def wampcra(self, extra):
        key = self.password
        if "salt" in extra:  # what is stored is derived: the text of its base64 is the key
            key = base64.b64encode(hashlib.pbkdf2_hmac(
                "sha256", key, extra["salt"].encode(), extra["iterations"], extra["keylen"]))
        signature = hmac.digest(key, extra["challenge"].encode(), "sha256")
        return base64.b64encode(signature).decode()


if len(sys.argv) < 4 or sys.argv[1] not in ("ticket", "wampcra"):
    sys.exit("usage: login.py ticket|wampcra USER CA [ROUTER]")
if sys.stdin.isatty():
    password = getpass.getpass()
else:
    password = sys.stdin.readline().rstrip("\n")
session = wamp_raw.Session(
    sys.argv[4] if len(sys.argv) > 4 else "localhost:8443", "realm1",
    tls=ssl.create_default_context(cafile=sys.argv[3]),
    login=Login(sys.argv[1], sys.argv[2], password))
print("logged in as %(authid)s, role %(authrole)s" % session.details)
