"""Asymmetric traffic: the server's packets come to the standby, which drops them or relays them to the master."""

import re
import socket
import time

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from lab.netlab import CHASSIS, SERVER, wait_until
from tap import ETH_P_ALL, socket_in
from test_commit import Commits

POOL = "203.0.113.0/28"
RELAY = (r"(?m)^    preempt: no$", "    preempt: no\n    asymmetric-traffic: relay")
DROPS = ("not-master", "relay-no-master", "relay-queue-full", "relay-not-master")


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


def send_answers_to(lab, chassis):
    """The server's route to the NAT pool points to a chassis itself, whichever is master."""
    lab.run("server", "ip", "route", "replace", POOL, "via", f"198.19.0.{CHASSIS[chassis]}")


def mac_of(lab, chassis):
    return lab.run(chassis, "cat", "/sys/class/net/outside0/address").stdout.strip()


def asymmetric(lab, protocol, chassis):
    """What a chassis says of its sessions of a protocol: a set of `yes` and `no`."""
    shown = lab.icr("show services sessions extensive", chassis=chassis).stdout
    found = set()
    for block in re.split(r"(?m)^(?=Service Set: )", shown):
        if re.search(rf"^{protocol} ", block, re.MULTILINE):
            found |= set(re.findall(r"Asymmetric: (yes|no)", block))
    return found


def drops(lab, chassis):
    counters = lab.card_counters(chassis)
    return {name: counters[name] for name in DROPS}


def answers_of(listener, mac, seconds):
    """What the chassis with this address sends to the server by itself within some seconds: IP packets."""
    listener.settimeout(0.1)
    end, found = time.monotonic() + seconds, []
    while time.monotonic() < end:
        try:
            frame, address = listener.recvfrom(65536)
        except TimeoutError:
            continue
        packet = Ether(frame)
        if address[2] != socket.PACKET_OUTGOING and packet.src == mac and IP in packet:
            found.append(packet.summary())
    return found


@pytest.fixture
def listener(network):
    """Hears what comes to the server's interface."""
    with socket_in(network.namespace("server"), socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as out:
        out.bind(("eth0", ETH_P_ALL))
        yield out


def test_a_standby_drops_packets_unless_it_is_told_to_relay_them(lab, work, listener):
    master, standby = lab.wait_for_redundancy()
    send_answers_to(lab, standby)
    # Dropped and counted, and answered with nothing: neither with a reset nor with an ICMP error.
    lab.start_tool("udp-client", "client", "udp_client.py", "--server", SERVER, "--state", work._state("udp"), stdout="out")
    curl = lab.run("client", "curl", "--silent", "--max-time", "2", f"http://{SERVER}:8000/download?size=1000", check=False)
    assert curl.returncode == 28, "a connection whose answers are dropped times out, and is not refused"
    answers = answers_of(listener, mac_of(lab, standby), 1)
    assert not answers, answers
    wait_until(lambda: drops(lab, standby)["not-master"] > 20, 10, "dropped packets to be counted")
    assert work.udp_progress()["received"] == 0
    assert asymmetric(lab, "UDP", master) == {"no"}
    counters = lab.card_counters(standby)
    assert counters["packets-relayed"] == 0 and counters["rejects-sent"] == 0, counters

    # The key is taken while everything runs.
    Commits(lab).commit(RELAY)
    assert lab.wait_for_redundancy() == (master, standby)
    wait_until(lambda: work.udp_progress()["received"] > 20, 10, "answers of the server")
    wait_until(lambda: asymmetric(lab, "UDP", master) == {"yes"}, 10, "the session to be asymmetric")
    wait_until(lambda: asymmetric(lab, "UDP", standby) == {"yes"}, 10, "the standby to know of it")
    work.start_download(size=20_000_000, seconds=2)
    assert work.wait_for_download()["checksum_ok"]
    here = lab.card_counters(master)
    assert here["packets-relayed-here"] > 20 and here["relay-not-master"] == 0, here
    work.stop_udp()


@pytest.fixture
def relaying(network):
    """Both chassis run, and relay. Server and client have routes of their own to the standby: (master, standby)."""
    network.change_cluster_file(*RELAY)
    for name in CHASSIS:
        network.start_chassis(name)
    return network.wait_for_redundancy()


def test_sessions_whose_answers_come_by_the_standby_work_and_outlive_the_master(network, relaying, work):
    lab = network
    master, standby = relaying
    send_answers_to(lab, standby)
    work.start_udp(rate=100)
    work.start_ping()
    work.start_download(size=60_000_000, seconds=12)
    wait_until(lambda: asymmetric(lab, "TCP", standby) == {"yes"}, 10, "the standby to know of the asymmetric connection")
    for protocol in ("TCP", "UDP", "ICMP"):
        for chassis in (master, standby):
            assert asymmetric(lab, protocol, chassis) == {"yes"}, (protocol, chassis)
    before = work.download_progress()["bytes"]
    wait_until(lambda: work.download_progress()["bytes"] > before + 5_000_000, 10, "the download to go on")
    assert lab.card_counters(standby)["packets-relayed"] > 100
    assert sum(drops(lab, standby).values()) == 0, drops(lab, standby)
    assert sum(drops(lab, master).values()) == 0, drops(lab, master)
    lost = work.udp_progress()["sent"] - work.udp_progress()["received"]
    assert lost <= 2, "answers that are on their way"

    # Connections live on through the new master, to which the server's packets come already.
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == standby, 10, "the standby to be master")
    result = work.wait_for_download()
    assert result["checksum_ok"] and result["connections"] == 1, result
    udp, ping = work.stop_udp(), work.stop_ping()
    assert udp["received"] > 500 and udp["lost"] < 100, udp
    assert ping["received"] > 50, ping
    assert asymmetric(lab, "UDP", standby) == {"yes"}

    # The former master is standby of the new one, and relays for it.
    lab.start_chassis(master)
    assert lab.wait_for_redundancy() == (standby, master)
    send_answers_to(lab, master)
    work.start_udp(rate=100)
    wait_until(lambda: lab.card_counters(master)["packets-relayed"] > 20, 10, "packets to be relayed the other way")
    wait_until(lambda: work.udp_progress()["received"] > 50, 10, "answers of the server")
    assert sum(drops(lab, master).values()) == 0, drops(lab, master)
