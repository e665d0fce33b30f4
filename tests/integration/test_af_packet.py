"""Ports of type af-packet: the chassis receives and sends on its Ethernet interfaces, without TUN devices."""

import pathlib

import pytest
from arrivals import Arrivals
from conftest import PREFIX

from lab.netlab import CHASSIS, SERVER, SERVER_V6, Lab, wait_until
from lab.workload import Workload

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def lab(request):
    out = Lab(PREFIX, str(ROOT / "cluster-configs" / "af-packet.yaml"))
    out.up()
    for name in CHASSIS:
        out.start_chassis(name)
    out.wait_for_redundancy()
    yield out
    if request.node.report_call.failed:
        for name in CHASSIS:
            print(f"--- log of chassis {name}\n{out.log_tail(name, 40)}\n{out.card_counters(name)}")
    out.down()


def test_a_download_survives_the_master(lab):
    work = Workload(lab)
    work.start_servers()
    work.start_download(size=40_000_000, seconds=8)
    master, standby = lab.master(), "right" if lab.master() == "left" else "left"
    counters = lab.card_counters(master)
    assert counters["unit-1-rx-packets"] > 0 and counters["unit-2-rx-packets"] > 0
    wait_until(lambda: work.download_progress()["bytes"] > 5_000_000, 20, "some of the download")
    wait_until(lambda: lab.session_count(standby) == lab.session_count(master), 10, "the twins")
    lab.kill_chassis(master)
    figures = work.wait_for_download(60)
    assert "connections=1 status=200" in lab.log_tail("download")
    assert figures["bytes"] == 40_000_000 and figures["checksum_ok"]
    assert {peer.rpartition(".")[0] for peer in work.http_peers()} == {"203.0.113"}
    assert lab.master() == standby


SIZE = 60_000_000  # octets in each direction
TRANSFER_SERVER = """
import socket, sys
listener = socket.create_server(("::", 5201), family=socket.AF_INET6, dualstack_ipv6=True)
up, count = listener.accept()[0], 0
while data := up.recv(1 << 20):
    count += len(data)
up.sendall(str(count).encode())
up.close()
down = listener.accept()[0]
down.sendall(bytes(int(sys.argv[1])))
down.close()
"""
TRANSFER_CLIENT = """
import socket, sys
up = socket.create_connection((sys.argv[1], 5201))
up.sendall(bytes(int(sys.argv[2])))
up.shutdown(socket.SHUT_WR)
print(up.recv(100).decode())
down, count = socket.create_connection((sys.argv[1], 5201)), 0
while data := down.recv(1 << 20):
    count += len(data)
print(count)
"""


@pytest.mark.parametrize("server", [SERVER, SERVER_V6], ids=["ipv4", "ipv6"])
def test_segments_pass_together_in_both_directions(lab, server):
    lab.start("transfer-server", "server", "python3", "-c", TRANSFER_SERVER, SIZE)
    wait_until(lambda: ":5201 " in lab.run("server", "ss", "-Hlnt").stdout, 10, "the server to listen")
    done = lab.run("client", "python3", "-c", TRANSFER_CLIENT, server, SIZE, timeout=60)
    assert done.stdout.split() == [str(SIZE), str(SIZE)]
    counters = lab.card_counters(lab.master())
    for unit in (1, 2):
        assert counters[f"unit-{unit}-rx-large-packets"] > 0 and counters[f"unit-{unit}-tx-large-packets"] > 0
        for name in ("tx-dropped-no-route", "tx-dropped-unresolved", "tx-dropped-mtu", "tx-dropped-bad-offload"):
            assert counters[f"unit-{unit}-{name}"] == 0


def test_the_chassis_itself_can_be_reached(lab):
    """Its own addresses, and the virtual ones, answer; nothing of that goes through the card."""
    before = lab.card_counters(lab.master())["packets-in"]
    for address in ("198.18.0.1", "198.18.0.2", "198.18.0.3"):
        assert " 0% packet loss" in lab.run("client", "ping", "-c", "3", "-i", "0.05", address).stdout
    assert lab.card_counters(lab.master())["packets-in"] == before
    Arrivals(lab).all_pings_answered(3, SERVER)  # also the first one, which waits for the next hop


def test_path_mtu_and_hop_limit_are_told(lab):
    """The port makes the errors that the kernel makes elsewhere, and the client believes them."""
    lab.run(lab.master(), "ip", "link", "set", "outside0", "mtu", "1400")
    arrivals = Arrivals(lab)

    def told():
        done = lab.run("client", "ping", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", "1452", SERVER, check=False)
        return "Frag needed and DF set (mtu = 1400)" in done.stdout

    wait_until(told, 10, "the client to hear of the MTU")
    assert "mtu 1400" in lab.run("client", "ip", "route", "get", SERVER).stdout
    assert " 0% packet loss" in arrivals.answer_to_ping("-M", "do", "-s", "1372", SERVER)
    assert "Time to live exceeded" in arrivals.answer_to_ping("-t", "1", SERVER)


def test_a_chassis_starts_before_its_interface_and_uses_it_when_it_comes():
    """Issue 7 section 4: interfaces may come late. Until then the other member, which has all of them, is master."""
    lab = Lab(PREFIX, str(ROOT / "cluster-configs" / "af-packet.yaml"))
    lab.up()
    try:
        lab.run("left", "ip", "link", "set", "inside0", "down")
        lab.run("left", "ip", "link", "set", "inside0", "name", "later0")
        for name in CHASSIS:
            lab.start_chassis(name)  # it is ready although the interface is not
        assert lab.wait_for_redundancy() == ("right", "left"), "left has the higher priority, but it is ill"
        log = lab.log_tail("left", 200)
        assert log.count("interface=inside0 does not exist yet: unit 1 waits for it") == 1
        assert lab.stop_chassis("left") == 0, "SIGTERM ends a chassis that waits"
        lab.start_chassis("left")
        lab.wait_for_redundancy()
        for words in ("name inside0", "up"):
            lab.run("left", "ip", "link", "set", "later0" if words != "up" else "inside0", *words.split())
        wait_until(lambda: "unit 1 receives and sends on it" in lab.log_tail("left", 50), 5, "the port to be opened")
        lab.run("left", "ip", "address", "replace", "198.18.0.2/24", "dev", "inside0")

        def switched():
            lab.icr("request services redundancy-set rs1 switchover", accept=None)
            return lab.master() == "left"

        wait_until(switched, 20, "left to be well, and master by command", interval=0.5)
        Arrivals(lab).all_pings_answered(5, "-W", "2", SERVER)
        assert lab.card_counters("left")["unit-1-rx-packets"] > 0
    finally:
        lab.down()
