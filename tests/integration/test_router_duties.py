"""The duties of every router: one table of tests, run with TUN ports and with af-packet ports.

A host inside (client) and one outside (server) send frames and look at what comes; the chassis in between is a router
with NAPT44 for IPv4 and a stateful firewall for IPv6.
"""

import contextlib
import itertools
import pathlib

import pytest
from arrivals import Arrivals
from conftest import PREFIX
from scapy.layers.inet import ICMP, IP, UDP, IPOption, defragment, fragment
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrRouting,
)
from scapy.packet import Raw
from tap import Tap

from lab.netlab import CHASSIS, CLIENT, CLIENT_V6, SERVER, SERVER_V6, Lab, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORTS = itertools.count(20000)
ICMPV6 = 58


class Room:
    """A lab with a tap at each end."""

    def __init__(self, lab):
        self.lab = lab
        self.master = lab.master()
        self.client = Tap(lab, "client", "eth0", "198.18.0.1")
        self.server = Tap(lab, "server", "eth0", "198.19.0.1")
        self.arrivals = Arrivals(lab)
        self.port = 0

    def begin(self):
        self.port = next(PORTS)  # another session for each test
        for tap in (self.client, self.server):
            tap.forget()

    def close(self):
        self.client.close()
        self.server.close()

    @contextlib.contextmanager
    def outside_mtu(self, mtu):
        """Sets the MTU outside, and waits until the port uses it: an af-packet port reads it only now and then."""
        self.set_mtu(self.master, "outside0", mtu)
        try:
            wait_until(lambda: self.refused_for(mtu), 5, f"an MTU of {mtu}")
            yield
        finally:
            self.set_mtu(self.master, "outside0", 1500)
            wait_until(lambda: not self.refused_for(mtu), 5, "an MTU of 1500")

    def set_mtu(self, place, interface, mtu):
        self.lab.run(place, "ip", "link", "set", interface, "mtu", mtu)

    def refused_for(self, mtu):
        self.client.send(self.out4(bytes(mtu - 27), flags="DF"))
        error = self.error_at(self.client, 3, 4, 0.1)
        return error is not None and error[ICMP].nexthopmtu == mtu

    def tun_devices(self):
        """Returns the names of the TUN devices of the master; none with af-packet ports."""
        shown = self.lab.run(self.master, "ip", "-o", "link", "show", "type", "tun").stdout
        return [line.split()[1].rstrip(":") for line in shown.splitlines()]

    def source_routes(self, interface, value=None):
        """Returns whether the master's kernel accepts source routes from an interface, after setting that."""
        name = f"net/ipv4/conf/{interface}/accept_source_route"
        if value is not None:
            self.lab.run(self.master, "sysctl", "-qw", f"{name}={value}")
        return self.lab.run(self.master, "sysctl", "-n", name).stdout.strip()

    def counts(self, counter, frames, wanted):
        """Sends frames of which none is forwarded. Returns True if the engine counts so many, or None."""
        before = self.lab.card_counters(self.master)[counter]
        never_forwarded(self, frames, error_allowed=True)
        return self.lab.card_counters(self.master)[counter] - before == wanted or None

    # --- packets ---

    def out4(self, payload=b"x", **ip):
        return IP(**{"src": CLIENT, "dst": SERVER, **ip}) / UDP(sport=self.port, dport=9000) / Raw(payload)

    def out6(self, payload=b"x", **ip):
        return IPv6(**{"src": CLIENT_V6, "dst": SERVER_V6, **ip}) / UDP(sport=self.port, dport=9000) / Raw(payload)

    def session4(self, host=CLIENT):
        """Opens a session from inside. Returns the datagram as the server sees it."""
        return self.seen_outside(self.out4(src=host), lambda frame: self.is_ours(frame) and IP in frame)[IP]

    def session6(self):
        self.seen_outside(self.out6(), lambda frame: self.is_ours(frame) and IPv6 in frame)

    def seen_outside(self, packet, wanted):
        """Lets the client send a packet. Returns the frame that is wanted at the server."""

        def attempt():
            self.client.send(packet)
            return self.server.first(wanted)

        return self.arrivals.insist(attempt)

    @staticmethod
    def is_ours(frame):
        return UDP in frame and frame[UDP].dport == 9000

    def error_about(self, packet, kind, code, seconds=2, version=4):
        """Lets the client send a packet. Returns the ICMP error that it gets."""

        def attempt():
            self.client.send(packet)
            return self.error_at(self.client, kind, code, seconds, version)

        return self.arrivals.insist(attempt, f"the ICMP error {kind}/{code}")

    def error_at(self, tap, kind, code, seconds=2, version=4):
        """Returns the ICMP error of this type and code that a tap sees."""

        def wanted(frame):
            if version == 4:
                return ICMP in frame and (frame[ICMP].type, frame[ICMP].code) == (kind, code)
            return IPv6 in frame and frame[IPv6].nh == ICMPV6 and tuple(bytes(frame[IPv6].payload)[:2]) == (kind, code)

        return tap.first(wanted, seconds)


@pytest.fixture(scope="module", params=["two-chassis.yaml", "af-packet.yaml"], ids=["tun", "af-packet"])
def built(request):
    lab = Lab(PREFIX, str(ROOT / "cluster-configs" / request.param))
    lab.up()
    for name in CHASSIS:
        lab.start_chassis(name)
    lab.wait_for_redundancy()
    made = Room(lab)
    yield made
    made.close()
    lab.down()


@pytest.fixture
def room(request, built):
    built.begin()
    yield built
    if request.node.report_call.failed:
        print({name: value for name, value in built.lab.card_counters(built.master).items() if value})


def quoted4(error):
    """Returns the packet that an ICMP error quotes."""
    return IP(bytes(error[ICMP].payload))


def quoted6(error):
    return IPv6(bytes(error[IPv6].payload)[8:])


def assert_quotes(error, packet, version=4):
    quoted = quoted4(error) if version == 4 else quoted6(error)
    assert (quoted.src, quoted.dst) == (packet.src, packet.dst)
    assert (quoted[UDP].sport, quoted[UDP].dport) == (packet[UDP].sport, packet[UDP].dport)


# --- longer than the MTU ---------------------------------------------------------------------------------------------


def test_rfc1812_4227_what_may_be_fragmented_is_rfc4787_req13(room):
    text = bytes(i % 251 for i in range(1464))

    def fragments():
        room.client.send(room.out4(text, id=4711, options=[IPOption(b"\x94\x04\x00\x00")]))
        seen = []
        for frame in room.server.receive(2):
            if IP in frame and frame[IP].src.startswith("203.0.113."):
                assert frame[IP].len <= 1400
                seen.append(frame[IP])
                if not frame[IP].flags.MF:
                    break
        return seen or None

    with room.outside_mtu(1400):
        seen = room.arrivals.insist(fragments)
    assert len(seen) == 2
    assert all(bytes(one)[20:24] == b"\x94\x04\x00\x00" for one in seen), "the option is in every fragment (RFC 791)"
    for one in seen:
        del one.chksum
    whole = defragment([IP(bytes(one)) for one in seen])[0]
    assert bytes(whole[UDP].payload) == text


def test_rfc1191_what_may_not_be_fragmented_is_told(room):
    packet = room.out4(bytes(1464), flags="DF")
    with room.outside_mtu(1400):
        error = room.error_about(packet, 3, 4)
    assert error[ICMP].nexthopmtu == 1400
    assert_quotes(error, packet)


def test_rfc8201_ipv6_is_never_fragmented(room):
    packet = room.out6(bytes(1444))
    with room.outside_mtu(1400):
        error = room.error_about(packet, 2, 0, version=6)
    assert error[ICMPv6PacketTooBig].mtu == 1400
    assert_quotes(error, packet, 6)


def test_a_card_has_no_mtu_of_its_own(room):
    """Links with long frames on both sides: nothing in between is shorter."""
    switch = [f"{place}-{net}" for net in ("inside0", "outside0") for place in (*CHASSIS, "client", "server")]
    switch = [port for port in switch if port not in ("client-outside0", "server-inside0")] + ["inside0", "outside0"]
    ends = [(place, net) for place in CHASSIS for net in ("inside0", "outside0")]
    ends += [("client", "eth0"), ("server", "eth0"), *(("switch", port) for port in switch)]
    try:
        for place, interface in ends:
            room.set_mtu(place, interface, 4000)

        def arrived():
            room.client.send(room.out4(bytes(3900), flags="DF"))
            return room.server.first(room.is_ours, 0.2)

        seen = wait_until(arrived, 5, "a long packet")
    finally:
        for place, interface in ends:
            room.set_mtu(place, interface, 1500)
    assert seen[IP].len == 3928


# --- nowhere to go ---------------------------------------------------------------------------------------------------


def test_rfc1812_5271_a_host_that_does_not_answer_is_unreachable(room):
    packet = room.out4(dst="198.19.0.99")
    error = room.error_about(packet, 3, 1, seconds=8)
    assert_quotes(error, packet)


def test_rfc4443_31_an_ipv6_host_that_does_not_answer_is_unreachable(room):
    packet = room.out6(dst="2001:db8:19::99")
    error = room.error_about(packet, 1, 3, seconds=8, version=6)
    assert ICMPv6DestUnreach in error
    assert_quotes(error, packet, 6)


def test_rfc1812_5271_no_route_is_told(room):
    packet = room.out4(dst="192.0.2.99")
    error = room.error_about(packet, 3, 0)
    assert_quotes(error, packet)


def test_rfc4443_31_no_ipv6_route_is_told(room):
    packet = room.out6(dst="2001:db8:ffff::1")
    error = room.error_about(packet, 1, 0, version=6)
    assert_quotes(error, packet, 6)


# --- hops ------------------------------------------------------------------------------------------------------------


def test_rfc1812_531_the_last_hop_is_told(room):
    packet = room.out4(ttl=1)
    error = room.error_about(packet, 11, 0)
    assert error[IP].src.startswith("198.18.0.")
    assert_quotes(error, packet)


def test_rfc8200_3_the_last_ipv6_hop_is_told(room):
    packet = room.out6(hlim=1)
    error = room.error_about(packet, 3, 0, version=6)
    assert ICMPv6TimeExceeded in error
    assert_quotes(error, packet, 6)


def test_a_hop_is_taken(room):
    seen = room.seen_outside(room.out4(ttl=60), room.is_ours)
    assert 58 <= seen[IP].ttl <= 59


# --- what no router forwards -----------------------------------------------------------------------------------------


def never_forwarded(room, frames, error_allowed=False):
    """Sends (packet, frame fields); then a packet that passes, before which nothing else has come out."""
    for packet, ethernet in frames:
        room.client.send(packet, **ethernet)
    room.port = next(PORTS)
    seen = []

    def last_one():
        room.client.send(room.out4(bytes(1000)))
        for frame in room.server.receive(3):
            if UDP in frame and len(frame[UDP].payload) == 1000:
                return frame
            if UDP in frame or ICMP in frame:
                seen.append(frame)
        return None

    room.arrivals.insist(last_one, "the packet after them")
    assert not seen
    if not error_allowed:
        for frame in room.client.receive(0.2):
            assert not (ICMP in frame and frame[IP].src.startswith("198.18.0.")), frame.show(dump=True)


def test_rfc2464_3_a_frame_of_another_type_than_its_packet(room):
    never_forwarded(room, [(room.out4(), {"type": 0x86DD}), (room.out6(), {"type": 0x0800})])


def test_rfc1812_534_link_layer_broadcast_and_multicast(room):
    frames = [(packet, {"dst": mac}) for packet in (room.out4(), room.out6())
              for mac in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:05", "33:33:00:00:00:05")]  # fmt: skip
    never_forwarded(room, frames)


def test_frames_for_somebody_else(room):
    never_forwarded(room, [(room.out4(), {"dst": "02:00:00:00:77:77"}), (room.out6(), {"dst": "02:00:00:00:77:77"})])


def test_rfc1812_537_martian_sources(room):
    sources = ["127.0.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.5", "255.255.255.255", "240.0.0.1", "169.254.7.7"]
    sources6 = ["::1", "::", "ff02::5", "fe80::7", "::ffff:198.18.0.10"]
    never_forwarded(room, [(room.out4(src=source), {}) for source in sources] + [(room.out6(src=source), {}) for source in sources6])  # fmt: skip


def test_destinations_of_no_other_host(room):
    """Loopback, multicast, broadcast, link-local; RFC 2644: the broadcast address of a network behind the router."""
    destinations = ["127.0.0.1", "0.0.0.0", "224.0.0.5", "239.1.2.3", "255.255.255.255", "240.0.0.1", "169.254.7.7",
                    "198.19.0.255", "198.18.0.255"]  # fmt: skip
    destinations6 = ["::1", "::", "ff02::5", "ff0e::5", "fe80::7"]
    frames = [(room.out4(dst=there), {}) for there in destinations] + [(room.out6(dst=there), {}) for there in destinations6]
    never_forwarded(room, frames, error_allowed=True)


def test_rfc7126_43_source_routes(room):
    loose, strict = b"\x83\x07\x04\xc6\x13\x00\x0a\x00", b"\x89\x07\x04\xc6\x13\x00\x0a\x00"
    interfaces = ["all", "inside0", *room.tun_devices()]
    before = {one: room.source_routes(one) for one in interfaces}
    frames = [(room.out4(options=[IPOption(option)]), {}) for option in (loose, strict)]
    # The kernel that forwards to a TUN port refuses a strict one itself, if it is not the router that the option names.
    wanted = 1 if room.tun_devices() else 2
    try:
        for one in interfaces:  # or else the kernel drops them in front of a TUN port, or behind it
            room.source_routes(one, 1)
        room.arrivals.insist(lambda: room.counts("ip-source-route", frames, wanted), "a packet with a source route")
    finally:
        for one, value in before.items():
            room.source_routes(one, value)


def test_rfc5095_routing_headers_of_type_0(room):
    room.session6()
    room.server.forget()
    headers = [IPv6ExtHdrRouting(type=0, addresses=["2001:db8:19::20"], segleft=left) for left in (0, 1)]
    udp = UDP(sport=room.port, dport=9000) / Raw(b"x")
    frames = [(IPv6(src=CLIENT_V6, dst=SERVER_V6) / header / udp, {}) for header in headers]
    room.arrivals.insist(lambda: room.counts("ip-extension-header-errors", frames, 2), "a routing header of type 0")


def test_headers_that_are_wrong(room):
    frames = [
        (room.out4(chksum=0x1234), {}),
        (room.out4(version=5), {"type": 0x0800}),
        (room.out4(ihl=4), {"type": 0x0800}),
        (room.out4(len=4000), {}),
        (room.out4(ttl=0), {}),
        (room.out6(version=4), {"type": 0x86DD}),
        (room.out6(plen=4000), {}),
        (room.out6(hlim=0), {}),
    ]
    never_forwarded(room, frames, error_allowed=True)


def test_rfc1812_4335_options_that_cannot_be_read_are_told(room):
    packet = room.out4(options=[IPOption(b"\x01\x01\x94\x28")])
    error = room.error_about(packet, 12, 0)
    assert error[ICMP].ptr == 22


# --- ICMP errors of its own ------------------------------------------------------------------------------------------


def test_rfc1812_4327_no_error_about_an_error_or_a_later_fragment(room):
    about = IP(src=SERVER, dst=CLIENT) / UDP(sport=9000, dport=room.port)
    room.client.send(IP(src=CLIENT, dst=SERVER, ttl=1) / ICMP(type=3, code=3) / Raw(bytes(about)))
    later = fragment(IP(src=CLIENT, dst=SERVER, ttl=1, id=77) / UDP(sport=1, dport=2) / Raw(bytes(64)), fragsize=32)[1]
    room.client.send(later)
    room.client.send(IPv6(src=CLIENT_V6, dst=SERVER_V6, hlim=1) / ICMPv6DestUnreach(code=4) / Raw(bytes(room.out6())))
    for frame in room.client.receive(0.5):
        assert not (ICMP in frame and frame[ICMP].type == 11)
        assert ICMPv6TimeExceeded not in frame


def test_rfc1812_4328_errors_are_limited(room):
    for _ in range(1000):
        room.client.send(room.out4(ttl=1))
    told = sum(1 for frame in room.client.receive(1) if ICMP in frame and frame[ICMP].type == 11)
    assert 0 < told <= 300, told


def test_rfc1812_4323_first_fragments_are_quoted(room):
    parts = fragment(room.out4(bytes(1000), ttl=1, id=78), fragsize=512)
    error = room.error_about(parts[0], 11, 0, seconds=3)
    assert quoted4(error).id == 78


def test_rfc1812_5272_no_redirects(room):
    """A packet to a neighbour of its sender causes no ICMP redirect, because the direct way bypasses the card."""
    for _ in range(3):
        room.client.send(room.out4(dst="198.18.0.20"))
        room.client.send(room.out6(dst="2001:db8:18::20"))
    for frame in room.client.receive(0.5):
        assert not (ICMP in frame and frame[ICMP].type == 5)
        assert not (IPv6 in frame and frame[IPv6].nh == ICMPV6 and bytes(frame[IPv6].payload)[0] == 137)


def test_ipv6_fragments_pass(room):
    room.session6()
    first = (
        IPv6(src=CLIENT_V6, dst=SERVER_V6)
        / IPv6ExtHdrFragment(id=9, m=1, nh=17)
        / UDP(sport=room.port, dport=9000, len=72)
        / Raw(bytes(56))
    )
    room.seen_outside(first, lambda frame: IPv6ExtHdrFragment in frame)


# --- the inside leg: nobody outside hears an inside address (RFC 3022 section 4.3, RFC 5508 section 4.2) -------------


def inside_leg_error(room, kind, code, host=CLIENT, seconds=2, **ip):
    """Sends to a session of a host from outside. Returns the error that comes back. No packet reveals an inside address."""
    seen = room.session4(host)
    room.server.forget()
    room.server.send(IP(src=SERVER, dst=seen.src, **ip) / UDP(sport=9000, dport=seen[UDP].sport) / Raw(bytes(1440)))
    error = room.error_at(room.server, kind, code, seconds)
    if error is not None:
        assert error[IP].src == seen.src and quoted4(error).dst == seen.src
        assert quoted4(error)[UDP].dport == seen[UDP].sport
        assert b"\xc6\x12\x00" not in bytes(error[IP])[12:60], "198.18.0"
    return error


def test_rfc5508_42_an_inside_host_that_does_not_exist(room):
    # The chassis asks for the host for 3 s.
    room.arrivals.insist(lambda: inside_leg_error(room, 3, 1, host="198.18.0.77", seconds=8), "host unreachable")


def test_rfc5508_42_a_smaller_inside_mtu(room):
    room.set_mtu(room.master, "inside0", 1400)
    try:
        error = wait_until(lambda: inside_leg_error(room, 3, 4, flags="DF", seconds=0.3), 5, "fragmentation needed")
    finally:
        room.set_mtu(room.master, "inside0", 1500)
    assert error[ICMP].nexthopmtu == 1400


def test_rfc3022_43_a_hop_limit_that_ends_on_the_inside_leg(room):
    def error():
        return inside_leg_error(room, 11, 0, ttl=2, seconds=1)

    if room.tun_devices():
        room.arrivals.insist(error, "time exceeded")
    else:
        assert error() is None, "an af-packet port takes one hop for the whole way"
