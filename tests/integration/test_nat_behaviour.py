"""What RFC 4787, 5382 and 6888 ask of a NAT, seen by programs on either side, before and after a takeover."""

import contextlib
import re
import socket

import pytest
from arrivals import Arrivals
from nat_kinds import CLUSTER
from test_redundancy import other, wait_for_master

from lab import netns
from lab.netlab import CHASSIS, CLIENT, SERVER, SINK, wait_until

NEIGHBOUR = "198.18.0.11"  # a second inside host, in the client's namespace

NAPT = """
  pools: [{{ name: pool1, addresses: [203.0.113.0/28], {pool} }}]
  rules:
    - name: translate
      match-direction: input
      terms:
        - name: all
          from: {{ source-address: [198.18.0.0/24] }}
          then: {{ translated: {{ source-pool: pool1, translation-type: napt-44, {then} }} }}
"""


def napt(then="", pool=""):
    text = NAPT.format(then=then, pool=pool)
    return re.sub(r", *}", " }", text)


@pytest.fixture
def cluster_file(request, tmp_path):
    mark = request.node.get_closest_marker("nat")
    text = CLUSTER.format(nat=mark.args[0].strip("\n"))
    for old, new in mark.kwargs.items():
        text = text.replace(f"name: {old},", f"name: {old}, {new},")
    path = tmp_path / "cluster.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


class Udp:
    """A UDP socket of a host of the lab."""

    def __init__(self, lab, arrivals, place, address, port=0):
        self.arrivals = arrivals
        self.socket = netns.open_socket(lab.namespace(place), socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.socket.settimeout(5)
        self.endpoint = self.socket.getsockname()

    def send(self, to, text=b"x"):
        self.socket.sendto(text, to)

    def receive(self):
        """(text, sender)"""
        return self.socket.recvfrom(2048)

    def hears(self, sender, to, text):
        """Lets `sender` send a datagram. Returns its endpoint as this socket sees it."""

        def attempt():
            sender.send(to, text)
            with contextlib.suppress(TimeoutError):
                return self.receive()

        got, endpoint = self.arrivals.insist(attempt, f"{text} to {to}")
        assert got == text
        return endpoint

    def receives_nothing(self, seconds=0.5):
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            got = self.socket.recvfrom(2048)
            raise AssertionError(f"{got} arrived")
        self.socket.settimeout(5)

    def close(self):
        self.socket.close()


@pytest.fixture
def udp(lab):
    made = []
    arrivals = Arrivals(lab)

    def make(place, address, port=0):
        made.append(Udp(lab, arrivals, place, address, port))
        return made[-1]

    yield make
    for one in made:
        one.close()


def seen_by(server, client, text=b"hello"):
    """The client's endpoint as the server sees it."""
    return server.hears(client, server.endpoint, text)


def take_over(lab):
    """Kills the master and waits for its heir, once the heir has all that the master has."""
    master = lab.master()
    wait_until(
        lambda: "pending 0" in lab.icr("show services redundancy-group extensive", chassis=master).stdout
        or lab.session_count(master) == lab.session_count(other(master)),
        10, "the twin to have everything",
    )  # fmt: skip
    lab.kill_chassis(master)
    wait_for_master(lab, other(master))


def counter(lab, name):
    """Sum over the chassis that answer."""
    shown = lab.icr("show services service-sets statistics packet-drops extensive", accept=(0, 3)).stdout
    return sum(int(value) for value in re.findall(rf"^ +{re.escape(name)} +(\d+)$", shown, re.M))


@pytest.mark.nat(napt("mapping-type: endpoint-independent"))
def test_endpoint_independent_mapping_survives_a_takeover(lab, udp):
    """RFC 4787 REQ-1: one mapping for all destinations."""
    client = udp("client", CLIENT, 5000)
    first, second, third = udp("server", SERVER), udp("server", SINK), udp("server", SERVER)
    mapped = seen_by(first, client)
    assert seen_by(second, client) == mapped
    take_over(lab)
    assert seen_by(third, client) == mapped
    shown = lab.icr("show services nat mappings endpoint-independent", accept=(0, 3)).stdout
    assert re.search(
        rf"Mapping +: {re.escape(CLIENT)} +: *5000 +--> {re.escape(mapped[0])} *: *{mapped[1]}$", shown, re.M
    ), shown


@pytest.mark.nat(napt("mapping-type: endpoint-independent"))
def test_without_endpoint_independent_filtering_strangers_are_refused(lab, udp):
    client = udp("client", CLIENT, 5000)
    server, stranger = udp("server", SERVER), udp("server", SINK)
    mapped = seen_by(server, client)
    before = counter(lab, "nat-eif-filtered")

    def refused():
        stranger.send(mapped)
        client.receives_nothing()
        return counter(lab, "nat-eif-filtered") - before or None

    assert client.arrivals.insist(refused, "the stranger's datagram") == 1


@pytest.mark.nat(napt("mapping-type: endpoint-independent, filtering-type: endpoint-independent"))
def test_endpoint_independent_filtering_lets_strangers_in_before_and_after_a_takeover(lab, udp):
    """RFC 4787 REQ-8."""
    client = udp("client", CLIENT, 5000)
    server, stranger, late = udp("server", SERVER), udp("server", SINK), udp("server", SINK)
    mapped = seen_by(server, client)
    assert client.hears(stranger, mapped, b"first") == stranger.endpoint
    assert stranger.hears(client, stranger.endpoint, b"back") == mapped
    take_over(lab)
    assert client.hears(late, mapped, b"second") == late.endpoint
    assert late.hears(client, late.endpoint, b"again") == mapped


@pytest.mark.nat(napt("address-pooling: paired"))
def test_paired_pooling_keeps_a_host_on_one_address(lab, udp):
    """RFC 4787 REQ-2."""
    server = udp("server", SERVER)
    addresses = {seen_by(server, udp("client", CLIENT))[0] for _ in range(60)}
    assert len(addresses) == 1
    take_over(lab)
    assert {seen_by(server, udp("client", CLIENT))[0] for _ in range(20)} == addresses


@pytest.mark.nat(napt(pool="address-allocation: round-robin"))
def test_round_robin_spreads_a_host_over_the_pool(lab, udp):
    server = udp("server", SERVER)
    addresses = {seen_by(server, udp("client", CLIENT))[0] for _ in range(48)}
    assert len(addresses) == 16


@pytest.mark.nat(napt("mapping-type: endpoint-independent, filtering-type: endpoint-independent"))
def test_hairpinning_between_inside_hosts(lab, udp):
    """RFC 4787 REQ-9: the called host sees the caller's external address and port."""
    lab.run("client", "ip", "address", "add", f"{NEIGHBOUR}/24", "dev", "eth0")
    server = udp("server", SERVER)
    called, caller = udp("client", CLIENT, 5000), udp("client", NEIGHBOUR, 6000)
    external_called = seen_by(server, called)
    external_caller = seen_by(server, caller)
    for text in (b"one", b"two"):
        assert called.hears(caller, external_called, text) == external_caller
        assert caller.hears(called, external_caller, text) == external_called
        if text == b"one":
            take_over(lab)


@pytest.mark.nat(napt(pool="port: { secured-port-block-allocation: { block-size: 256, max-blocks-per-address: 2 } }"))
def test_port_blocks_belong_to_a_host_through_takeovers_and_restarts(lab, udp):
    """RFC 6888 REQ-8, RFC 7422: ports of a host come from its blocks; a block has one owner."""
    lab.run("client", "ip", "address", "add", f"{NEIGHBOUR}/24", "dev", "eth0")
    server = udp("server", SERVER)

    def block(endpoint):
        return endpoint[0], (endpoint[1] - 1024) // 256

    def blocks(address, count):
        return {block(seen_by(server, udp("client", address))) for _ in range(count)}

    mine, neighbours = blocks(CLIENT, 100), blocks(NEIGHBOUR, 100)
    assert len(mine) == len(neighbours) == 1 and mine != neighbours
    master = lab.master()
    take_over(lab)
    assert blocks(CLIENT, 30) == mine and blocks(NEIGHBOUR, 30) == neighbours

    lab.start_chassis(master)
    lab.wait_for_redundancy()
    for name in CHASSIS:
        assert lab.stop_chassis(name) == 0
    for name in CHASSIS:
        lab.start_chassis(name)
    lab.wait_for_redundancy()
    assert blocks(CLIENT, 10) == mine and blocks(NEIGHBOUR, 10) == neighbours

    # The third block is one too many.
    sessions = [udp("client", CLIENT) for _ in range(400)]
    seen = set()
    for one in sessions:
        one.send(server.endpoint)
    server.socket.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while True:
            seen.add(block(server.receive()[1]))
    assert len(seen) == 2 and mine <= seen and not seen & neighbours
    assert re.search(r"[Bb]lock", "".join(lab.log_tail(name, 400) for name in CHASSIS)), "blocks are not logged"


@pytest.mark.nat(
    """
  pools:
    - { name: small, addresses: [203.0.113.0/32], port: { range: { low: 3000, high: 3003 } } }
    - { name: large, addresses: [203.0.113.8/29] }
  rules:
    - name: translate
      match-direction: input
      terms:
        - name: all
          from: { source-address: [198.18.0.0/24] }
          then: { translated: { source-pool: [small, large], translation-type: napt-44 } }
"""
)
def test_the_next_pool_takes_over_when_the_first_is_exhausted(lab, udp):
    server = udp("server", SERVER)
    seen = [seen_by(server, udp("client", CLIENT)) for _ in range(12)]
    assert sorted(endpoint for endpoint in seen if endpoint[0] == "203.0.113.0") == [
        ("203.0.113.0", port) for port in range(3000, 3004)
    ]
    assert all(re.match(r"203\.0\.113\.(8|9|1[0-5])$", address) for address, _ in seen[4:])
    assert len(set(seen)) == 12


@pytest.mark.nat(
    """
  pools:
    - { name: hosts, addresses: [203.0.113.1/32] }
    - { name: rest, addresses: [203.0.113.9/32] }
  rules:
    - name: translate
      match-direction: input
      terms:
        - name: all
          from: { source-address: [198.18.0.0/24] }
          then: { translated: { source-pool: hosts, overload-pool: rest, translation-type: dynamic-nat44 } }
"""
)
def test_dynamic_addresses_are_exclusive_and_overflow(lab, udp):
    lab.run("client", "ip", "address", "add", f"{NEIGHBOUR}/24", "dev", "eth0")
    server = udp("server", SERVER)
    first = udp("client", CLIENT)
    assert seen_by(server, first) == ("203.0.113.1", first.endpoint[1])
    assert seen_by(server, udp("client", NEIGHBOUR))[0] == "203.0.113.9"
    take_over(lab)
    again = udp("client", CLIENT)
    assert seen_by(server, again) == ("203.0.113.1", again.endpoint[1])
    assert seen_by(server, udp("client", NEIGHBOUR))[0] == "203.0.113.9"


@pytest.mark.nat(napt(pool="port: { range: { low: 512, high: 65535 }, preserve-parity: yes, preserve-range: yes }"))
def test_parity_and_range_of_ports_are_kept(lab, udp):
    """RFC 4787 REQ-3 and section 4.2.2."""
    server = udp("server", SERVER)
    for port in (600, 601, 700, 5000, 5001, 5003, 40001):
        translated = seen_by(server, udp("client", CLIENT, port))[1]
        assert translated % 2 == port % 2
        assert (translated < 1024) == (port < 1024)
