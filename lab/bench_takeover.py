#!/usr/bin/env python3
"""Benchmarks replication.takeover_ms and takeover_1m_ms: the master of a cluster with 100,000 or (--sessions 1000000) a
million sessions is killed, again and again.

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
MOST_SESSIONS = 1_030_000  # the pool has 16 addresses with 64,512 ports


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
    if not 0 < options.sessions <= MOST_SESSIONS:
        parser.error(f"the pool of the lab has room for 1 to {MOST_SESSIONS} sessions")
    lab = Lab("icrbench")
    work = Workload(lab)
    name = "replication.takeover_1m_ms" if options.sessions == 1_000_000 else "replication.takeover_ms"
    times = []
    try:
        lab.up()
        for key in ("max-sessions", "session-limit"):
            lab.change_cluster_file(rf"(?m)^(    {key}:) \d+$", rf"\1 {2 * MOST_SESSIONS}")
        lab.change_cluster_file(r"inactivity-timeout: 120", "inactivity-timeout: 3600")  # idle sessions outlive all kills
        for each in CHASSIS:
            lab.start_chassis(each)
        lab.wait_for_redundancy()
        work.start_sink()
        listener = netns.open_socket(lab.namespace("server"), socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((SINK, PROBE_PORT))  # so that the probe is not answered by an ICMP error
        lab.start_tool("probe", "client", "udp_client.py", "--server", SINK, "--port", PROBE_PORT, "--rate", 1000)
        macs = {each: outside_mac(lab, each) for each in CHASSIS}
        capture = Capture(lab)
        work.make_sessions(options.sessions, timeout=60 + options.sessions / 5000)
        while len(times) < options.kills:
            master, standby = lab.wait_for_redundancy()
            wait_until(lambda: min(lab.session_count(each) for each in CHASSIS) >= options.sessions, 60, "the sessions on both")
            killed_ns = time.time_ns()
            lab.kill_chassis(master)
            times.append((capture.first_from(macs[standby], killed_ns, 10) - killed_ns) / 1e6)
            print(f"kill {len(times)}: {master} -> {standby} {times[-1]:.1f} ms", file=sys.stderr, flush=True)
            wait_until(lambda: lab.master() == standby, 10, f"{standby} to be master")
            lab.start_chassis(master)
    finally:
        lab.down()
    print(f"{name}.p50 {statistics.median(times):.1f} ms")
    print(f"{name}.max {max(times):.1f} ms")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"bench_takeover: {error}")
