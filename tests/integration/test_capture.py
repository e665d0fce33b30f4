"""Packets of captures through the flow engine, checked by decoders that are not ours (scapy, tshark)."""

import pytest
from captures import HOST, HOST6, POOL, ROUTER, ROUTER6, SERVER, SERVER6, CaptureLab, built

from scapy.all import (ICMP, IP, TCP, UDP, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6PacketTooBig,
                       ICMPv6TimeExceeded, IPv6, IPv6ExtHdrFragment, Raw, fragment, fragment6)  # fmt: skip


@pytest.fixture
def lab(tmp_path):
    return CaptureLab(tmp_path)


def payload(length, salt=0):
    return bytes((i * 7 + salt) % 251 for i in range(length))


def assert_same_but(sent, left, **changed):
    """`left` is `sent` with exactly these changes ("src", "dst", "sport", "dport", "id" of the first layers that have
    them) and with checksums made anew by scapy."""
    expected = sent.copy()
    for field, value in changed.items():
        layer = expected
        while not (hasattr(type(layer), "fields_desc") and any(f.name == field for f in layer.fields_desc)):
            layer = layer.payload
        if field == "id":  # of ICMP, not of IP
            layer = expected[ICMP]
        setattr(layer, field, value)
    if IP in expected:
        # Packets that are or may become fragments get an identification that is unique for the translated source (RFC 6864).
        if expected[IP].src != sent[IP].src and not (expected[IP].flags.DF and not expected[IP].flags.MF):
            expected[IP].id = left[IP].id
        del expected[IP].chksum
    for protocol in (TCP, UDP, ICMP):
        if protocol in expected and expected[protocol].fields.get("chksum", None) != 0:
            del expected[protocol].chksum
    assert bytes(left) == bytes(type(expected)(bytes(expected))), f"\nexpected {expected!r}\ngot      {left!r}"


class TcpConversation:
    """A TCP connection: handshake, data both ways, both FINs. The clock is the index."""

    def __init__(self, ip, client, server, sport, dport):
        self.steps = []  # (from client, packet)
        self.ip, self.client, self.server, self.sport, self.dport = ip, client, server, sport, dport
        self.seq = {True: 1000, False: 5_000_000}
        self.say(True, "S", options=[("MSS", 1460), ("SAckOK", b""), ("WScale", 7), ("Timestamp", (1, 0))])
        self.say(False, "SA", options=[("MSS", 1460), ("SAckOK", b""), ("WScale", 7)])
        self.say(True, "A")
        self.say(True, "PA", payload(400, 1))
        self.say(False, "A")
        for i in range(4):
            self.say(False, "PA", payload(1400 + i, i))
            self.say(True, "A")
        self.say(True, "FA")
        self.say(False, "A")
        self.say(False, "FA")
        self.say(True, "A")

    def say(self, from_client, flags, data=b"", options=()):
        ends = (self.client, self.server, self.sport, self.dport)
        source, destination, sport, dport = ends if from_client else (ends[1], ends[0], ends[3], ends[2])
        acknowledged = 0 if flags == "S" else self.seq[not from_client]
        packet = (
            self.ip(src=source, dst=destination)
            / TCP(sport=sport, dport=dport, seq=self.seq[from_client], ack=acknowledged, flags=flags, window=60000,
                  options=list(options))
            / Raw(data)
        )  # fmt: skip
        self.seq[from_client] += len(data) + ("S" in flags or "F" in flags)
        self.steps.append((from_client, built(packet)))

    def packets(self, from_client):
        return [(10 * i, packet) for i, (side, packet) in enumerate(self.steps) if side == from_client]


def to_translated(packet, address, port):
    """The server's packet as it is sent to the translated address."""
    out = packet.copy()
    out[IP].dst, out.payload.dport = address, port
    del out[IP].chksum, out.payload.chksum
    return built(out)


def test_tcp_connection(lab):
    talk = TcpConversation(IP, HOST, SERVER, 40000, 80)
    mapping = []

    def answers(translated):
        mapping.extend((translated[0].src, translated[0].sport))
        return [(at, to_translated(packet, *mapping)) for at, packet in talk.packets(False)]

    outcome = lab.exchange(talk.packets(True), answers)
    address, port = mapping
    assert address in POOL and 1024 <= port <= 65535
    sent = talk.packets(True)
    assert len(outcome.outside) == len(sent)
    for (_, before), after in zip(sent, outcome.outside):
        assert_same_but(before, after, src=address, sport=port)
    back = talk.packets(False)
    assert len(outcome.inside) == len(back)
    for (_, before), after in zip(back, outcome.inside):
        assert bytes(before) == bytes(after), "the client sees the server's packet as it was meant for it"
    # Each packet has the checksums of IP and TCP.
    assert outcome.assert_checksums() == 2 * len(talk.steps)
    assert outcome.counters["sessions-created"] == 1
    assert [layers["ip"]["ip.src"] for layers in outcome.decoded("outside")] == [address] * len(sent)


def test_udp_flows_share_an_address_but_no_port(lab):
    inside = [(i, built(IP(src=HOST, dst=SERVER) / UDP(sport=5000 + i, dport=53) / payload(40, i))) for i in range(20)]
    inside += [(50, built(IP(src=HOST, dst=ROUTER) / UDP(sport=5000, dport=53) / b"other server"))]
    inside += [(51, built(IP(src="198.18.0.11", dst=SERVER) / UDP(sport=5000, dport=53) / b"other host"))]
    inside += [(60, built(IP(src=HOST, dst=SERVER) / UDP(sport=5000, dport=53) / b"again"))]

    def answers(translated):
        assert len(translated) == len(inside)
        return [
            (1000 + i, built(IP(src=one.dst, dst=one.src) / UDP(sport=53, dport=one.sport) / payload(100, i)))
            for i, one in enumerate(translated)
        ]

    outcome = lab.exchange(inside, answers)
    seen = {}
    for (_, before), after in zip(inside, outcome.outside):
        assert_same_but(before, after, src=after.src, sport=after.sport)
        assert after.src in POOL and 1024 <= after.sport <= 65535
        seen.setdefault((before.src, before.sport, before.dst), set()).add((after.src, after.sport))
    assert all(len(mappings) == 1 for mappings in seen.values()), "a flow keeps its translation"
    owners = [mapping for mappings in seen.values() for mapping in mappings]
    assert len(owners) == len(set(owners)), "two sessions share a translated port"
    assert len({after.src for (_, before), after in zip(inside, outcome.outside) if before.src == HOST}) == 1, "paired"
    assert len(outcome.inside) == len(inside)
    for i, ((_, before), after) in enumerate(zip(inside, outcome.inside)):
        assert (after.src, after.dst, after.sport, after.dport) == (before.dst, before.src, 53, before.sport)
        assert bytes(after[UDP].payload) == payload(100, i)
    assert outcome.assert_checksums() == 2 * 2 * len(inside)


def test_udp_without_checksum_stays_without(lab):
    inside = [(0, built(IP(src=HOST, dst=SERVER) / UDP(sport=5000, dport=53, chksum=0) / b"no checksum"))]
    outcome = lab.exchange(inside, lambda translated: [
        (10, built(IP(src=SERVER, dst=translated[0].src) / UDP(sport=53, dport=translated[0].sport, chksum=0) / b"x"))
    ])  # fmt: skip
    assert outcome.outside[0][UDP].chksum == 0
    assert outcome.inside[0][UDP].chksum == 0
    outcome.assert_checksums()


def test_icmp_echo(lab):
    inside = [(i * 10, built(IP(src=HOST, dst=SERVER) / ICMP(type=8, id=77, seq=i) / payload(56, i))) for i in range(5)]
    inside += [(100, built(IP(src="198.18.0.11", dst=SERVER) / ICMP(type=8, id=77, seq=0) / payload(56, 9)))]

    def answers(translated):
        return [
            (200 + i, built(IP(src=SERVER, dst=one.src) / ICMP(type=0, id=one[ICMP].id, seq=one[ICMP].seq)
                            / bytes(one[ICMP].payload)))
            for i, one in enumerate(translated)
        ]  # fmt: skip

    outcome = lab.exchange(inside, answers)
    assert len(outcome.outside) == len(outcome.inside) == 6
    for (_, before), after in zip(inside, outcome.outside):
        assert_same_but(before, after, src=after.src, id=after[ICMP].id)
    keys = {(one.src, one[ICMP].id) for one in outcome.outside}
    assert len(keys) == 2 and all(address in POOL for address, _ in keys)
    for (_, before), after in zip(inside, outcome.inside):
        assert (after.src, after.dst, after[ICMP].type, after[ICMP].id) == (SERVER, before.src, 0, 77)
        assert after[ICMP].seq == before[ICMP].seq and bytes(after[ICMP].payload) == bytes(before[ICMP].payload)
    outcome.assert_checksums()


FIRST_PACKETS = {
    "udp": IP(src=HOST, dst=SERVER, ttl=9, flags="DF") / UDP(sport=5000, dport=33434) / payload(32),
    "tcp": IP(src=HOST, dst=SERVER, ttl=9, flags="DF") / TCP(sport=5000, dport=80, flags="S", seq=7),
    "echo": IP(src=HOST, dst=SERVER, ttl=9, flags="DF") / ICMP(type=8, id=99, seq=1) / payload(32),
}
ERRORS = {
    "time exceeded": (ROUTER, ICMP(type=11, code=0)),
    "port unreachable": (SERVER, ICMP(type=3, code=3)),
    "fragmentation needed": (ROUTER, ICMP(type=3, code=4, nexthopmtu=1400)),
}


def dying(packet, cut=None):
    """The packet as a router quotes it: hop limit used up, cut after `cut` octets of transport."""
    out = packet.copy()
    out[IP].ttl = 1
    del out[IP].chksum
    return bytes(out) if cut is None else bytes(out)[: 20 + cut]


@pytest.mark.parametrize("cut", [None, 8], ids=["whole", "eight octets"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("first", FIRST_PACKETS)
def test_icmp_error_from_outside(lab, first, error, cut):
    original = built(FIRST_PACKETS[first])
    router, message = ERRORS[error]

    def answers(translated):
        assert len(translated) == 1
        return [(10, built(IP(src=router, dst=translated[0].src) / message / Raw(dying(translated[0], cut))))]

    outcome = lab.exchange([(0, original)], answers)
    assert len(outcome.inside) == 1, outcome.log
    got = outcome.inside[0]
    assert (got.src, got.dst, got[ICMP].type, got[ICMP].code) == (router, HOST, message.type, message.code)
    assert got[ICMP].nexthopmtu == message.nexthopmtu
    # What is inside is the packet that the client sent, bit for bit: addresses, port or identifier, and checksums.
    assert bytes(got)[28:] == dying(original, cut)
    outcome.assert_checksums()
    inner = outcome.decoded("inside")[0]["icmp"]["ip"]
    assert inner["ip.src"] == HOST and inner["ip.checksum.status"] == "1"
    assert outcome.counters["icmp-errors-translated"] == 1


def test_icmp_error_from_inside(lab):
    """The client has closed its port: its error about the server's answer is translated outwards."""
    original = built(FIRST_PACKETS["udp"])
    reply = []

    def conversation(translated):
        reply.append(built(IP(src=SERVER, dst=translated[0].src) / UDP(sport=33434, dport=translated[0].sport)
                           / b"answer"))  # fmt: skip
        return [(10, reply[0])]

    first = lab.exchange([(0, original)], conversation)
    error = built(IP(src=HOST, dst=SERVER) / ICMP(type=3, code=3) / Raw(dying(first.inside[0])))
    outcome = lab.run([(0, original), (20, error)], [(10, reply[0])])
    assert len(outcome.outside) == 2, outcome.log
    got = outcome.outside[1]
    assert (got.src, got.dst) == (reply[0].dst, SERVER)
    assert bytes(got)[28:] == dying(reply[0])
    outcome.assert_checksums()


def test_icmp_error_about_nothing_is_dropped(lab):
    stranger = built(IP(src=POOL[0], dst=SERVER) / UDP(sport=2000, dport=53) / b"never sent")
    outcome = lab.run([], [(0, built(IP(src=ROUTER, dst=POOL[0]) / ICMP(type=11) / Raw(bytes(stranger))))])
    assert outcome.inside == [] and outcome.counters["icmp-error-no-session"] == 1


def fragments_of(packet, size):
    return [built(one) for one in fragment(packet, fragsize=size)]


ORDERS = {
    "in order": lambda parts: parts,
    "reversed": lambda parts: parts[::-1],
    "first one last": lambda parts: parts[1:] + parts[:1],
    "first one in the middle": lambda parts: parts[1:2] + parts[:1] + parts[2:],
}


@pytest.mark.parametrize("order", ORDERS)
def test_fragmented_udp_both_ways(lab, order):
    arrange = ORDERS[order]
    large = IP(src=HOST, dst=SERVER, id=4711) / UDP(sport=5000, dport=53) / payload(4000)
    inside = list(enumerate(arrange(fragments_of(large, 1480))))
    assert len(inside) == 3

    def answers(translated):
        first = next(one for one in translated if one.frag == 0)
        back = IP(src=SERVER, dst=first.src, id=815) / UDP(sport=53, dport=first.sport) / payload(5000, 3)
        return [(100 + i, part) for i, part in enumerate(arrange(fragments_of(back, 1480)))]

    outcome = lab.exchange(inside, answers)
    for side, pieces, length in (("outside", outcome.outside, 4000), ("inside", outcome.inside, 5000)):
        assert len(pieces) == -(-(length + 8) // 1480), f"{side}: every fragment arrives\n{outcome.log}"
        assert len({(one.src, one.dst, one.id) for one in pieces}) == 1
        whole = [layers for layers in outcome.decoded(side) if "udp" in layers]
        assert len(whole) == 1, "tshark puts one datagram together"
        assert whole[0]["udp"]["udp.length"] == str(length + 8) and whole[0]["udp"]["udp.checksum.status"] == "1"
    assert outcome.outside[0].src in POOL and outcome.inside[0].dst == HOST
    by_offset = sorted(outcome.inside, key=lambda one: one.frag)
    assert b"".join(bytes(one[IP].payload) for one in by_offset)[8:] == payload(5000, 3)
    outcome.assert_checksums()
    assert outcome.counters["sessions-created"] == 1


def test_fragmented_echo(lab):
    large = IP(src=HOST, dst=SERVER, id=5) / ICMP(type=8, id=7, seq=1) / payload(3000)
    outcome = lab.run(list(enumerate(fragments_of(large, 1480))))
    assert len(outcome.outside) == 3
    # The checksum of the message covers all fragments; it is right for the new identifier.
    message = b"".join(bytes(one[IP].payload) for one in sorted(outcome.outside, key=lambda one: one.frag))
    parsed = ICMP(message)
    expected = bytes(ICMP(type=8, id=parsed.id, seq=1) / payload(3000))
    assert message == expected


def test_overlapping_fragments_are_dropped(lab):
    """An attacker overwrites what a filter has seen (RFC 1858, RFC 5722): the whole datagram is discarded."""
    large = IP(src=HOST, dst=SERVER, id=1) / UDP(sport=5000, dport=53) / payload(2800)
    parts = fragments_of(large, 1400)
    evil = parts[1].copy()
    evil[IP].frag = parts[1].frag - 2  # 16 octets back
    del evil[IP].chksum
    head = built(IP(src=HOST, dst=SERVER, id=1, flags="MF") / UDP(sport=5000, dport=2222) / payload(16))
    outcome = lab.run([(0, parts[0]), (1, built(evil)), (2, head), (3, parts[1])])
    assert outcome.counters["fragment-overlap"] == 1 and outcome.counters["fragment-refused"] == 2
    assert [one.frag for one in outcome.outside] == [parts[0].frag]
    assert [one.len for one in outcome.outside] == [parts[0].len]
    outcome.assert_checksums()


def test_fragments_without_the_first_are_held_and_dropped(lab):
    large = IP(src=HOST, dst=SERVER, id=1) / UDP(sport=5000, dport=53) / payload(2800)
    parts = fragments_of(large, 1400)
    late = built(IP(src=HOST, dst=SERVER) / UDP(sport=5001, dport=53) / b"much later")
    outcome = lab.run([(0, parts[1]), (60_000, late)])
    assert [one[UDP].sport for one in outcome.outside if UDP in one and one.frag == 0] == [outcome.outside[0].sport]
    assert len(outcome.outside) == 1
    assert outcome.counters["fragments-held"] == 1 and outcome.counters["fragment-timeout"] >= 1


def test_ipv6_passes_untranslated(lab):
    talk = TcpConversation(IPv6, HOST6, SERVER6, 40000, 80)
    datagram = built(IPv6(src=HOST6, dst=SERVER6) / UDP(sport=5000, dport=53) / payload(100))
    echo = built(IPv6(src=HOST6, dst=SERVER6) / ICMPv6EchoRequest(id=7, seq=1, data=payload(56)))
    inside = [*talk.packets(True), (1000, datagram), (1010, echo)]
    outside = [
        *talk.packets(False),
        (1001, built(IPv6(src=SERVER6, dst=HOST6) / UDP(sport=53, dport=5000) / payload(200))),
        (1011, built(IPv6(src=SERVER6, dst=HOST6) / ICMPv6EchoReply(id=7, seq=1, data=payload(56)))),
        (1020, built(IPv6(src=ROUTER6, dst=HOST6) / ICMPv6TimeExceeded(code=0) / Raw(bytes(datagram)))),
        (1021, built(IPv6(src=SERVER6, dst=HOST6) / ICMPv6DestUnreach(code=4) / Raw(bytes(datagram)))),
        (1022, built(IPv6(src=ROUTER6, dst=HOST6) / ICMPv6PacketTooBig(mtu=1280) / Raw(bytes(echo)))),
    ]
    outcome = lab.exchange(inside, lambda _: outside)
    assert [bytes(one) for one in outcome.outside] == [bytes(one) for _, one in inside]
    assert [bytes(one) for one in outcome.inside] == [bytes(one) for _, one in outside]
    outcome.assert_checksums()
    assert outcome.counters["sessions-created"] == 3


@pytest.mark.parametrize("order", ORDERS)
def test_ipv6_fragments(lab, order):
    def pieces(source, destination, sport, dport, ident):
        whole = (IPv6(src=source, dst=destination) / IPv6ExtHdrFragment(id=ident)
                 / UDP(sport=sport, dport=dport) / payload(4000))  # fmt: skip
        return ORDERS[order]([built(one) for one in fragment6(whole, 1400)])

    inside = list(enumerate(pieces(HOST6, SERVER6, 5000, 53, 1)))
    outside = [(100 + i, part) for i, part in enumerate(pieces(SERVER6, HOST6, 53, 5000, 2))]
    outcome = lab.exchange(inside, lambda _: outside)
    assert sorted(bytes(one) for one in outcome.outside) == sorted(bytes(one) for _, one in inside)
    assert sorted(bytes(one) for one in outcome.inside) == sorted(bytes(one) for _, one in outside)
    for side in ("outside", "inside"):
        whole = [layers for layers in outcome.decoded(side) if "udp" in layers]
        assert len(whole) == 1 and whole[0]["udp"]["udp.checksum.status"] == "1"


def test_other_protocols_are_translated_by_address(lab):
    """GRE has no ports: the address alone is translated."""
    packet = built(IP(src=HOST, dst=SERVER, proto=47) / Raw(payload(60)))
    outcome = lab.exchange([(0, packet)], lambda translated: [
        (10, built(IP(src=SERVER, dst=translated[0].src, proto=47) / Raw(payload(60, 5))))
    ])  # fmt: skip
    assert outcome.outside[0].src in POOL and bytes(outcome.outside[0])[20:] == payload(60)
    assert outcome.inside[0].dst == HOST and bytes(outcome.inside[0])[20:] == payload(60, 5)
    outcome.assert_checksums()


def test_nothing_comes_in_by_itself(lab):
    """Firewall and NAT: no session from the outside, to a pool address, to the inside, or over IPv6."""
    strangers = [
        IP(src=SERVER, dst=POOL[1]) / TCP(sport=80, dport=2000, flags="S"),
        IP(src=SERVER, dst=POOL[1]) / UDP(sport=53, dport=2000) / b"x",
        IP(src=SERVER, dst=HOST) / TCP(sport=80, dport=2000, flags="S"),
        IP(src=SERVER, dst=HOST) / ICMP(type=8, id=1),
        IPv6(src=SERVER6, dst=HOST6) / TCP(sport=80, dport=2000, flags="S"),
        IPv6(src=SERVER6, dst=HOST6) / ICMPv6EchoRequest(id=1),
        IP(src=SERVER, dst=POOL[1]) / TCP(sport=80, dport=2000, flags="A"),
    ]
    outcome = lab.run([], [(i, built(one)) for i, one in enumerate(strangers)])
    assert outcome.inside == [] and outcome.outside == []
    assert outcome.counters["packets-in"] == len(strangers)
    assert "sessions-created" not in outcome.counters


def test_time_comes_from_the_capture(lab):
    """An idle UDP session is over after the configured 30 s of the capture, whatever the clock says."""
    ask = built(IP(src=HOST, dst=SERVER) / UDP(sport=5000, dport=53) / b"ask")

    def answers(translated):
        reply = built(IP(src=SERVER, dst=translated[0].src) / UDP(sport=53, dport=translated[0].sport) / b"reply")
        return [(25_000, reply), (60_000, reply)]

    outcome = lab.exchange([(0, ask), (90_000, ask)], answers)
    assert len(outcome.inside) == 1, "the second answer comes too late"
    assert outcome.counters["sessions-created"] == 2
