"""Cases of NAT that other systems test, or that people reported: captures in, captures out. The names say where each comes
from: Linux tools/testing/selftests/netfilter, FreeBSD tests/sys/netpfil, VPP test/, an RFC, or a report from the field."""

import pytest
from captures import CaptureLab, built
from scapy.all import IP, TCP, UDP

HEAD = """
cluster: cases
chassis:
  - name: alone
    inter-chassis: { address: 127.0.0.1, port: 7400 }
    query: { address: 127.0.0.1, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports:
          - { unit: 1, type: pcap, read: inside-in.pcap, write: inside-out.pcap }
          - { unit: 2, type: pcap, read: outside-in.pcap, write: outside-out.pcap }
service-sets:
  - name: cases
    interface: { chassis: alone, card: ms-0/0/0, max-sessions: 4096 }
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: [everything]
    nat-rules: [%(rules)s]
%(options)s
stateful-firewall: { rules: [ { name: everything, match-direction: input-output, terms: [ { name: all, then: accept } ] } ] }
timeouts: { inactivity-timeout: 300, inactivity-tcp-timeout: 7440, open-timeout: 60, close-timeout: 4 }
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
        """`nat`: name of a rule -> (direction, lines of terms)."""
        rules = "".join(
            f"    - name: {name}\n      match-direction: {direction}\n      terms:\n"
            + "".join(f"        - {term}\n" for term in terms)
            for name, (direction, terms) in nat.items()
        )
        lines = "".join(f"    - {pool}\n" for pool in pools)
        text = HEAD % {"rules": ", ".join(nat), "pools": lines, "nat": rules, "options": options}
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
    )  # fmt: skip
    # The host takes all ports that it can get towards the caller; the caller then asks for the service.
    inside = [(i, udp((HOST, 4000 + i), (CALLER, 1405))) for i in range(8)]
    call = [(1000, udp((CALLER, 1405), ("203.0.113.1", 1405)))]
    outcome = lab.run(inside, call)
    given = sorted(ends(packet)[0][1] for packet in outcome.outside)
    assert given == ([1406, 1407] if how == "blocks" else [1404, 1406, 1407])
    assert [ends(packet) for packet in outcome.inside] == [((CALLER, 1405), (SERVER, 1405))]
    assert outcome.counters["nat-out-of-ports"] == 8 - len(given)


def test_linux_port_shadow_of_the_only_port(case):
    lab = case(
        ["{ name: pool1, addresses: [203.0.113.1/32], port-range: { low: 1405, high: 1405 } }",
         "{ name: service, addresses: [198.18.0.20/32] }"],
        {"forward": FORWARD,
         "out": ("input", ["{ name: all, then: { translated: { source-pool: pool1, translation-type: napt-44 } } }"])},
    )  # fmt: skip
    outcome = lab.run([(0, udp((HOST, 1405), (CALLER, 41404)))], [(100, udp((CALLER, 41404), ("203.0.113.1", 1405)))])
    assert not outcome.outside and outcome.counters["nat-out-of-ports"] == 1
    assert [ends(packet)[1] for packet in outcome.inside] == [(SERVER, 1405)]
    # The rule answers UDP; TCP has the port.
    syn = built(IP(src=HOST, dst=CALLER) / TCP(sport=9, dport=80, flags="S"))
    assert [ends(packet)[0] for packet in lab.run([(0, syn)]).outside] == [("203.0.113.1", 1405)]
