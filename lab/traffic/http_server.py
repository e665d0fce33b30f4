#!/usr/bin/env python3
"""HTTP server of the lab: serves content.py's file at a steady rate and notes who fetches it.

    GET /download?size=BYTES&rate=BYTES_PER_SECOND

Each line of standard output is a JSON object: {"event": "open" | "progress" | "done" | "broken", "peer": "A:P", ...}.
`peer` is the client as it arrives here, that is, as the cluster translated it.
"""

import argparse
import http.server
import json
import socket
import threading
import time
import urllib.parse

import content

_print_lock = threading.Lock()


def note(event, peer, **more):
    address = peer[0].removeprefix("::ffff:")
    with _print_lock:
        print(json.dumps({"time": time.time(), "event": event, "peer": f"{address}:{peer[1]}", **more}), flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 - the name that the base class looks for
        url = urllib.parse.urlsplit(self.path)
        if url.path != "/download":
            self.send_error(404)
            return
        query = dict(urllib.parse.parse_qsl(url.query))
        size, rate = int(query.get("size", 200_000_000)), float(query.get("rate", 1e12))
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        sent, start, next_note = 0, time.monotonic(), 0.0
        note("open", self.client_address, size=size)
        try:
            for piece in content.blocks(size):
                self.wfile.write(piece)
                sent += len(piece)
                now = time.monotonic()
                if now >= next_note:
                    note("progress", self.connection.getpeername(), bytes=sent)
                    next_note = now + 0.1
                ahead = start + sent / rate - now
                if ahead > 0:
                    time.sleep(ahead)
        except OSError as error:
            note("broken", self.client_address, bytes=sent, reason=str(error))
            raise
        note("done", self.connection.getpeername(), bytes=sent)

    def log_message(self, *_):
        """The notes above say it all."""


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4 with it
    request_queue_size = 1024

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request, client_address):
        """A connection that broke is in the notes already."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    Server(("::", parser.parse_args().port), Handler).serve_forever()


if __name__ == "__main__":
    main()
