"""Every kind of NAT, as a cluster for the lab and what real programs must see through it.

A kind says who calls whom (place and address), how the called one sees the caller, and what the CLI calls it.
"""

import dataclasses
import re
import textwrap

from lab.netlab import CLIENT, CLIENT_V6, SERVER, SERVER_V6

CLUSTER = """
cluster: nat-kind
chassis:
  - name: left
    inter-chassis: {{ address: 198.51.100.1, port: 7400 }}
    query: {{ address: 198.51.100.1, port: 7300 }}
    data-folder: /var/lib/icr/left
    cards:
      - name: ms-0/0/0
        ports:
          - {{ unit: 1, type: tun, device: ms000.1, steer-from: [inside0] }}
          - {{ unit: 2, type: tun, device: ms000.2, steer-from: [outside0] }}
  - name: right
    inter-chassis: {{ address: 198.51.100.2, port: 7400 }}
    query: {{ address: 198.51.100.2, port: 7300 }}
    data-folder: /var/lib/icr/right
    cards:
      - name: ms-1/0/0
        ports:
          - {{ unit: 1, type: tun, device: ms100.1, steer-from: [inside0] }}
          - {{ unit: 2, type: tun, device: ms100.2, steer-from: [outside0] }}
redundancy-sets:
  - name: rs1
    id: 1
    members:
      - {{ chassis: left, card: ms-0/0/0, priority: 200 }}
      - {{ chassis: right, card: ms-1/0/0, priority: 100 }}
    service-sets: [cgn]
    virtual-addresses:
      - {{ interface: inside0, address: 198.18.0.1/24 }}
      - {{ interface: outside0, address: 198.19.0.1/24 }}
      - {{ interface: inside0, address: "2001:db8:18::1/64" }}
      - {{ interface: outside0, address: "2001:db8:19::1/64" }}
    heartbeat-interval: 100
    heartbeat-count: 5
    hold-time: 2
    max-sessions: 16384
service-sets:
  - {{ name: cgn, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: [both], nat-rules: [translate] }}
stateful-firewall:
  rules:
    - name: both
      match-direction: input-output
      terms: [{{ name: everyone, then: accept }}]
nat:
{nat}
timeouts: {{ inactivity-timeout: 30, open-timeout: 5, close-timeout: 2 }}
"""

POOL = re.compile(r"203\.0\.113\.(\d|1[0-5])$")


@dataclasses.dataclass
class Kind:
    name: str
    nat: str  # the `nat:` section
    word: str  # Translation Type
    target: str = SERVER  # whom the caller asks for
    outside_calls: bool = False  # the caller is on the outside, the called one inside
    called: str = SERVER  # the called one's own address
    seen: re.Pattern = POOL  # address of the caller as the called one sees it
    keeps_port: bool = False  # the caller's port is not translated
    server_routes: tuple = ()  # more that the server's network routes to the cluster
    shows: tuple = ()  # regular expressions that `show services sessions extensive` must hold
    ping: bool = True

    def cluster(self):
        return CLUSTER.format(nat=textwrap.indent(textwrap.dedent(self.nat).strip(), "  "))


def exactly(address):
    return re.compile(re.escape(address) + "$")


KINDS = [
    Kind(
        "napt-44",
        """
        pools: [{ name: pool1, addresses: [203.0.113.0/28], port: { range: { low: 2000, high: 65535 }, preserve-parity: yes } }]
        rules:
          - name: translate
            match-direction: input
            terms: [{ name: all, from: { source-address: [198.18.0.0/24] }, then: { translated: { source-pool: pool1, translation-type: napt-44 } } }]
        """,
        "NAPT-44",
    ),
    Kind(
        "port-blocks",
        """
        pools:
          - name: pool1
            addresses: [203.0.113.0/28]
            port: { secured-port-block-allocation: { block-size: 256, max-blocks-per-address: 4 } }
        rules:
          - name: translate
            match-direction: input
            terms: [{ name: all, from: { source-address: [198.18.0.0/24] }, then: { translated: { source-pool: pool1, translation-type: napt-44 } } }]
        """,
        "NAPT-44",
    ),
    Kind(
        "deterministic",
        """
        pools:
          - name: pool1
            addresses: [203.0.113.0/28]
            port: { deterministic-port-block-allocation: { block-size: 2048, include-boundary-addresses: yes } }
        rules:
          - name: translate
            match-direction: input
            terms: [{ name: all, from: { source-address: [198.18.0.0/25] }, then: { translated: { source-pool: pool1, translation-type: deterministic-napt44 } } }]
        """,
        "DETERMINISTIC NAPT44",
    ),
    Kind(
        "basic-nat44",
        """
        rules:
          - name: translate
            match-direction: input
            terms: [{ name: all, from: { source-address: [198.18.0.0/28] }, then: { translated: { source-prefix: 203.0.113.0/28, translation-type: basic-nat44 } } }]
        """,
        "BASIC NAT44",
        seen=exactly("203.0.113.10"),
        keeps_port=True,
    ),
    Kind(
        "dynamic-nat44",
        """
        pools: [{ name: pool1, addresses: [203.0.113.0/28] }]
        rules:
          - name: translate
            match-direction: input
            terms: [{ name: all, from: { source-address: [198.18.0.0/24] }, then: { translated: { source-pool: pool1, translation-type: dynamic-nat44 } } }]
        """,
        "DYNAMIC NAT44",
        keeps_port=True,
    ),
    Kind(
        "dnat-44",
        f"""
        pools: [{{ name: web, addresses: [{CLIENT}/32] }}]
        rules:
          - name: translate
            match-direction: output
            terms: [{{ name: all, from: {{ destination-address: [203.0.113.14/32] }}, then: {{ translated: {{ destination-pool: web, translation-type: dnat-44 }} }} }}]
        """,
        "DNAT-44",
        target="203.0.113.14",
        outside_calls=True,
        called=CLIENT,
        seen=exactly(SERVER),
        keeps_port=True,
        shows=(r"NAT Destination +203\.0\.113\.14:\S+ +-> +198\.18\.0\.10:",),
    ),
    Kind(
        "twice-basic-nat-44",
        """
        rules:
          - name: translate
            match-direction: input
            terms:
              - name: all
                from: { source-address: [198.18.0.0/28], destination-address: [198.18.100.0/24] }
                then: { translated: { source-prefix: 203.0.113.0/28, destination-prefix: 198.19.0.0/24, translation-type: twice-basic-nat-44 } }
        """,
        "TWICE BASIC NAT44",
        target="198.18.100.10",
        seen=exactly("203.0.113.10"),
        keeps_port=True,
        shows=(r"NAT source +198\.18\.0\.10:\S+ +-> +203\.0\.113\.10:", r"NAT Destination +198\.18\.100\.10:\S+ +-> +198\.19\.0\.10:"),
    ),
    Kind(
        "twice-dynamic-nat-44",
        """
        pools: [{ name: pool1, addresses: [203.0.113.0/28] }]
        rules:
          - name: translate
            match-direction: input
            terms:
              - name: all
                from: { source-address: [198.18.0.0/24], destination-address: [198.18.100.0/24] }
                then: { translated: { source-pool: pool1, destination-prefix: 198.19.0.0/24, translation-type: twice-dynamic-nat-44 } }
        """,
        "TWICE DYNAMIC NAT44",
        target="198.18.100.10",
        keeps_port=True,
    ),
    Kind(
        "twice-napt-44",
        """
        pools:
          - { name: pool1, addresses: [203.0.113.0/28] }
          - { name: servers, addresses: [198.19.0.10/32] }
        rules:
          - name: translate
            match-direction: input
            terms:
              - name: all
                from: { source-address: [198.18.0.0/24], destination-address: [198.18.100.7/32] }
                then: { translated: { source-pool: pool1, destination-pool: servers, translation-type: twice-napt-44 } }
        """,
        "TWICE NAPT44",
        target="198.18.100.7",
    ),
    Kind(
        "stateful-nat64",
        """
        pools: [{ name: pool1, addresses: [203.0.113.0/28] }]
        rules:
          - name: translate
            match-direction: input
            terms:
              - name: all
                from: { source-address: ["2001:db8:18::/64"], destination-address: ["2001:db8:64::/96"] }
                then: { translated: { source-pool: pool1, destination-prefix: "2001:db8:64::/96", translation-type: stateful-nat64 } }
        """,
        "STATEFUL NAT64",
        target="2001:db8:64::c613:a",
        shows=(r"NAT source +2001:db8:18::10:\d+ +-> +203\.0\.113\.\d+:", r"NAT Destination +2001:db8:64::c613:a\S* +-> +198\.19\.0\.10"),
    ),
    Kind(
        "nptv6",
        """
        rules:
          - name: translate
            match-direction: input
            terms: [{ name: all, from: { source-address: ["2001:db8:18::/48"] }, then: { translated: { source-prefix: "2001:db8:203::/48", translation-type: nptv6 } } }]
        """,
        "NPTV6",
        target=SERVER_V6,
        called=SERVER_V6,
        seen=re.compile(r"2001:db8:203:[0-9a-f:]+$"),
        keeps_port=True,
        server_routes=("2001:db8:203::/48",),
    ),
]  # fmt: skip

assert CLIENT_V6.startswith("2001:db8:18::")
