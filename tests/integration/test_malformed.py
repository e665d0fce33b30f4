"""Packets that should not exist: each is refused under a name, nothing crashes, and sessions beside them go on.

The chassis is the sanitized build (build/sanitize), so that a read beyond a packet is found."""

import pytest
from captures import HOST, HOST6, POOL, ROUTER, ROUTER6, SERVER, SERVER6, CaptureLab, built, program

from scapy.all import (ICMP, IP, TCP, UDP, ICMPv6DestUnreach, ICMPv6EchoRequest, IPOption, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN, Raw, in4_chksum)  # fmt: skip

pytestmark = pytest.mark.sanitized

MUTATIONS = 10_000


@pytest.fixture
def lab(tmp_path):
    return CaptureLab(tmp_path, program("icrd", sanitized=True))


def v4(**fields):
    return IP(**{"src": HOST, "dst": SERVER, **fields})


def v6(**fields):
    return IPv6(**{"src": HOST6, "dst": SERVER6, **fields})


def corrected(raw):
    """The bytes with the checksum of the IPv4 header made right, as far as there is a header."""
    raw = bytearray(raw)
    header = (raw[0] & 15) * 4
    if len(raw) < header or header < 20:
        return bytes(raw)
    raw[10:12] = b"\0\0"
    total = sum(int.from_bytes(raw[i : i + 2], "big") for i in range(0, header, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    raw[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(raw)


def patched(packet, **at):
    """Bytes of the packet with octets overwritten: b9=17 sets octet 9."""
    raw = bytearray(bytes(packet))
    for place, value in at.items():
        raw[int(place[1:])] = value
    return corrected(raw) if raw[0] >> 4 == 4 else bytes(raw)


def inner_udp():
    return v4() / UDP(sport=7, dport=53) / b"ask"


def valid_packets():
    options = [("MSS", 1460), ("WScale", 7), ("SAckOK", b""), ("Timestamp", (1, 2))]
    quoted6 = bytes(v6() / UDP(sport=7, dport=53) / b"ask")
    return [
        built(one)
        for one in (
            v4() / TCP(sport=1000, dport=80, flags="S", options=options) / b"data",
            v4(options=[]) / UDP(sport=1000, dport=53) / b"datagram",
            v4() / ICMP(type=8, id=5) / b"echo echo",
            v4(src=ROUTER, dst=POOL[3]) / ICMP(type=3, code=3) / Raw(bytes(inner_udp())),
            v4(flags="MF", id=9) / UDP(sport=1001, dport=53) / Raw(b"x" * 24),
            v4(frag=4, id=9) / Raw(b"y" * 30),
            v6() / TCP(sport=1000, dport=80, flags="S", options=options) / b"data",
            v6() / IPv6ExtHdrHopByHop(options=[PadN()]) / IPv6ExtHdrDestOpt(options=[PadN()])
            / UDP(sport=1000, dport=53) / b"datagram",
            v6() / IPv6ExtHdrFragment(id=3, m=1) / UDP(sport=1001, dport=53) / Raw(b"z" * 24),
            v6() / ICMPv6EchoRequest(id=5) / b"echo echo",
            v6() / ICMPv6DestUnreach(code=4) / Raw(quoted6),
        )
    ]  # fmt: skip


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_cut_at_every_length(lab, side):
    """The file says that the cut packet is whole: the engine must find out by itself. Then the same with a total length
    that agrees with the cut, so that the headers behind it are what is too short."""
    packets, within_header, behind_header = [], 0, 0
    for packet in valid_packets():
        raw = bytes(packet)
        header = 20 if raw[0] >> 4 == 4 else 40
        for length in range(1, len(raw)):
            cut = bytearray(raw[:length])
            packets.append(bytes(cut))
            within_header += length < header
            behind_header += length >= header
            if header == 20 and length >= 20:
                cut[2:4] = length.to_bytes(2, "big")
                packets.append(corrected(cut))
            elif header == 40 and length >= 40:
                cut[4:6] = (length - 40).to_bytes(2, "big")
                packets.append(bytes(cut))
    outcome = lab.with_session(packets, side)
    assert outcome.counters["ip-total-length-errors"] == behind_header
    assert outcome.counters["ip-header-length-errors"] == within_header


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_random_bytes(lab, dice, side):
    packets = []
    for _ in range(MUTATIONS):
        raw = bytearray(dice.randbytes(dice.randrange(1, 200)))
        if dice.random() < 0.9:  # most of them get past the first look
            raw[0] = dice.choice([0x45, 0x45, 0x46, 0x4F, 0x60])
        if raw[0] >> 4 == 4 and len(raw) >= 20:
            raw[2:4] = len(raw).to_bytes(2, "big")
            raw[9] = dice.choice([1, 6, 17, raw[9]])
            raw[12:16] = bytes([198, 18, 0, dice.randrange(256)])
            raw = corrected(raw)
        elif raw[0] >> 4 == 6 and len(raw) >= 40:
            raw[4:6] = (len(raw) - 40).to_bytes(2, "big")
            raw[6] = dice.choice([0, 6, 17, 43, 44, 58, 60, raw[6]])
            raw[8:16] = bytes.fromhex("20010db800180000")
        packets.append(bytes(raw))
    lab.with_session(packets, side)


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_mutated_packets(lab, dice, side):
    """A few octets of a good packet are wrong. IPv4's checksum is mostly right, else it would be all that is tested."""
    originals = [bytes(one) for one in valid_packets()]
    packets = []
    for _ in range(MUTATIONS):
        raw = bytearray(dice.choice(originals))
        for _ in range(dice.randrange(1, 6)):
            place = dice.randrange(len(raw) if dice.random() < 0.5 else min(len(raw), 60))
            raw[place] = dice.choice([0, 0xFF, 1, 0x80, dice.randrange(256), raw[place] ^ (1 << dice.randrange(8))])
        packets.append(corrected(raw) if raw[0] >> 4 == 4 and dice.random() < 0.95 else bytes(raw))
    lab.with_session(packets, side)


def tcp(**fields):
    return v4() / TCP(**{"sport": 1000, "dport": 80, "flags": "S", **fields})


def udp(**fields):
    return v4() / UDP(**{"sport": 1000, "dport": 53, **fields}) / b"payload"


def chain(count):
    packet = v6()
    for _ in range(count):
        packet /= IPv6ExtHdrDestOpt(options=[PadN()])
    return packet / UDP(sport=1, dport=2)


def with_bad_checksum(packet):
    raw = bytearray(bytes(packet))
    raw[10] ^= 0x55
    return bytes(raw)


# Counter -> packets that are dropped under it, all of them.
REFUSED = {
    "ip-version-errors": [b"\x55" * 40, b"\x00" * 20, b"\xff"],
    "ip-header-length-errors": [
        *(patched(udp(), b0=0x40 + ihl) for ihl in range(5)),
        bytes(udp())[:19],
        corrected(b"\x4f" + bytes(udp())[1:30]),
        b"\x60" + bytes(38),
    ],
    "ip-total-length-errors": [
        patched(udp(), b2=0, b3=19),
        patched(udp(), b2=0, b3=0),
        patched(udp(), b2=0xFF, b3=0xFF),
        patched(udp(), b2=0, b3=36),
        bytes(v6(plen=100) / UDP(sport=1, dport=2)),
        bytes(v6(plen=65535) / UDP(sport=1, dport=2)),
    ],
    "ip-checksum-errors": [with_bad_checksum(udp()), with_bad_checksum(tcp())],
    "ip-land-attack": [
        v4(src=HOST, dst=HOST) / TCP(sport=139, dport=139, flags="S"),
        v4(src=HOST, dst=HOST) / UDP(sport=7, dport=7),
        v6(src=HOST6, dst=HOST6) / TCP(sport=139, dport=139, flags="S"),
    ],
    "ip-bad-source": [
        v4(src="127.0.0.1") / UDP(sport=1, dport=2),
        v4(src="224.0.0.1") / UDP(sport=1, dport=2),
        v4(src="255.255.255.255") / UDP(sport=1, dport=2),
        v4(src="0.0.0.0") / UDP(sport=1, dport=2),
        v6(src="::") / UDP(sport=1, dport=2),
        v6(src="::1") / UDP(sport=1, dport=2),
        v6(src="ff02::1") / UDP(sport=1, dport=2),
        v6(src="::ffff:198.18.0.10") / UDP(sport=1, dport=2),
    ],
    "ip-bad-destination": [
        v4(dst="127.0.0.1") / UDP(sport=1, dport=2),
        v4(dst="0.0.0.0") / UDP(sport=1, dport=2),
        v6(dst="::1") / UDP(sport=1, dport=2),
        v6(dst="::ffff:192.0.2.80") / UDP(sport=1, dport=2),
    ],
    "ip-multicast": [
        v4(dst="224.0.0.5") / UDP(sport=1, dport=2),
        v4(dst="255.255.255.255") / UDP(sport=1, dport=2),
        v6(dst="ff02::1") / UDP(sport=1, dport=2),
    ],
    "ip-extension-header-errors": [
        v6() / IPv6ExtHdrRouting(type=0, addresses=[ROUTER6]) / UDP(sport=1, dport=2),
        chain(9),
        chain(60),
        v6() / IPv6ExtHdrFragment(id=1, m=1) / IPv6ExtHdrFragment(id=2, m=1) / Raw(bytes(16)),
        v6(nh=0) / Raw(b"\x11\xff" + bytes(30)),  # options longer than the packet
        v6(nh=60) / Raw(b"\x11"),
        v6(nh=43) / Raw(b""),
        v6(nh=44) / Raw(b"\x11\0\0"),
    ],
    "fragment-tiny": [
        v4(flags="MF", id=1, proto=6) / Raw(bytes(tcp()[TCP])[:8]),
        v4(flags="MF", id=2, proto=6) / Raw(bytes(tcp()[TCP])[:16]),
        v4(flags="MF", id=3, proto=6) / Raw(bytes(tcp(dataofs=15)[TCP]) + bytes(4)),
        v6() / IPv6ExtHdrFragment(id=1, m=1, nh=6) / Raw(bytes(tcp()[TCP])[:8]),
    ],
    "fragment-bad-length": [
        v4(proto=17, frag=10, flags="MF", id=3) / Raw(bytes(13)),  # not a multiple of 8
        v4(proto=17, frag=10, flags="MF", id=4),
    ],
    "fragment-ping-of-death": [
        v4(proto=17, frag=8191, id=1) / Raw(bytes(1000)),
        v4(proto=17, frag=8189, flags="MF", id=2) / Raw(bytes(64)),
        v6() / IPv6ExtHdrFragment(offset=8191, id=1, nh=17) / Raw(bytes(1000)),
    ],
    "tcp-header-length-errors": [
        *(tcp(dataofs=words) for words in range(5)),
        tcp(dataofs=15),
        v4(proto=6) / Raw(b"\x03\xe8\0\x50"),
        v6(nh=6) / Raw(bytes(19)),
    ],
    "udp-header-length-errors": [v4(proto=17) / Raw(b"\0\1\0\2\0\x08"), v6(nh=17) / Raw(b"\0\1")],
    "icmp-header-length-errors": [v4(proto=1) / Raw(b"\x08\0\0\0"), v6(nh=58) / Raw(b"\x80\0\0")],
    "udp-length-errors": [*(udp(len=length) for length in range(8)), udp(len=16), udp(len=65535)],
    "tcp-no-flag": [tcp(flags=flags) for flags in ("", "U")],
    "tcp-syn-fin": [tcp(flags=flags) for flags in ("FSRPAU", "SF", "SR")],
    "tcp-fin-no-ack": [tcp(flags=flags) for flags in ("F", "FPU")],
    "tcp-port-zero": [tcp(sport=0), tcp(dport=0), v6() / TCP(sport=0, dport=80, flags="S")],
    "udp-port-zero": [udp(sport=0), udp(dport=0), v6() / UDP(sport=5, dport=0)],
    "ip-ttl-zero": [v4(ttl=0) / UDP(sport=5, dport=6), v6(hlim=0) / UDP(sport=5, dport=6)],
    "ip-illegal-protocol": [v4(proto=0) / Raw(bytes(20)), v4(proto=255) / Raw(bytes(20)), v6(nh=255) / Raw(bytes(20))],
    "ip-source-route": [  # RFC 7126 sections 4.3 and 4.4
        v4(options=[IPOption(option + b"\x07\x04\xc0\x00\x02\x09\x00")]) / transport
        for option in (b"\x83", b"\x89")
        for transport in (UDP(sport=1000, dport=53) / b"payload", TCP(sport=1000, dport=80, flags="S"), ICMP(id=5))
    ],
    "tcp-non-syn-discard": [tcp(flags="A"), tcp(flags="FA"), tcp(flags="SA")],
    "tcp-invalid-rst-in-listen": [tcp(flags="R"), tcp(flags="RA")],
    "icmp-error-malformed": [
        v4() / ICMP(type=3, code=3),
        v4() / ICMP(type=3, code=3) / Raw(bytes(inner_udp())[:20]),
        v4() / ICMP(type=3, code=3) / Raw(b"\x4f" + bytes(inner_udp())[1:]),
        v4() / ICMP(type=3, code=3) / Raw(b"\x41" + bytes(inner_udp())[1:]),
        v4() / ICMP(type=11) / Raw(bytes(v4() / ICMP(type=11) / inner_udp())),  # an error about an error
        v4() / ICMP(type=11) / Raw(bytes(v4(frag=100) / Raw(bytes(20)))),
        v4() / ICMP(type=11) / Raw(bytes(v6() / UDP(sport=1, dport=2))),
        v6() / ICMPv6DestUnreach(code=4) / Raw(bytes(inner_udp())),
        v6() / ICMPv6DestUnreach(code=4) / Raw(b"\x60"),
    ],
    "icmp-checksum-errors": [v4() / ICMP(type=3, code=3, chksum=0x1234) / Raw(bytes(inner_udp()))],
    "icmp-error-no-session": [v4() / ICMP(type=11) / Raw(bytes(v4() / UDP(sport=9, dport=9) / b"never sent"))],
}


@pytest.mark.parametrize("counter", REFUSED)
def test_refused_with_its_reason(lab, counter):
    packets = [one if isinstance(one, bytes) else bytes(one) for one in REFUSED[counter]]
    outcome = lab.with_session(packets)
    assert outcome.counters.get(counter) == len(packets), outcome.counters
    assert outcome.counters["packets-out"] == 2, "only the session beside them was forwarded"


def test_wrong_tcp_options_do_no_harm(lab):
    """Lengths of 0, 1, beyond the header; the end in the middle: the SYN passes as it is, or has no scale."""
    kinds = [b"\x03\x00", b"\x03\x01", b"\x03\xff", b"\x02\x04\x05", b"\x01\x01\x01\x03", b"\x03\x03\xff\x03",
             b"\x08\x0a\0\0"]  # fmt: skip
    packets = []
    for number, option in enumerate(kinds):
        padded = option.ljust(-(-len(option) // 4) * 4, b"\x01")
        header = bytearray(bytes(tcp(sport=2000 + number)[TCP]) + padded)
        header[12] = len(header) // 4 << 4
        header[16:18] = bytes(2)
        header[16:18] = in4_chksum(6, v4(), bytes(header)).to_bytes(2, "big")  # otherwise the checksum is wrong
        packets.append(bytes(v4(proto=6) / Raw(bytes(header))))
    outcome = lab.with_session(packets)
    assert outcome.counters["packets-out"] == len(packets) + 2


def test_a_flood_of_fragments_is_bounded(lab):
    """Later fragments of ever new packets, whose first ones never come."""
    packets = [bytes(v4(proto=17, id=i, frag=100) / Raw(bytes(64))) for i in range(30_000)]
    outcome = lab.with_session(packets)
    assert outcome.counters["fragment-table-full"] > 20_000
    many = [bytes(v4(id=1, frag=i * 8, flags="MF") / UDP(sport=5, dport=6) / Raw(bytes(56))) for i in range(200)]
    outcome = lab.with_session(many)
    assert outcome.counters["fragment-limit"] > 100


def test_damaged_capture_files(lab, tmp_path):
    """What is wrong with the file itself is said: at the start, or where it happens."""
    good = bytes(udp())
    outcome = lab.with_session([good] * 10)
    whole = (outcome.folder / "inside-in.pcap").read_bytes()
    for cut, code in ((0, 1), (10, 1), (len(whole) - 5, 0)):
        outcome.folder.joinpath("inside-in.pcap").write_bytes(whole[:cut])
        done = lab.start(outcome.folder)
        assert done.returncode == code, done.stderr
        assert ("cannot read capture" if code else "is damaged, the rest is not read") in done.stderr
