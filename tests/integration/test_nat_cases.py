"""Cases of NAT that other systems test, or that people reported: captures in, captures out. The names say where each comes
from: Linux tools/testing/selftests/netfilter, FreeBSD tests/sys/netpfil, VPP test/, an RFC, or a report from the field."""

import pytest
from captures import CASES, CHASSIS, CaptureLab, built
from scapy.all import ICMP, IP, TCP, UDP, fragment

NAT = """
    nat-rules: [%(rules)s]
%(options)s
applications:
  - { name: svc, protocol: udp, destination-port: 1405 }
nat:
  pools:
%(pools)s
  rules:
%(nat)s
"""


@pytest.fixture
def case(tmp_path):
    def make(pools, nat, options=""):
        """`nat` maps the name of a rule to its direction and the lines of its terms."""
        rules = "".join(
            f"    - name: {name}\n      match-direction: {direction}\n      terms:\n"
            + "".join(f"        - {term}\n" for term in terms)
            for name, (direction, terms) in nat.items()
        )
        lines = "".join(f"    - {pool}\n" for pool in pools)
        text = CHASSIS + CASES + NAT % {"rules": ", ".join(nat), "pools": lines, "nat": rules, "options": options}
        folder = tmp_path / f"case{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return CaptureLab(folder, text=text)

    return make


def udp(source, destination, data=b"data"):
    return built(IP(src=source[0], dst=destination[0]) / UDP(sport=source[1], dport=destination[1]) / data)


def ends(packet):
    layer = packet.payload
    return (packet.src, layer.sport), (packet.dst, layer.dport)


# -- Two owners of one outer endpoint (Linux nft_nat.sh, test_port_shadowing; CVE-2021-3773) --

SILENT = "    session-refusal: silent"
HOST, CALLER, SERVER = "198.18.0.10", "192.0.2.7", "198.18.0.20"
FORWARD = (
    "output",
    [
        "{ name: service, from: { destination-address: [203.0.113.1/32], applications: [svc] }, "
        "then: { translated: { destination-pool: service, translation-type: dnat-44 } } }"
    ],
)


@pytest.mark.parametrize("how", ["napt-44", "mapped", "blocks", "deterministic"])
def test_linux_port_shadow(case, how):
    ports = "range: { low: 1404, high: 1407 }"
    if how == "blocks":
        ports += ", secured-port-block-allocation: { block-size: 2, max-blocks-per-address: 8 }"
    if how == "deterministic":
        ports += ", deterministic-port-block-allocation: { block-size: 4, include-boundary-addresses: yes }"
    kind = "deterministic-napt44" if how == "deterministic" else "napt-44"
    mapped = ", mapping-type: endpoint-independent, filtering-type: endpoint-independent" if how == "mapped" else ""
    lab = case(
        [f"{{ name: pool1, addresses: [203.0.113.1/32], port: {{ {ports} }} }}",
         "{ name: service, addresses: [198.18.0.20/32] }"],
        {"forward": FORWARD,
         "out": ("input", [f"{{ name: all, from: {{ source-address: [{HOST}/32] }}, "
                           f"then: {{ translated: {{ source-pool: pool1, translation-type: {kind}{mapped} }} }} }}"])},
        SILENT,
    )  # fmt: skip
    # The host takes every port that it can get towards the caller. Then the caller asks for the service.
    inside = [(i, udp((HOST, 4000 + i), (CALLER, 1405))) for i in range(8)]
    call = [(1000, udp((CALLER, 1405), ("203.0.113.1", 1405)))]
    outcome = lab.run(inside, call)
    given = sorted(ends(packet)[0][1] for packet in outcome.outside)
    assert given == ([1406, 1407] if how == "blocks" else [1404, 1406, 1407])
    assert [ends(packet) for packet in outcome.inside] == [((CALLER, 1405), (SERVER, 1405))]
    counter = "nat-out-of-blocks" if how == "blocks" else "nat-out-of-ports"
    assert outcome.counters[counter] == 8 - len(given)


def test_linux_port_shadow_of_the_only_port(case):
    lab = case(
        ["{ name: pool1, addresses: [203.0.113.1/32], port-range: { low: 1405, high: 1405 } }",
         "{ name: service, addresses: [198.18.0.20/32] }"],
        {"forward": FORWARD,
         "out": ("input", ["{ name: all, then: { translated: { source-pool: pool1, translation-type: napt-44 } } }"])},
        SILENT,
    )  # fmt: skip
    outcome = lab.run([(0, udp((HOST, 1405), (CALLER, 41404)))], [(100, udp((CALLER, 41404), ("203.0.113.1", 1405)))])
    assert not outcome.outside and outcome.counters["nat-out-of-ports"] == 1
    assert [ends(packet)[1] for packet in outcome.inside] == [(SERVER, 1405)]
    # The rule answers UDP; TCP has the port.
    syn = built(IP(src=HOST, dst=CALLER) / TCP(sport=9, dport=80, flags="S"))
    assert [ends(packet)[0] for packet in lab.run([(0, syn)]).outside] == [("203.0.113.1", 1405)]


# -- Hairpins that a rule makes (RFC 4787 REQ-9, RFC 5382 REQ-8; VPP test_nat44_ed.py, twice NAT) --

OUTER, POOL = "203.0.113.5", "203.0.113.1"
SERVICE = "{ name: server, addresses: [198.18.0.20/32] }"
TWICE = {
    "twice-napt-44": ("{ name: pool1, addresses: [203.0.113.1/32] }", "source-pool: pool1", ""),
    "twice-dynamic-nat-44": ("{ name: pool1, addresses: [203.0.113.1/32] }", "source-pool: pool1", ""),
    "twice-basic-nat-44": ("", "source-prefix: 203.0.113.1/32", "source-address: [198.18.0.10/32], "),
}


def hairpin_lab(case, kind, direction="input-output", extra=None):
    pool, source, condition = TWICE[kind]
    rule = (
        f"{{ name: service, from: {{ {condition}destination-address: [{OUTER}/32] }}, "
        f"then: {{ translated: {{ {source}, destination-pool: server, translation-type: {kind} }} }} }}"
    )
    return case([one for one in (SERVICE, pool) if one], {"hairpin": (direction, [rule]), **(extra or {})})


def turned(lab, asks, answer):
    """Returns what the service and the host receive. These packets must never leave the inside."""
    there = lab.run(asks).inside
    assert len(there) == len(asks)
    answers = [(10_000 + i, answer(one)) for i, one in enumerate(there)]
    outcome = lab.run([*asks, *answers])
    assert not outcome.outside, "nothing leaves by the outside unit"
    outcome.assert_checksums()
    return outcome.inside[: len(asks)], outcome.inside[len(asks) :]


@pytest.mark.parametrize("kind", TWICE)
def test_vpp_hairpin_service_tcp_and_udp(case, kind):
    lab = hairpin_lab(case, kind)
    syn = built(IP(src=HOST, dst=OUTER) / TCP(sport=4000, dport=80, flags="S", seq=9, options=[("MSS", 1460)]))
    asks = [(0, syn), (1, udp((HOST, 4001), (OUTER, 53)))]

    def answer(one):
        back = IP(src=one.dst, dst=one.src)
        if TCP in one:
            return built(back / TCP(sport=80, dport=one.sport, flags="SA", seq=1, ack=10, options=[("MSS", 1460)]))
        return built(back / UDP(sport=53, dport=one.sport) / b"answer")

    there, back = turned(lab, asks, answer)
    assert [(one.src, one.dst, one.dport) for one in there] == [(POOL, SERVER, 80), (POOL, SERVER, 53)]
    assert [ends(one) for one in back] == [((OUTER, 80), (HOST, 4000)), ((OUTER, 53), (HOST, 4001))]
    assert lab.run(asks).counters["hairpinned-sessions"] == 2


@pytest.mark.parametrize("kind", TWICE)
def test_vpp_hairpin_service_echo_and_fragments(case, kind):
    lab = hairpin_lab(case, kind)
    ping = [(0, built(IP(src=HOST, dst=OUTER) / ICMP(id=77, seq=1) / b"ping"))]
    there, back = turned(
        lab, ping, lambda one: built(IP(src=one.dst, dst=one.src) / ICMP(type=0, id=one[ICMP].id, seq=1) / b"ping")
    )
    assert (there[0].src, there[0].dst) == (POOL, SERVER)
    assert (back[0].src, back[0].dst, back[0][ICMP].id) == (OUTER, HOST, 77)
    whole = IP(src=HOST, dst=OUTER, id=5) / UDP(sport=4000, dport=53) / bytes(3000)
    pieces = [(i, built(one)) for i, one in enumerate(fragment(whole, fragsize=1400))]
    left = lab.run(pieces)
    assert not left.outside and [(one.src, one.dst) for one in left.inside] == [(POOL, SERVER)] * len(pieces)


def test_rfc_5508_req_7_errors_of_a_hairpin_by_a_rule(case):
    """The service refuses the datagram: its error turns around as well, and the host sees what it sent itself."""
    lab = hairpin_lab(case, "twice-napt-44")
    ask = udp((HOST, 4000), (OUTER, 53))

    def refuse(one):
        return built(IP(src=one.dst, dst=one.src) / ICMP(type=3, code=3) / one)

    _, back = turned(lab, [(0, ask)], refuse)
    quoted = back[0][ICMP].payload
    assert (back[0].src, back[0].dst) == (OUTER, HOST)
    assert (quoted.src, quoted.dst, quoted.sport, quoted.dport) == (HOST, OUTER, 4000, 53)


@pytest.mark.parametrize("known", ["a rule for callers outside", "the sources of a rule", "nothing"])
def test_what_is_inside_is_said_by_the_rules(case, known):
    """A rule for packets from inside alone turns them around when another one says that the target is inside."""
    extra = {}
    if known == "a rule for callers outside":
        then = "{ translated: { destination-pool: server, translation-type: dnat-44 } }"
        extra["in"] = ("output", [f"{{ name: all, from: {{ destination-address: [{OUTER}/32] }}, then: {then} }}"])
    if known == "the sources of a rule":
        extra["not"] = ("input", ["{ name: all, from: { source-address: [198.18.0.0/24] }, then: no-translation }"])
    lab = hairpin_lab(case, "twice-napt-44", "input", extra)
    outcome = lab.run([(0, udp((HOST, 4000), (OUTER, 53)))])
    assert len(outcome.outside if known == "nothing" else outcome.inside) == 1


def test_a_destination_outside_leaves(case):
    """The same kind of rule, for a server outside."""
    rule = (
        f"{{ name: service, from: {{ source-address: [198.18.0.0/24], destination-address: [{OUTER}/32] }}, "
        "then: { translated: { source-pool: pool1, destination-prefix: 192.0.2.80/32, translation-type: twice-napt-44 } } }"
    )
    lab = case(["{ name: pool1, addresses: [203.0.113.1/32] }"], {"out": ("input", [rule])})
    outcome = lab.run([(0, udp((HOST, 4000), (OUTER, 53)))])
    assert not outcome.inside and outcome.outside[0].dst == "192.0.2.80"


# -- Collisions that could be resolved (FreeBSD rdr.sh, srcport; Linux nft_nat.sh, test_port_shadow and clashes) --

OUTERS = "203.0.113.3/32, 203.0.113.4/32, 203.0.113.5/32"
REDIRECT = (
    "output",
    [f"{{ name: service, from: {{ destination-address: [{OUTERS}] }}, "
     "then: { translated: { destination-pool: server, translation-type: dnat-44 } } }"],
)  # fmt: skip


@pytest.mark.parametrize("sport", [4000, 700])
def test_pf_rdr_srcport(case, sport):
    lab = case([SERVICE], {"forward": REDIRECT})
    calls = [(i, udp((CALLER, sport), (f"203.0.113.{i + 3}", 53))) for i in range(3)]
    there = lab.run(outside=calls).inside
    clients = [ends(one)[0] for one in there]
    assert {ends(one)[1] for one in there} == {(SERVER, 53)} and len(set(clients)) == 3
    assert clients[0] == (CALLER, sport), "the first keeps its port"
    assert all(at == CALLER and (512 <= port < 1024 if sport < 1024 else port >= 1024) for at, port in clients)
    answers = [(1000 + i, udp((SERVER, 53), client)) for i, client in enumerate(clients)]
    outcome = lab.run(answers, calls)
    assert [ends(one) for one in outcome.outside] == [((f"203.0.113.{i + 3}", 53), (CALLER, sport)) for i in range(3)]
    assert outcome.counters["source-ports-changed"] == 2
    assert outcome.assert_checksums() > 0


def test_pf_rdr_srcport_of_an_echo(case):
    lab = case([SERVICE], {"forward": REDIRECT})
    calls = [(i, built(IP(src=CALLER, dst=f"203.0.113.{i + 3}") / ICMP(id=7, seq=1) / b"ping")) for i in range(2)]
    there = lab.run(outside=calls).inside
    assert there[0][ICMP].id == 7 != there[1][ICMP].id
    answers = [(1000 + i, built(IP(src=SERVER, dst=CALLER) / ICMP(type=0, id=one[ICMP].id, seq=1) / b"ping"))
               for i, one in enumerate(there)]  # fmt: skip
    back = lab.run(answers, calls).outside
    assert [(one.src, one[ICMP].id) for one in back] == [("203.0.113.3", 7), ("203.0.113.4", 7)]


def test_a_protocol_without_ports_still_collides(case):
    lab = case([SERVICE], {"forward": REDIRECT})
    calls = [(i, built(IP(src=CALLER, dst=f"203.0.113.{i + 3}", proto=47) / b"\0\0\x88\x0bxx")) for i in range(2)]
    outcome = lab.run(outside=calls)
    assert len(outcome.inside) == 1 and outcome.counters["nat-conflict"] == 1


# -- Port forwarding (Junos translated-port) --


def forwarding(case, ports, to, extra=None):
    rule = (
        f"{{ name: web, from: {{ destination-address: [203.0.113.8/32], destination-port: {ports} }}, then: {{ translated: "
        f"{{ destination-prefix: 198.18.64.253/32, translated-port: {to}, translation-type: dnat-44 }} }} }}"
    )
    return case(["{ name: pool1, addresses: [203.0.113.8/32] }"], {"forward": ("output", [rule]), **(extra or {})})


WEB = "198.18.64.253"


def test_port_8080_of_an_outer_address_is_port_80_of_the_server(case):
    lab = forwarding(case, 8080, 80)
    syn = built(IP(src=CALLER, dst="203.0.113.8") / TCP(sport=4000, dport=8080, flags="S", seq=9))
    there = lab.run(outside=[(0, syn)]).inside
    assert ends(there[0]) == ((CALLER, 4000), (WEB, 80))
    answer = built(IP(src=WEB, dst=CALLER) / TCP(sport=80, dport=4000, flags="SA", seq=5, ack=10))
    outcome = lab.run([(10, answer)], [(0, syn)])
    assert ends(outcome.outside[0]) == (("203.0.113.8", 8080), (CALLER, 4000))
    # RFC 5508 REQ-3, REQ-4: an error of the server about it quotes what the caller sent.
    error = built(IP(src=WEB, dst=CALLER) / ICMP(type=3, code=3) / there[0])
    quoted = lab.run([(10, error)], [(0, syn)]).outside[0][ICMP].payload
    assert (quoted.dst, quoted.dport, quoted.sport) == ("203.0.113.8", 8080, 4000)
    assert outcome.assert_checksums() > 0


def test_a_range_of_ports_is_forwarded_in_order(case):
    lab = forwarding(case, "9000-9009", "100-109")
    calls = [(i, udp((CALLER, 4000), ("203.0.113.8", 8999 + i))) for i in range(12)]
    outcome = lab.run(outside=calls)
    assert [ends(one)[1] for one in outcome.inside[1:11]] == [(WEB, 100 + i) for i in range(10)]
    # The rule does not apply to ports outside of the range.
    assert [ends(one)[1][1] for one in (outcome.inside[0], outcome.inside[11])] == [8999, 9010]


def test_many_ports_to_one_for_one_client(case):
    """A client that comes by two ports of the range meets one endpoint of the server: the second gets another source port."""
    lab = forwarding(case, "9000-9001", 80)
    there = lab.run(outside=[(i, udp((CALLER, 4000), ("203.0.113.8", 9000 + i))) for i in range(2)]).inside
    assert ends(there[0]) == ((CALLER, 4000), (WEB, 80))
    assert ends(there[1])[1] == (WEB, 80) and ends(there[1])[0] != (CALLER, 4000)


def test_a_host_inside_reaches_a_forwarded_port_by_the_outer_one(case):
    rule = (
        "{ name: web, from: { destination-address: [203.0.113.8/32], destination-port: 8080 }, then: { translated: "
        "{ source-pool: pool1, destination-prefix: 198.18.64.253/32, translated-port: 80, translation-type: twice-napt-44 } } }"
    )
    lab = forwarding(case, 8080, 80, {"hairpin": ("input", [rule])})
    syn = built(IP(src=HOST, dst="203.0.113.8") / TCP(sport=4000, dport=8080, flags="S", seq=9))
    there, back = turned(
        lab, [(0, syn)], lambda one: built(IP(src=WEB, dst=one.src) / TCP(sport=80, dport=one.sport, flags="SA", ack=10))
    )
    assert (there[0].src, there[0].dst, there[0].dport) == ("203.0.113.8", WEB, 80)
    assert ends(back[0]) == (("203.0.113.8", 8080), (HOST, 4000))


# -- Refusals that the host hears of (RFC 5508 REQ-8; VPP test_det44.py, test_session_limit) --


def refused(case, how, pool, options="", packets=4):
    """Runs flows for which the pool has no port, with `session-refusal: how`. `pool` has further options of the pool."""
    lines = f"    session-refusal: {how}\n" if how else ""
    lab = case(
        [f"{{ name: pool1, addresses: [203.0.113.1/32], {pool} }}"],
        {"out": ("input", ["{ name: all, then: { translated: { source-pool: pool1, translation-type: napt-44 } } }"])},
        lines + options,
    )
    inside = [(i, udp((HOST, 4000 + i), (CALLER, 53))) for i in range(packets)]
    inside.append((100, built(IP(src=HOST, dst=CALLER) / TCP(sport=1, dport=80, flags="S", seq=9))))
    inside.append((101, built(IP(src=HOST, dst=CALLER) / TCP(sport=2, dport=80, flags="S", seq=9))))
    return lab.run(inside)


TWO_PORTS = "port: { range: { low: 5000, high: 5001 } }"
ONE_BLOCK = (
    "port: { range: { low: 5000, high: 5007 }, secured-port-block-allocation: { block-size: 2, max-blocks-per-address: 1 } }"
)


@pytest.mark.parametrize(
    "counter, pool, options",
    [
        ("nat-out-of-ports", TWO_PORTS, ""),
        ("nat-block-limit-errors", ONE_BLOCK, ""),
        ("nat-port-limit-errors", "limit-ports-per-address: 2", ""),
        ("session-limit-drops", "mapping-timeout: 60", "    session-limit: 2\n"),
        ("max-flows-drops", "mapping-timeout: 60", "    max-flows: 4\n"),
        ("subscriber-session-limit-drops", "mapping-timeout: 60", "    nat-options: { max-sessions-per-subscriber: 2 }\n"),
    ],
)
def test_rfc_5508_req_8_and_vpp_det_limit(case, counter, pool, options):
    outcome = refused(case, None, pool, options)
    told = [one for one in outcome.inside if ICMP in one]
    assert outcome.counters[counter] >= 2 and len(told) == outcome.counters[counter]
    assert all((one[ICMP].type, one[ICMP].code, one.src, one.dst) == (3, 13, CALLER, HOST) for one in told)
    assert told[0][ICMP].payload.sport == 4002, "it quotes the packet that was refused"
    outcome.assert_checksums()


def test_a_refusal_by_reset(case):
    outcome = refused(case, "reset", "limit-ports-per-address: 2")
    resets = [one for one in outcome.inside if TCP in one]
    assert len(resets) == 2 and all(str(one[TCP].flags) == "RA" and one[TCP].ack == 10 for one in resets)
    assert len([one for one in outcome.inside if ICMP in one]) == 2


def test_a_silent_refusal(case):
    assert refused(case, "silent", TWO_PORTS).inside == []


def test_refusals_are_rate_limited(case):
    outcome = refused(case, None, TWO_PORTS, packets=300)
    assert 100 <= len(outcome.inside) <= 102 and outcome.counters["nat-out-of-ports"] == 298


def test_nobody_outside_hears_of_a_limit(case):
    lab = case([SERVICE], {"forward": REDIRECT}, "    session-limit: 1\n")
    outcome = lab.run(outside=[(i, udp((CALLER, 4000 + i), ("203.0.113.3", 53))) for i in range(3)])
    assert len(outcome.inside) == 1 and not outcome.outside and outcome.counters["session-limit-drops"] == 2


# -- Ports given away too early (a report from the field; RFC 6888 REQ-8) --


def test_field_external_port_reused_early(case):
    lab = case(
        ["{ name: pool1, address: 203.0.113.1/32, mapping-timeout: 4, port: { range: { low: 5000, high: 5015 } } }"],
        {"out": ("input", ["{ name: everyone, from: { source-address: 198.18.0.0/24 }, then: { translated: { source-pool: pool1, "
                           "translation-type: napt-44, mapping-type: endpoint-independent, filtering-type: endpoint-independent } } }"])},
    )  # fmt: skip
    lab.text = lab.text.replace("inactivity-timeout: 300", "inactivity-timeout: 4")
    hosts = range(20, 60)
    inside = [(12_000 * i, udp((f"198.18.0.{host}", 4000), (CALLER, 53))) for i, host in enumerate(hosts)]
    given = [ends(one)[0][1] for one in lab.run(inside).outside]
    assert len(given) == len(hosts)
    for i, port in enumerate(given):
        before = [j for j in range(i) if given[j] == port]
        # Its session and its mapping idle for four seconds each; 120 s later somebody else may have it.
        assert not before or 12 * (i - before[-1]) - 8 >= 120, f"port {port} after {12 * (i - before[-1]) - 8} s"
