#!/usr/bin/env python3
"""Benchmark replication.takeover_ms: the master of a cluster with 100,000 sessions is killed, again and again.

Time from just before the SIGKILL to the first packet that leaves the new master, as a capture socket on the server's
interface sees it (the kernel's time stamp; the new master is known by its Ethernet address). One established flow sends
a packet every millisecond.
"""

import argparse
import os
import socket
import statistics
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import netns  # noqa: E402
from lab.netlab import CHASSIS, SINK, Lab, LabError, wait_until  # noqa: E402
from lab.workload import Workload  # noqa: E402

SO_TIMESTAMPNS = 35
ETH_P_IP = 0x0800
PROBE_PORT = 9


class Capture:
    """The probe's packets as they reach the server's interface."""

    def __init__(self, lab):
        name = lab.namespace("server")
        self._link = netns.open_socket(name, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self._link.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        with netns.entered(name):
            self._link.bind(("eth0", ETH_P_IP))
        self._link.settimeout(1)

    def first_from(self, mac, after_ns, timeout):
        """Time of arrival (ns) of the first probe packet after `after_ns` that `mac` sent."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                frame, ancillary, _, _ = self._link.recvmsg(2048, 256)
            except TimeoutError:
                continue
            is_probe = len(frame) >= 42 and frame[23] == 17 and frame[36:38] == struct.pack("!H", PROBE_PORT)
            if not is_probe or frame[6:12] != mac:
                continue
            stamp = next((data for _, kind, data in ancillary if kind == SO_TIMESTAMPNS), None)
            seconds, nanoseconds = struct.unpack("qq", stamp)
            arrived = seconds * 1_000_000_000 + nanoseconds
            if arrived > after_ns:
                return arrived
        raise LabError(f"no packet came out of the new master within {timeout} s")


def outside_mac(lab, chassis):
    text = lab.run(chassis, "cat", "/sys/class/net/outside0/address").stdout
    return bytes.fromhex(text.strip().replace(":", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=100_000)
    options = parser.parse_args()
    lab = Lab("icrbench")
    work = Workload(lab)
    times = []
    try:
        lab.up()
        for name in CHASSIS:
            lab.start_chassis(name)
        lab.wait_for_redundancy()
        work.start_sink()
        listener = netns.open_socket(lab.namespace("server"), socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((SINK, PROBE_PORT))  # so that the probe is not answered by an ICMP error
        lab.start_tool("probe", "client", "udp_client.py", "--server", SINK, "--port", PROBE_PORT, "--rate", 1000)
        macs = {name: outside_mac(lab, name) for name in CHASSIS}
        capture = Capture(lab)
        made = 0.0
        while len(times) < options.kills:
            master, standby = lab.wait_for_redundancy()
            if time.monotonic() - made > 60:  # idle sessions last 120 s
                work.make_sessions(options.sessions)
                made = time.monotonic()
            wait_until(lambda: min(lab.session_count(name) for name in CHASSIS) >= options.sessions, 20, "the sessions on both")
            killed_ns = time.time_ns()
            lab.kill_chassis(master)
            times.append((capture.first_from(macs[standby], killed_ns, 10) - killed_ns) / 1e6)
            print(f"kill {len(times)}: {master} -> {standby} {times[-1]:.1f} ms", file=sys.stderr, flush=True)
            wait_until(lambda: lab.master() == standby, 10, f"{standby} to be master")
            lab.start_chassis(master)
    finally:
        lab.down()
    print(f"replication.takeover_ms.p50 {statistics.median(times):.1f} ms")
    print(f"replication.takeover_ms.max {max(times):.1f} ms")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"bench_takeover: {error}")
