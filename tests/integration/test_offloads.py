"""Unfinished packets of the kernel (checksums not computed, many segments in one) through a chassis, with real programs.

The wires around the chassis are made to carry finished packets only, so every checksum on them was computed by the
kernel from what the chassis left in the packet, and is verified here by scapy and by the receiver's kernel."""

import json
import socket
import threading

import pytest
from scapy.all import TCP, UDP, Ether

from lab import netns
from lab.netlab import CLIENT_V6, SERVER, SERVER_V6, wait_until

ETH_P_ALL = 3
PACKET_OUTGOING = 4


@pytest.fixture
def finished(lab):
    """What the chassis and the hosts send leaves them finished: one segment a frame, checksums computed."""
    for chassis in ("left", "right"):
        for interface in ("inside0", "outside0"):
            netns.checksum_in_software(lab.namespace(chassis), interface)
    return lab


@pytest.fixture
def iperf(network):
    network.start("iperf3-server", "server", "iperf3", "--server", "--interval", "0")
    wait_until(lambda: ":5201 " in network.run("server", "ss", "-Hlnt").stdout, 10, "iperf3 to listen")

    def run(*options, server=SERVER):
        command = ["iperf3", "--client", server, "--json", *options]
        return json.loads(network.run("client", *command, timeout=60).stdout)["end"]

    return run


class Tap:
    """Frames that reach an interface, until enough were seen."""

    def __init__(self, namespace, interface, enough):
        self._socket = netns.open_socket(namespace, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        with netns.entered(namespace):
            self._socket.bind((interface, ETH_P_ALL))
        self._socket.settimeout(0.2)
        self._enough, self.frames, self._over = enough, [], False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while not self._over and len(self.frames) < self._enough:
            try:
                frame, where = self._socket.recvfrom(70000)
            except TimeoutError:
                continue
            if where[2] != PACKET_OUTGOING:
                self.frames.append(frame)

    def end(self):
        self._over = True
        self._thread.join()
        self._socket.close()
        return [Ether(frame) for frame in self.frames]


def wrong_checksums(frames, layer):
    """Frames whose transport (or IPv4) checksum is not what scapy computes; and how many were looked at."""
    wrong, seen = [], 0
    for frame in frames:
        if layer not in frame:
            continue
        seen += 1
        packet = frame.payload
        again = packet.copy()
        del again[layer].chksum
        if again.version == 4:
            del again.chksum
        if bytes(type(packet)(bytes(again))) != bytes(packet):
            wrong.append(packet.summary())
    return wrong, seen


def bad_checksums_at(lab, place):
    """What the kernel there has refused."""
    text = lab.run(place, "nstat", "-asz", "TcpInCsumErrors", "UdpInCsumErrors", "Udp6InCsumErrors").stdout
    return [line for line in text.splitlines() if "InCsumErrors" in line and line.split()[1] != "0"]


@pytest.mark.parametrize("server,client", [(SERVER, "203.0.113."), (SERVER_V6, CLIENT_V6)], ids=["ipv4", "ipv6"])
def test_checksums_on_the_wire_are_right_in_both_directions(finished, iperf, server, client):
    lab = finished
    master = lab.master()
    for direction, place in (("--bidir", "server"), ("--reverse", "client")):
        tap = Tap(lab.namespace(place), "eth0", 4000)
        report = iperf("--bytes", "40M", direction, server=server)
        frames = tap.end()
        # In both directions at once iperf3 ends when the faster one is done; which one that is, is the scheduler's.
        received = [report[key]["bytes"] for key in ("sum_received", "sum_received_bidir_reverse") if key in report]
        assert max(received) >= 30_000_000
        wrong, seen = wrong_checksums(frames, TCP)
        assert seen > 1000 and not wrong, wrong[:5]
        assert max(len(frame) for frame in frames) <= 1514, "the wire carries segments, not what they came in"
        if place == "server":
            assert any(client in frame.payload.src for frame in frames if TCP in frame)
    assert not bad_checksums_at(lab, "server") and not bad_checksums_at(lab, "client")
    counters = lab.card_counters(master)
    for unit in (1, 2):
        assert counters[f"unit-{unit}-rx-large-packets"] > 0, "the chassis moved segments by tens, not one by one"
        assert counters[f"unit-{unit}-tx-large-packets"] > 0
        assert counters[f"unit-{unit}-rx-dropped-bad-offload"] == counters[f"unit-{unit}-tx-dropped-bad-offload"] == 0


@pytest.mark.quiet
def test_datagrams(finished, iperf):
    lab = finished
    tap = Tap(lab.namespace("server"), "eth0", 2000)
    report = iperf("--udp", "--bitrate", "50M", "--time", "2", "--length", "1300")
    frames = tap.end()
    assert report["sum"]["lost_percent"] < 1
    wrong, seen = wrong_checksums(frames, UDP)
    assert seen > 1000 and not wrong, wrong[:5]
    assert not bad_checksums_at(lab, "server")


def test_windows_and_counters_hold_for_large_segments(lab, iperf):
    """Unlimited TCP: no segment of 64 KB may be taken for one outside the window."""
    report = iperf("--time", "3", "--parallel", "4")
    assert report["sum_received"]["bytes"] > 50_000_000
    counters = lab.card_counters(lab.master())
    assert counters["unit-1-rx-large-packets"] > 100
    for name in ("tcp-invalid-seq-win-check", "tcp-invalid-ack-win-check", "ip-total-length-errors"):
        assert counters[name] == 0, name
