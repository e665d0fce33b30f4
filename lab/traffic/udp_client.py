#!/usr/bin/env python3
"""Sends numbered UDP packets to an echo server at a steady rate, and measures what comes back.

Ends at SIGTERM or after --seconds (and then waits half a second for stragglers). Prints one JSON object: packets sent,
received and lost, and the longest time between two answers, in milliseconds. With --state FILE the figures so far are
written there ten times a second.
"""

import argparse
import json
import os
import select
import signal
import socket
import struct
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="198.19.0.10")
    parser.add_argument("--port", type=int, default=7)
    parser.add_argument("--rate", type=float, default=100, help="packets per second")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--size", type=int, default=100, help="bytes of payload")
    parser.add_argument("--state")
    options = parser.parse_args()

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    link = socket.socket(socket.AF_INET6 if ":" in options.server else socket.AF_INET, socket.SOCK_DGRAM)
    link.connect((options.server, options.port))
    link.setblocking(False)
    padding = bytes(max(0, options.size - 8))
    start = time.monotonic()
    send_until, drain_until = start + options.seconds, None
    sent, last, longest, longest_at, next_state = 0, None, 0.0, 0.0, 0.0
    received, duplicates, refused = set(), 0, 0

    def figures():
        waited = time.monotonic() - last if last is not None and drain_until is None else 0.0
        return {
            "sent": sent,
            "received": len(received),
            "lost": sent - len(received),
            "duplicates": duplicates,
            "refused": refused,
            "longest_gap_ms": round(max(longest, waited) * 1000, 1),
            "longest_gap_at": longest_at,
            "local": "{}:{}".format(*link.getsockname()[:2]),
        }

    while True:
        now = time.monotonic()
        if drain_until is None and (stop or now >= send_until):
            drain_until = now + 0.5
        if drain_until is not None and (now >= drain_until or len(received) == sent):
            break
        due = start + sent / options.rate
        if drain_until is None and now >= due:
            try:
                link.send(struct.pack("!Q", sent) + padding)
            except OSError:  # an ICMP error for an earlier packet, or a full queue: this packet counts as lost
                refused += 1
            sent += 1
            continue
        wait = (due if drain_until is None else drain_until) - now
        if select.select([link], [], [], max(0.0, min(wait, 0.1)))[0]:
            try:
                data = link.recv(65536)
            except OSError:
                refused += 1
                continue
            now = time.monotonic()
            number = struct.unpack("!Q", data[:8])[0]
            if number in received:
                duplicates += 1
                continue
            received.add(number)
            if last is not None and now - last > longest:
                longest, longest_at = now - last, last
            last = now
        if options.state and now >= next_state:
            with open(options.state + ".new", "w", encoding="ascii") as out:
                json.dump(figures(), out)
            os.replace(options.state + ".new", options.state)
            next_state = now + 0.1
    json.dump(figures(), sys.stdout)
    print(flush=True)


if __name__ == "__main__":
    main()
