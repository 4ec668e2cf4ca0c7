# module_http_server.py -- what module_http_test.c asks: servers that answer well, badly or never.
#
#   python3 module_http_server.py CERTIFICATE KEY
#
# Prints two ports, of HTTP and of TLS, and ends with its standard input.
# SPDX-License-Identifier: MIT
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    loops = 0

    def log_message(self, *_):
        pass

    def reply(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/hello":
            self.reply(200, b"hello", [("X-Two", "a"), ("X-Two", "b")])
        elif url.path == "/echo":
            said = {"method": self.command, "body": body.decode("latin-1"),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "peer": self.client_address[1]}
            self.reply(200, json.dumps(said).encode())
        elif url.path == "/status":
            self.reply(int(query["is"][0]), b"")
        elif url.path == "/to":
            self.reply(int(query.get("status", ["302"])[0]), b"", [("Location", query["url"][0])])
        elif url.path == "/loop":
            Handler.loops += 1
            self.reply(302, b"%d" % Handler.loops, [("Location", "/loop")])
        elif url.path == "/silent":
            time.sleep(30)
        elif url.path == "/huge":
            self.reply(200, b"x" * int(query["len"][0]))
        elif url.path == "/endless":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 65536)
        elif url.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(300):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
        elif url.path == "/head":
            self.reply(200, b"", [("X-%d" % i, "y" * 1000) for i in range(90)])
        elif url.path == "/garbage":
            self.wfile.write(b"\x00\x01garbage\r\n\r\n")
            self.close_connection = True
        elif url.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"x")
            self.close_connection = True
        else:
            self.reply(404, b"")

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


plain = Server(("127.0.0.1", 0), Handler)
secure = Server(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
for server in (plain, secure):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(plain.server_address[1], secure.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
