"""New flows at a steady rate through the pair, what both ends hear of them, and what a chassis says that it has of them."""

import itertools
import re
import socket
import struct
import threading
import time

from lab import netns
from lab.netlab import SINK

SO_TIMESTAMPNS = 35
UDP_PORT, TCP_PORT = 9000, 9001
RATE = 1500  # new flows per second, one in eight of them of TCP
FLOW = re.compile(r"^(UDP|TCP) +(\S+):(\d+) +-> +(\S+):(\d+) +Forward +([IO])", re.MULTILINE)


class Flows:
    """New flows at a steady rate, and what both ends have heard of them.

    Of UDP, the server sees each flow's first packet, whose payload names the client's port, at the kernel's time. Of TCP,
    the client sees the answer to its SYN, because connect() ends with it; the time is that of the next look."""

    next_ports = itertools.cycle(range(20000, 60000))  # another round uses other ports, whose sessions are not there yet

    def __init__(self, lab):
        self._client, server = lab.namespace("client"), lab.namespace("server")
        self._udp_server = netns.open_socket(server, socket.AF_INET, socket.SOCK_DGRAM)
        self._udp_server.bind((SINK, UDP_PORT))
        self._udp_server.setblocking(False)
        self._udp_server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
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
        now, ahead = time.monotonic(), time.time_ns() - time.monotonic_ns()
        while True:
            try:
                data, ancillary, _, peer = self._udp_server.recvmsg(64, 256)
            except BlockingIOError:
                break
            stamp = next(value for _, kind, value in ancillary if kind == SO_TIMESTAMPNS)
            seconds, nanoseconds = struct.unpack("qq", stamp)
            with self._lock:
                at = (seconds * 1_000_000_000 + nanoseconds - ahead) / 1e9
                self.heard["UDP", struct.unpack("!H", data)[0]] = (at, peer)
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
