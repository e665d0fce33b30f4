#!/usr/bin/env python3
"""Benchmark replication.commit_latency_us: what the guarantee output-commit adds to the first packet of a session.

UDP flows begin one after the other. Time from just before the client sends a flow's only packet to its arrival at the
server (the kernel's time stamp), with `guarantee: asynchronous` and with `guarantee: output-commit`, in turn. With
output-commit the packet leaves only after the peer has acknowledged its session.
"""

import argparse
import os
import re
import socket
import statistics
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import netns  # noqa: E402
from lab.netlab import CHASSIS, CLIENT, SINK, Lab, LabError  # noqa: E402

SO_TIMESTAMPNS = 35
PORT = 9
GUARANTEES = ("asynchronous", "output-commit")
PAUSE = 0.001  # seconds between flows: what is measured is a packet that waits for no other


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


class Flows:
    def __init__(self, lab):
        self._client = lab.namespace("client")
        self._server = netns.open_socket(lab.namespace("server"), socket.AF_INET, socket.SOCK_DGRAM)
        self._server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._server.bind((SINK, PORT))
        self._server.settimeout(2)
        self._number = 0

    def first_packet_us(self):
        """Begins a flow. Returns the microseconds that its first packet took."""
        self._number += 1
        with netns.open_socket(self._client, socket.AF_INET, socket.SOCK_DGRAM) as flow:
            flow.bind((CLIENT, 20000 + self._number % 40000))
            sent = time.time_ns()
            flow.sendto(struct.pack("!I", self._number), (SINK, PORT))
            while True:
                try:
                    data, ancillary, _, _ = self._server.recvmsg(64, 256)
                except TimeoutError:
                    raise LabError(f"the first packet of flow {self._number} did not arrive") from None
                if struct.unpack("!I", data)[0] == self._number:
                    break
        seconds, nanoseconds = next(struct.unpack("qq", told) for _, kind, told in ancillary if kind == SO_TIMESTAMPNS)
        return (seconds * 1_000_000_000 + nanoseconds - sent) / 1000

    def close(self):
        self._server.close()


def measure(guarantee, count):
    """Returns the times of `count` first packets of new flows through a new pair of chassis, in microseconds."""
    lab = Lab("icrlat")
    try:
        lab.up()
        lab.change_cluster_file(r"(?m)^(    outside-unit: 2)$", rf"\1\n    guarantee: {guarantee}")
        for name in CHASSIS:
            lab.start_chassis(name)
        master, _ = lab.wait_for_redundancy()
        flows = Flows(lab)
        try:
            for _ in range(100):  # neighbours are resolved, and what is compiled or paged in late is there
                flows.first_packet_us()
            before = lab.card_counters(master)
            times = []
            for _ in range(count):
                times.append(flows.first_packet_us())
                time.sleep(PAUSE)
            after = lab.card_counters(master)
        finally:
            flows.close()
        waited = after.get("output-commit-waits", 0) - before.get("output-commit-waits", 0)
        alone = after.get("output-commit-alone", 0) - before.get("output-commit-alone", 0)
        if alone or (waited < count) != (guarantee == "asynchronous"):
            raise LabError(f"with {guarantee}, {waited} of {count} packets waited, and {alone} left without the peer")
        return times
    finally:
        lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=5000, help="new flows of each run")
    parser.add_argument("--runs", type=int, default=3, help="runs of each guarantee")
    options = parser.parse_args()
    figures = {guarantee: [] for guarantee in GUARANTEES}
    for _ in range(options.runs):
        for guarantee in GUARANTEES:
            times = measure(guarantee, options.flows)
            figures[guarantee].append([statistics.median(times), percentile(times, 0.99)])
            print(f"{guarantee}: {figures[guarantee][-1][0]:.0f} / {figures[guarantee][-1][1]:.0f} us", file=sys.stderr)
    for place, name in enumerate(("p50", "p99")):
        middle = {each: statistics.median(run[place] for run in runs) for each, runs in figures.items()}
        for guarantee, value in middle.items():
            print(f"replication.first_packet_{re.sub('-', '_', guarantee)}_us.{name} {value:.1f} us")
        print(f"replication.commit_latency_us.{name} {middle['output-commit'] - middle['asynchronous']:.1f} us")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"bench_commit_latency: {error}")
