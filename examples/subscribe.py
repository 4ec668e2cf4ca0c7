#!/usr/bin/env python3
# subscribe.py -- prints what is published to com.example.news, until Ctrl-C.
#
#   python3 examples/subscribe.py [ROUTER]        default: 127.0.0.1:8080
#
# SPDX-License-Identifier: MIT
import sys

import wamp_raw

session = wamp_raw.Session(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080", "realm1")
session.subscribe("com.example.news")
print("subscribed to com.example.news", flush=True)
try:
    while True:
        # [36, subscription, publication, details, args, kwargs]; empty args may be left out
        event = session.receive(wamp_raw.EVENT)
        print("event:", *(event[4] if len(event) > 4 else []), flush=True)
except KeyboardInterrupt:
    pass
