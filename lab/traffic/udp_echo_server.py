#!/usr/bin/env python3
"""UDP echo server of the lab. Each new peer (as the cluster translated it) is a line of JSON on standard output."""

import argparse
import json
import socket
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="198.19.0.10")
    parser.add_argument("--port", type=int, default=7)
    options = parser.parse_args()
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((options.address, options.port))
    seen = set()
    while True:
        data, peer = server.recvfrom(65536)
        server.sendto(data, peer)
        if peer not in seen:
            seen.add(peer)
            print(json.dumps({"time": time.time(), "event": "peer", "peer": f"{peer[0]}:{peer[1]}"}), flush=True)


if __name__ == "__main__":
    main()
