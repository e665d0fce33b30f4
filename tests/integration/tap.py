"""One end of a cable of a lab, where frames are sent and received without the IP stack of that namespace."""

import ctypes
import os
import select
import socket
import time

from scapy.layers.l2 import Ether

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(namespace_descriptor):
    if LIBC.setns(namespace_descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


def socket_in(namespace, *arguments):
    """Makes a socket in a namespace. The socket stays in it, and the thread returns to its own."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        enter(there)
        return socket.socket(*arguments)
    finally:
        enter(home)
        os.close(there)
        os.close(home)


class Tap:
    def __init__(self, lab, place, interface, router):
        """Frames go to the Ethernet address of the IP address `router`."""
        lab.run(place, "ping", "-c", "1", "-W", "2", router)
        self.mac = lab.run(place, "cat", f"/sys/class/net/{interface}/address").stdout.strip()
        self.router = lab.run(place, "ip", "neigh", "show", "to", router, "dev", interface).stdout.split()[2]
        self.socket = socket_in(lab.namespace(place), socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))

    def close(self):
        self.socket.close()

    def send(self, packet, **ethernet):
        """Sends an IP packet to the router. `ethernet` replaces fields of the Ethernet header."""
        self.socket.send(bytes(Ether(**{"src": self.mac, "dst": self.router, **ethernet}) / packet))

    def forget(self):
        """Discards the frames that have arrived so far."""
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65536)

    def receive(self, seconds):
        """Yields each frame that arrives within this time. The caller stops when it has the right one."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            frame, address = self.socket.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                yield Ether(frame)

    def first(self, wanted, seconds=2):
        """Returns the first frame that is wanted, or None."""
        return next((frame for frame in self.receive(seconds) if wanted(frame)), None)
