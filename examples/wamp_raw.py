# wamp_raw.py -- a WAMP session over RawSocket with JSON, in Python's standard library alone.
#
# Enough for the examples beside it, and to see how little a client needs. For programs that
# stay, take a client library; README.md shows one.
# SPDX-License-Identifier: MIT
import json
import socket

HELLO, WELCOME, CHALLENGE, AUTHENTICATE, ERROR = 1, 2, 4, 5, 8
PUBLISH, SUBSCRIBE, EVENT = 16, 32, 36
CALL, RESULT, REGISTER, INVOCATION, YIELD = 48, 50, 64, 68, 70
MESSAGE, PING, PONG = 0, 1, 2  # kinds of RawSocket frames


class Refused(SystemExit):
    """ABORT, ERROR, GOODBYE or the end. Who does not catch it ends with these words and code 1."""


class Session:
    def __init__(self, address, realm, tls=None, login=None):
        """tls: an ssl.SSLContext; login: see login.py, which says who we are and answers."""
        host, port = address.rsplit(":", 1)
        host = host.strip("[]")
        connection = socket.create_connection((host, int(port)))
        if tls:
            connection = tls.wrap_socket(connection, server_hostname=host)
        self.stream = connection.makefile("rwb")
        self.request_id = 0
        self.early = []  # events and invocations that came while we waited for an answer
        # RawSocket begins with four octets: 0x7F, then 15 (we take messages of up to 2^(9+15)
        # octets) and 1 (JSON) in one octet, then two zeros. The router's answer looks the same,
        # with the length that it takes; an error has 0 in place of the serializer.
        self.stream.write(bytes([0x7F, 15 << 4 | 1, 0, 0]))
        self.stream.flush()
        answer = self.stream.read(4)
        if len(answer) < 4 or answer[0] != 0x7F or answer[1] & 15 != 1:
            raise Refused("no RawSocket with JSON at " + address)
        roles = {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}
        self.send([HELLO, realm, {"roles": roles, **(login.details if login else {})}])
        message = self.receive(WELCOME, CHALLENGE)
        if message[0] == CHALLENGE:
            self.send([AUTHENTICATE, login.answer(message[2]), {}])
            message = self.receive(WELCOME)
        self.id, self.details = message[1:]

    def send(self, message, kind=MESSAGE):
        octets = message if kind == PONG else json.dumps(message).encode()
        self.stream.write(bytes([kind]) + len(octets).to_bytes(3, "big") + octets)
        self.stream.flush()

    def receive(self, *wanted):
        """The next message of a wanted type. Others are kept; anything bad is raised."""
        for early in self.early:
            if early[0] in wanted:
                self.early.remove(early)
                return early
        while True:
            head = self.stream.read(4)
            if len(head) < 4:
                raise Refused("the router closed the connection")
            octets = self.stream.read(int.from_bytes(head[1:], "big"))
            if head[0] == PING:  # the router asks whether we live
                self.send(octets, PONG)
                continue
            message = json.loads(octets)
            if message[0] in wanted:
                return message
            if message[0] not in (EVENT, INVOCATION):  # ERROR, ABORT, GOODBYE
                uri, rest = (message[4], message[5:]) if message[0] == ERROR else (message[2], [])
                raise Refused(uri + "".join(": %s" % arg for args in rest[:1] for arg in args))
            self.early.append(message)

    def request(self, code, answer, *rest):
        """Sends [code, id, options, ...] and returns the answer's payload or id."""
        self.request_id += 1
        self.send([code, self.request_id, *rest])
        return self.receive(answer)[2:]

    def publish(self, topic, *args):
        return self.request(PUBLISH, PUBLISH + 1, {"acknowledge": True}, topic, list(args))[0]

    def subscribe(self, topic):
        return self.request(SUBSCRIBE, SUBSCRIBE + 1, {}, topic)[0]

    def register(self, procedure):
        return self.request(REGISTER, REGISTER + 1, {}, procedure)[0]

    def call(self, procedure, *args):
        # RESULT: [50, request, details, args, kwargs]; empty args may be left out
        result = self.request(CALL, RESULT, {}, procedure, list(args))
        return result[1][0] if len(result) > 1 and result[1] else None
