#!/usr/bin/env python3
"""Receives the session generator's packets in the server's place and never answers.

Each packet carries its session's number; the sink keeps, per number, the peer it came from (as the cluster translated
it). While packets pause, it writes what it knows to --state FILE: how many distinct numbers and peers, which
numbers are missing below the highest, and how many changed their peer since they were first seen.
"""

import argparse
import json
import os
import socket
import struct

SO_RCVBUFFORCE = 33  # Python has no name for it


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="198.19.0.11")
    parser.add_argument("--port", type=int, default=7)
    parser.add_argument("--state", required=True)
    options = parser.parse_args()
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)  # nothing is lost here
    sink.bind((options.address, options.port))
    sink.settimeout(0.05)
    peers, packets, changed, written = {}, 0, set(), -1
    number_of = struct.Struct("!I").unpack_from

    def write():
        top = max(peers) + 1 if peers else 0
        with open(options.state + ".new", "w", encoding="ascii") as out:
            json.dump(
                {
                    "packets": packets,
                    "sessions": len(peers),
                    "distinct_peers": len(set(peers.values())),
                    "changed_peers": len(changed),
                    "missing": [number for number in range(top) if number not in peers],
                },
                out,
            )
        os.replace(options.state + ".new", options.state)

    while True:
        try:
            data, peer = sink.recvfrom(2048)
        except TimeoutError:
            if written != packets:
                written = packets
                write()
            continue
        packets += 1
        number = number_of(data)[0]
        if peers.setdefault(number, peer) != peer:
            changed.add(number)


if __name__ == "__main__":
    main()
