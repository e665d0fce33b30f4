"""Small inputs that a receiver treats differently than a filter expects, through a chassis without NAT. Each test names
its source."""

import pytest
from captures import CASES, CHASSIS, HOST, HOST6, SERVER, SERVER6, CaptureLab, built

from scapy.all import ICMP, IP, TCP, IPv6, IPv6ExtHdrFragment, Raw

CLIENT_PORT, SERVER_PORT = 4321, 80


@pytest.fixture
def lab(tmp_path):
    return CaptureLab(tmp_path, text=CHASSIS + CASES + "    tcp-non-syn: allow\n")


def out(flags, seq, ack=0, data=b""):
    return built(
        IP(src=HOST, dst=SERVER) / TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags=flags, seq=seq, ack=ack, window=65535) / data
    )


def back(flags, seq, ack=0, data=b""):
    return built(
        IP(src=SERVER, dst=HOST) / TCP(sport=SERVER_PORT, dport=CLIENT_PORT, flags=flags, seq=seq, ack=ack, window=65535) / data
    )


@pytest.mark.parametrize("offset", [1 << 31, 3_000_000, -3_000_000, 1000, 1])
def test_a_forged_reset_on_a_session_picked_up_in_its_middle(lab, offset):
    """FreeBSD's and OpenBSD's pf: a fake RST on a state that was picked up does not end it."""
    forged = back("R", (900_000 + offset) % (1 << 32))
    outcome = lab.run([(10, out("PA", 5000, 900_000, b"hello")), (10_040, out("PA", 5005, 900_006, b"more"))],
                      [(20, forged), (10_030, back("PA", 900_000, 5005, b"answer"))])  # fmt: skip
    assert [one[TCP].seq for one in outcome.outside] == [5000, 5005]
    assert outcome.inside[-1][TCP].seq == 900_000, "the connection goes on"
    assert outcome.counters["sessions-created"] == 1


def test_a_retransmission_more_than_a_window_back(lab):
    """Linux nf_conntrack's selftest of lost acknowledgements: what is sent again must reach its receiver."""
    inside = [(10, out("S", 1000)), (30, out("A", 1001, 5_000_001))]
    outside = [(20, back("SA", 5_000_000, 1001))]
    seq = 1001
    for i in range(46):
        inside.append((40 + 20 * i, out("PA", seq, 5_000_001, b"x" * 1460)))
        seq += 1460
        outside.append((50 + 20 * i, back("A", 5_000_001, seq)))
    inside.append((2000, out("PA", 1001, 5_000_001, b"x" * 1460)))
    outside.append((2010, back("A", 5_000_001, seq)))
    outcome = lab.run(inside, outside)
    assert outcome.outside[-1][TCP].seq == 1001 and len(outcome.outside) == len(inside)
    assert len(outcome.inside) == len(outside)


def test_an_overlap_discards_the_whole_datagram(lab):
    """pf's frag6 tests; RFC 5722, RFC 8200 section 4.5: also the fragments that are not yet received."""

    def piece(offset, more, octets):
        return built(IPv6(src=HOST6, dst=SERVER6) / IPv6ExtHdrFragment(nh=17, offset=offset // 8, m=more, id=77) / Raw(octets))

    first = bytes.fromhex("10e1003500980000") + bytes(72)
    pieces = [piece(0, 1, first), piece(72, 1, bytes(80)), piece(80, 1, bytes(8)), piece(88, 0, bytes(64))]
    outcome = lab.run(list(enumerate(pieces)))
    assert [one[IPv6ExtHdrFragment].offset for one in outcome.outside] == [0]
    assert outcome.counters["fragment-overlap"] == 1 and outcome.counters["fragment-refused"] == 2


@pytest.mark.parametrize("flags", ["R", "FA", "S", "SA"])
def test_no_state_by_a_segment_whose_checksum_is_wrong(lab, flags):
    """RFC 9293 section 3.1, RFC 7857 section 2.2."""
    broken = back(flags, 5_000_001, 1001)
    broken[TCP].chksum ^= 0x1234
    outcome = lab.run([(10, out("S", 1000)), (30, out("A", 1001, 5_000_001)), (10_000, out("PA", 1001, 5_000_001, b"on"))],
                      [(20, back("SA", 5_000_000, 1001)), (40, broken)])  # fmt: skip
    assert outcome.counters["tcp-checksum-errors"] == 1
    assert len(outcome.outside) == 3 and outcome.counters["sessions-created"] == 1


def test_an_icmp_timestamp_is_answered(lab):
    """RFC 5508 REQ-1."""
    query = built(IP(src=HOST, dst=SERVER) / ICMP(type=13, id=7, seq=1, ts_ori=1, ts_rx=0, ts_tx=0))
    answer = built(IP(src=SERVER, dst=HOST) / ICMP(type=14, id=7, seq=1, ts_ori=1, ts_rx=2, ts_tx=3))
    outcome = lab.run([(10, query)], [(20, answer)])
    assert [one[ICMP].type for one in outcome.outside] == [13] and [one[ICMP].type for one in outcome.inside] == [14]
