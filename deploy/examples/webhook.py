#!/usr/bin/env python3
"""A receiver of roost's presence webhooks: docs/WEBHOOKS.md as a program.

It prints every change once, as a line of JSON. Python 3.8 or newer, nothing else.

    ROOST_WEBHOOK_SECRET=... ./webhook.py 9000
"""
import collections
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

SECRET = os.environ["ROOST_WEBHOOK_SECRET"].encode()
TOLERANCE = 300  # seconds that a signature is good for: an older delivery is somebody's replay
LONGEST = 1 << 20  # bytes; a delivery has at most 100 changes
SEEN = collections.OrderedDict()  # deliveries taken, the oldest first
REMEMBERED = 10_000


def signed(header, body):
    """Whether a Roost-Signature is of this body, by this secret, made lately."""
    try:
        fields = dict(field.split("=", 1) for field in header.split(","))
        at = int(fields["t"])
        given = fields["v1"]
    except (KeyError, ValueError):
        return False
    want = hmac.new(SECRET, str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(given.encode(), want.encode()) and abs(time.time() - at) <= TOLERANCE


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # roost keeps its connection

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > LONGEST:
            return self.answer(413)
        body = self.rfile.read(length)
        if not signed(self.headers.get("Roost-Signature", ""), body):
            return self.answer(401)  # final: roost does not try this delivery again
        delivery = self.headers["Roost-Delivery"]
        if delivery not in SEEN:  # else the answer of the first time was lost
            for change in json.loads(body)["changes"]:
                print(json.dumps(change), flush=True)
            SEEN[delivery] = True
            if len(SEEN) > REMEMBERED:
                SEEN.popitem(last=False)
        self.answer(204)

    def answer(self, code):
        self.send_response(code)
        if code != 204:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(json.dumps({"listening": server.server_address[1]}), flush=True)
    server.serve_forever()
