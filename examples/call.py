#!/usr/bin/env python3
# call.py -- calls com.example.add with two numbers and prints the sum.
#
#   python3 examples/call.py A B [ROUTER]         default: 127.0.0.1:8080
#
# SPDX-License-Identifier: MIT
import json
import sys

import wamp_raw

if len(sys.argv) < 3:
    sys.exit("usage: call.py A B [ROUTER]")
session = wamp_raw.Session(sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1:8080", "realm1")
print(session.call("com.example.add", json.loads(sys.argv[1]), json.loads(sys.argv[2])))
