"""Output commit: what the world has heard of survives the death of the master, again and again (docs/replication.md)."""

import itertools
import os
import re
import socket
import struct
import threading
import time

import pytest

from lab import netns
from lab.netlab import CHASSIS, DEFAULT_CLUSTER, SINK, wait_until

UDP_PORT, TCP_PORT = 9000, 9001
RATE = 1500  # new flows per second, one in eight of them of TCP
FLOW = re.compile(r"^(UDP|TCP) +(\S+):(\d+) +-> +(\S+):(\d+) +Forward +([IO])", re.MULTILINE)


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


@pytest.fixture
def cluster_file(tmp_path):
    with open(DEFAULT_CLUSTER, encoding="utf-8") as text:
        lab_file = text.read()
    changed = re.sub(r"(?m)^(    outside-unit: 2)$", r"\1\n    guarantee: output-commit", lab_file)
    assert changed != lab_file
    path = tmp_path / "output-commit.yaml"
    path.write_text(changed, encoding="utf-8")
    return os.fspath(path)


class Flows:
    """New flows at a steady rate, and what both ends have heard of them.

    Of UDP, the server sees each flow's first packet, whose payload names the client's port. Of TCP, the client sees the
    answer to its SYN, because connect() ends with it."""

    next_ports = itertools.cycle(range(20000, 60000))  # another round uses other ports, whose sessions are not there yet

    def __init__(self, lab):
        self._client, server = lab.namespace("client"), lab.namespace("server")
        self._udp_server = netns.open_socket(server, socket.AF_INET, socket.SOCK_DGRAM)
        self._udp_server.bind((SINK, UDP_PORT))
        self._udp_server.setblocking(False)
        self._tcp_server = netns.open_socket(server, socket.AF_INET, socket.SOCK_STREAM)
        self._tcp_server.bind((SINK, TCP_PORT))
        self._tcp_server.listen(4096)
        self._tcp_server.setblocking(False)
        self._opening, self._open, self._accepted = {}, [], []
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self.heard = {}  # (protocol, client's port) -> (time, the translated endpoint or None)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _begin(self, protocol):
        port = next(self.next_ports)
        kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
        flow = netns.open_socket(self._client, socket.AF_INET, kind)
        flow.setblocking(False)
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        flow.bind(("198.18.0.10", port))
        with self._lock:
            self.heard.pop((protocol, port), None)
        if protocol == "UDP":
            flow.sendto(struct.pack("!H", port), (SINK, UDP_PORT))
            flow.close()
        else:
            flow.connect_ex((SINK, TCP_PORT))
            self._opening[port] = flow

    def _listen(self):
        now = time.monotonic()
        while True:
            try:
                data, peer = self._udp_server.recvfrom(64)
            except BlockingIOError:
                break
            with self._lock:
                self.heard["UDP", struct.unpack("!H", data)[0]] = (now, peer)
        while True:
            try:
                self._accepted.append(self._tcp_server.accept()[0])
            except BlockingIOError:
                break
        for port, flow in list(self._opening.items()):
            try:
                flow.getpeername()
            except OSError:
                continue
            with self._lock:
                self.heard["TCP", port] = (now, None)
            self._open.append(self._opening.pop(port))

    def _run(self):
        begun, started = 0, time.monotonic()
        while not self._ends.is_set():
            while begun < (time.monotonic() - started) * RATE:
                self._begin("TCP" if begun % 8 == 0 else "UDP")
                begun += 1
            self._listen()
            self._ends.wait(0.001)
        # What left the master before it died may still be on its way through the network.
        for _ in range(20):
            self._listen()
            time.sleep(0.005)

    def end(self):
        """Begins no more flows. Returns what was heard: {(protocol, client's port): (time, translated endpoint or None)}."""
        self._ends.set()
        self._thread.join()
        return self.heard

    def close(self):
        """Ends the connections, so that the chassis ends their sessions, too."""
        for flow in [*self._open, *self._opening.values(), *self._accepted, self._udp_server, self._tcp_server]:
            # A reset ends the connection at both ends, with no state left that would stand in the way of the next round.
            if flow.type == socket.SOCK_STREAM and flow is not self._tcp_server:
                flow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            flow.close()


def sessions(lab, chassis):
    """{(protocol, client's port): the translated endpoint} of a chassis, by its own word."""
    text = lab.icr("show services sessions", chassis=chassis, accept=(0, 3), timeout=60).stdout
    out, initiator = {}, None
    for protocol, _, source_port, destination, destination_port, role in FLOW.findall(text):
        if role == "I":
            initiator = (protocol, int(source_port))
        else:
            out[initiator] = (destination, int(destination_port))
    return out


def kill_and_compare(lab):
    """Kills the master under new flows. Returns the number of flows of which the world had heard, and which the new master
    has to know."""
    master, standby = lab.wait_for_redundancy()
    hot = time.monotonic()
    before = lab.card_counters(master)["output-commit-alone"]
    flows = Flows(lab)
    try:
        time.sleep(0.8)
        alone = lab.card_counters(master)["output-commit-alone"]
        killed = lab.kill_chassis(master)
        heard = flows.end()
        wait_until(lambda: lab.roles().get(standby) and lab.roles()[standby].role == "master", 10, f"{standby} to be master")
        table = sessions(lab, standby)
    finally:
        flows.end()
        flows.close()
    assert alone == before, "packets left without a peer, which is there"
    told = {flow: endpoint for flow, (at, endpoint) in heard.items() if hot <= at}
    lost = {flow: endpoint for flow, endpoint in told.items() if flow not in table}
    moved = {
        flow: (endpoint, table[flow])
        for flow, endpoint in told.items()
        if endpoint is not None and flow in table and table[flow] != endpoint
    }
    print(f"killed {master} at {killed - hot:.3f} s: {len(told)} flows heard of, {len(table)} sessions at {standby}")
    assert not lost and not moved, f"{len(lost)} of {len(told)} are lost, as {list(lost)[:5]}; moved: {list(moved.items())[:5]}"
    lab.start_chassis(master)
    return len(told)


def run(lab, kills):
    told = [kill_and_compare(lab) for _ in range(kills)]
    print(f"{sum(told)} flows heard of before {kills} kills, none lost")
    assert min(told) > 200 and any(flow > 500 for flow in told), told


def test_what_the_world_has_heard_survives_kills_of_the_master(lab):
    run(lab, 4)


@pytest.mark.long
def test_what_the_world_has_heard_survives_two_hundred_kills_of_the_master(lab):
    run(lab, 200)


def test_a_session_says_whether_its_newest_state_is_at_the_peer(lab, work):
    work.start_udp(rate=20)
    wait_until(lambda: work.udp_progress(), 5, "answers")
    text = lab.icr("show services sessions extensive").stdout
    assert "  Guarantee: output-commit, newest state at the peer: yes\n" in text
    master, standby = lab.wait_for_redundancy()
    assert lab.card_counters(master)["output-commit-waits"] > 0
    lab.kill_chassis(standby)
    wait_until(
        lambda: "newest state at the peer: no" in lab.icr("show services sessions extensive", accept=(0, 3)).stdout,
        10,
        "the master to see that its peer is gone",
    )
