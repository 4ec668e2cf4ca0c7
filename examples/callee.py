#!/usr/bin/env python3
# callee.py -- offers the procedure com.example.add, until Ctrl-C.
#
#   python3 examples/callee.py [ROUTER]           default: 127.0.0.1:8080
#
# SPDX-License-Identifier: MIT
import sys

import wamp_raw

session = wamp_raw.Session(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080", "realm1")
session.register("com.example.add")
print("registered com.example.add", flush=True)
try:
    while True:
        # [68, invocation, registration, details, args, kwargs]; empty args may be left out
        invocation = session.receive(wamp_raw.INVOCATION)
        args = invocation[4] if len(invocation) > 4 else []
        print("adding:", *args, flush=True)
        try:
            session.send([wamp_raw.YIELD, invocation[1], {}, [sum(args)]])
        except TypeError as error:
            session.send([wamp_raw.ERROR, wamp_raw.INVOCATION, invocation[1], {},
                          "wamp.error.invalid_argument", [str(error)]])
except KeyboardInterrupt:
    pass
