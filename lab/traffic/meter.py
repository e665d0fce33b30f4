#!/usr/bin/env python3
"""Reads a download from standard input: checksum, length and the longest time in which nothing came.

Prints one JSON object at the end. With --state FILE the figures so far are written there ten times a second.
"""

import argparse
import hashlib
import json
import os
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state")
    options = parser.parse_args()
    digest, total, longest, longest_at = hashlib.sha256(), 0, 0.0, 0.0
    start = last = time.monotonic()
    next_state = 0.0
    while True:
        piece = os.read(0, 1 << 20)
        now = time.monotonic()
        if total and now - last > longest:  # the wait for the first byte is not a gap
            longest, longest_at = now - last, last
        last = now
        if not piece:
            break
        digest.update(piece)
        total += len(piece)
        if options.state and now >= next_state:
            with open(options.state + ".new", "w", encoding="ascii") as out:
                json.dump({"bytes": total, "longest_gap_ms": round(longest * 1000, 1)}, out)
            os.replace(options.state + ".new", options.state)
            next_state = now + 0.1
    json.dump(
        {
            "bytes": total,
            "sha256": digest.hexdigest(),
            "seconds": round(last - start, 3),
            "longest_gap_ms": round(longest * 1000, 1),
            "longest_gap_at": longest_at,
        },
        sys.stdout,
    )
    print(flush=True)


if __name__ == "__main__":
    main()
