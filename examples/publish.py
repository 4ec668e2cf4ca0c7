#!/usr/bin/env python3
# publish.py -- publishes one text to com.example.news.
#
#   python3 examples/publish.py TEXT [ROUTER]     default: 127.0.0.1:8080
#
# SPDX-License-Identifier: MIT
import sys

import wamp_raw

if len(sys.argv) < 2:
    sys.exit("usage: publish.py TEXT [ROUTER]")
session = wamp_raw.Session(sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:8080", "realm1")
publication = session.publish("com.example.news", sys.argv[1])
print("published to com.example.news, publication", publication)
