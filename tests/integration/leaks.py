"""Watches both sides of a lab for packets that must never be there, while something is done to its chassis."""

import contextlib

from lab.netlab import wait_until

INSIDE, INSIDE_V6 = "198.18.0.0/24", "2001:db8:18::/64"
SERVICE_PORT = 9000  # where the client listens, and nobody outside may reach it

# Asks the client for a connection from outside again and again, by IPv6, which nothing translates.
KNOCK = (
    """
import socket, time
while True:
    one = socket.socket(socket.AF_INET6)
    one.setblocking(False)
    one.connect_ex(("2001:db8:18::10", %d))
    time.sleep(0.02)
    one.close()
"""
    % SERVICE_PORT
)


class Leaks:
    """Sees packets with an inside source on the outside network, and requests from outside on the inside network."""

    def __init__(self, lab):
        self.lab = lab
        # Neighbour discovery and listener reports come from the chassis themselves, not from a host inside.
        self._watch("leaks-outside", "server", f"src net {INSIDE} and not arp")
        self._watch("leaks-inside", "client", f"ip6 and tcp and dst port {SERVICE_PORT} and src net 2001:db8:19::/64")
        lab.start("knocking", "server", "python3", "-c", KNOCK)

    def _watch(self, name, place, what):
        self.lab.start(name, place, "tcpdump", "-l", "-n", "-i", "eth0", what, stdout="out")
        log = self.lab.processes.log_file(name)
        wait_until(lambda: b"listening on" in content_of(log), 10, f"tcpdump to listen in {place}")

    def lines(self):
        """Returns the packets seen so far that must not be there."""
        out = []
        for name in ("leaks-outside", "leaks-inside"):
            with open(self.lab.processes.output_file(name), encoding="utf-8") as seen:
                out += [f"{name}: {line.rstrip()}" for line in seen]
        return out

    def assert_none(self, when):
        assert not (seen := self.lines()), f"{when}: {len(seen)} packets that must not be there, the first: {seen[:3]}"


def content_of(path):
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return file.read()
    return b""


def steering_tables(lab, chassis):
    """Returns the tables that the chassis' rules name."""
    words = lab.run(chassis, "ip", "rule", "show", "priority", "7300").stdout.split()
    return sorted({words[i + 1] for i, word in enumerate(words) if word == "lookup"})


def flush_rules(lab, chassis):
    """Deletes all rules, as a program does that takes them for its own: a restart of systemd-networkd, netplan apply."""
    for family in ("-4", "-6"):
        lab.run(chassis, "ip", family, "rule", "flush", "protocol", "73")


def flush_tables(lab, chassis):
    for table in steering_tables(lab, chassis):
        for family in ("-4", "-6"):
            lab.run(chassis, "ip", family, "route", "flush", "table", table)


def flush_nftables(lab, chassis):
    lab.run(chassis, "nft", "flush", "ruleset")


def flush_everything(lab, chassis):
    tables = steering_tables(lab, chassis)
    flush_nftables(lab, chassis)
    flush_rules(lab, chassis)
    for table in tables:
        for family in ("-4", "-6"):
            lab.run(chassis, "ip", family, "route", "flush", "table", table)
