"""What a real chassis says about NAT, flows and statistics: packets of captures, then questions to it."""

import re
import subprocess
import time

import pytest
from captures import CHASSIS, built, program, with_free_ports, write_capture
from scapy.all import IP, TCP, UDP

CLUSTER = """
service-sets:
  - name: cgn
    interface: { chassis: alone, card: ms-0/0/0, max-sessions: 1024 }
    inside-unit: 1
    outside-unit: 2
    nat-rules: [translate]
nat:
  pools:
    - { name: mapped, address: 203.0.113.0/30, mapping-timeout: 300 }
    - { name: blocks, address: 203.0.113.4/30, port: { secured-port-block-allocation: { block-size: 64 } } }
    - name: fixed
      address: 203.0.113.8/30
      port: { deterministic-port-block-allocation: { block-size: 1024, include-boundary-addresses: true } }
  rules:
    - name: translate
      match-direction: input
      terms:
        - name: by-arithmetic
          from: { source-address: 198.18.2.0/26 }
          then: { translated: { source-pool: fixed, translation-type: deterministic-napt44 } }
        - name: by-block
          from: { source-address: 198.18.1.0/24 }
          then: { translated: { source-pool: blocks, translation-type: napt-44 } }
        - name: everyone
          from: { source-address: 198.18.0.0/24 }
          then:
            translated:
              source-pool: mapped
              translation-type: napt-44
              address-pooling: paired
              mapping-type: endpoint-independent
"""


class Chassis:
    """icrd with captures that it has read to their end; their time stands still while it answers."""

    def __init__(self, folder, packets):
        self.folder = folder
        (folder / "cluster.yaml").write_text(with_free_ports(CHASSIS + CLUSTER))
        write_capture(folder / "inside-in.pcap", packets)
        write_capture(folder / "outside-in.pcap", [])
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([program("icrd"), "--cluster", "cluster.yaml", "--chassis", "alone"],
                                            cwd=folder, stdout=log, stderr=log)  # fmt: skip
        deadline = time.monotonic() + 60
        while "captures read to the end" not in (folder / "log").read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)

    def icr(self, line):
        done = subprocess.run([program("icr"), "--cluster", "cluster.yaml", *line.split()], cwd=self.folder,
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def end(self):
        self.process.terminate()
        self.process.wait(30)


def udp(host, port, server="192.0.2.80", to=53):
    return built(IP(src=host, dst=server) / UDP(sport=port, dport=to) / b"ask")


@pytest.fixture
def chassis(tmp_path):
    packets = [udp("198.18.0.1", 4000), udp("198.18.0.1", 4000, "192.0.2.81"), udp("198.18.0.2", 5000)]
    packets += [udp("198.18.1.1", 6000 + i) for i in range(3)] + [udp("198.18.2.5", 7000)]
    packets += [built(IP(src="198.18.0.3", dst="192.0.2.80") / TCP(sport=1, dport=2, flags="A"))]  # no SYN
    one = Chassis(tmp_path, list(enumerate(packets)))
    yield one
    one.end()


def test_mappings_are_shown_and_cleared_with_their_sessions(chassis):
    shown = chassis.icr("show services nat mappings endpoint-independent")
    assert shown.startswith("Interface: ms-0/0/0, Service set: cgn\n\nNAT pool: mapped\n\nMapping          : 198.18.0.")
    assert sorted(re.findall(r"Session Count    : +(\d+)", shown)) == ["1", "2"]
    assert len(re.findall(r"Mapping State    : Active", shown)) == 2
    paired = chassis.icr("show services nat mappings address-pooling-paired private 198.18.0.1")
    assert re.search(r"Mapping          : 198\.18\.0\.1 +--> 203\.0\.113\.[0-3]\n", paired)
    assert "198.18.0.2" not in paired
    assert "port mappings:         2\n" in chassis.icr("show services nat mappings summary")
    cleared = chassis.icr("clear services nat mappings eim subscriber 198.18.0.1")
    assert re.search(r"^ms-0/0/0 +cgn +1 +2$", cleared, re.M), cleared
    assert "198.18.0.1 " not in chassis.icr("show services nat mappings endpoint-independent")
    left = chassis.icr("show services flows")
    assert "198.18.0.1:4000" not in left and "198.18.0.2:5000" in left and "NAT source" in left


def test_what_matches_is_cleared_in_one_command(chassis):
    host = "show services nat mappings address-pooling-paired private 198.18.0.1"
    assert re.search(r"Ports In Use     : +1\nSession Count    : +2\nMapping State    : Active", chassis.icr(host))
    chassis.icr("clear services sessions source-prefix 198.18.0.1")
    lingers = re.search(r"Ports In Use     : +1\nSession Count    : +0\nMapping State    : Timeout", chassis.icr(host))
    assert lingers, chassis.icr(host)
    for subscriber, sessions in (("198.18.0.1", 0), ("198.18.0.2", 1)):
        cleared = chassis.icr(f"clear services nat mappings app subscriber {subscriber}")
        assert re.search(rf"^ms-0/0/0 +cgn +1 +{sessions}$", cleared, re.M), cleared
        assert f"{subscriber} " not in chassis.icr("show services nat mappings"), "its mapping held the pairing"


def test_all_mappings_and_pairings_are_cleared_in_one_command(chassis):
    cleared = chassis.icr("clear services nat mappings")
    assert re.search(r"^ms-0/0/0 +cgn +4 +3$", cleared, re.M), cleared
    assert chassis.icr("show services nat mappings") == ""


def test_pools_say_what_is_used(chassis):
    brief = chassis.icr("show services nat pool")
    assert re.search(r"^mapped +NAPT-44 +203\.0\.113\.0-203\.0\.113\.3 +1024-65535 +2$", brief, re.M), brief
    detail = chassis.icr("show services nat pool blocks detail")
    assert "Current number of port blocks in use: 1," in detail and "Port block size: 64," in detail
    blocks = chassis.icr("show services nat source port-block")
    assert re.search(r"^198\.18\.1\.1 +203\.0\.113\.[4-7] +\d+-\d+ +3/64\*1 +Active/-$", blocks, re.M), blocks
    fixed = chassis.icr("show services nat source deterministic")
    row = re.search(r"^198\.18\.2\.5 +(\S+) +(\d+)-(\d+) +1/1024\*1$", fixed, re.M)
    assert row, fixed
    for question in ("internal-host 198.18.2.5", f"nat-port-block {row[1]} port {row[3]}"):
        answer = chassis.icr(f"show services nat deterministic-nat {question}")
        assert f"Internal host: 198.18.2.5, NAT IP address: {row[1]}, NAT port low: {row[2]}," in answer
    assert re.search(r"Total pools: 3\n", chassis.icr("show services nat source summary"))
    rules = chassis.icr("show services nat source rule")
    assert rules.startswith("Interface: ms-0/0/0, Service set: cgn\nTotal rules: 3")
    assert re.findall(r"Translation hits +: (\d+)", rules) == ["1", "3", "3"], rules
    chassis.icr("clear services nat statistics")
    assert re.findall(r"Translation hits +: (\d+)", chassis.icr("show services nat source rule")) == ["0"] * 3


def test_statistics_are_counted_and_cleared(chassis):
    assert "TCP non SYN discard: 1\n" in chassis.icr("show services service-sets statistics tcp")
    accepted = chassis.icr("show services stateful-firewall statistics")
    assert re.search(r"^ms-0/0/0 +cgn +7 +0 +0 ", accepted, re.M), accepted
    chassis.icr("clear services stateful-firewall statistics")
    assert re.search(r"^ms-0/0/0 +cgn +0 +0 +0 ", chassis.icr("show services stateful-firewall statistics"), re.M)
    assert "TCP non SYN discard: 1\n" in chassis.icr("show services service-sets statistics tcp"), "another group"
    analysis = chassis.icr("show services sessions analysis")
    assert re.search(r"Total UDP sessions Active +:7 ", analysis) and re.search(r"Packets received +:8 ", analysis)
    chassis.icr("clear services sessions analysis")
    analysis = chassis.icr("show services sessions analysis")
    assert re.search(r"Total UDP sessions Active +:7 ", analysis) and re.search(r"Packets received +:0 ", analysis)
    assert re.search(r"Peak Total Sessions Active +:7 ", analysis)
    for command in ("service-sets statistics integrity-drops", "stateful-firewall statistics extensive"):
        headings = re.findall(r"^    (\S.*):$", chassis.icr(f"show services {command}"), re.M)
        assert headings and len(headings) == len(set(headings)), headings
    summary = chassis.icr("show services service-sets summary")
    assert re.search(r"^ms-0/0/0 +1 +\d+ \( *[\d.]+%\) +\d+ \( *[\d.]+%\) +[\d.]+ %$", summary, re.M), summary
    assert re.search(r"^ms-0/0/0 +cgn +\d+$", chassis.icr("show services service-sets memory-usage"), re.M)


def test_sessions_are_found_by_their_pool(chassis):
    count = r"^ms-0/0/0 +cgn +{}$"
    for words, expected in (("source-nat-pool mapped", 3), ("source-nat-pool blocks", 3), ("source-nat-pool fixed", 1),
                            ("nat", 7), ("nat-port-overload-index 0", 7)):  # fmt: skip
        shown = chassis.icr(f"show services sessions count {words}")
        assert re.search(count.format(expected), shown, re.M), f"{words}: {shown}"
    shown = chassis.icr("show services sessions extensive source-nat-pool fixed")
    assert "Translation Type - DETERMINISTIC NAPT44" in shown
    cleared = chassis.icr("clear services sessions source-nat-pool fixed")
    assert re.search(r"^ms-0/0/0 +cgn +1$", cleared, re.M), cleared
    cleared = chassis.icr("clear services nat flows")
    assert re.search(r"^ms-0/0/0 +cgn +12$", cleared, re.M), cleared


def test_the_router_answers_for_itself(chassis):
    assert re.search(r"^Protocols started: .* \(00:0\d:\d\d ago\)$", chassis.icr("show system uptime"), re.M)
    assert chassis.icr("show chassis alarms") == "No alarms currently active\n"
    terse = chassis.icr("show interfaces terse")
    assert re.search(r"^ms-0/0/0\.1 +up +up$", terse, re.M), terse
    unit = chassis.icr("show interfaces ms-0/0/0.1")
    assert "Port: pcap, Link is Up\n    Input packets : 8\n    Output packets: 0\n" in unit, unit


def test_the_largest_sessions_and_groups_are_shown_first(tmp_path):
    packets = [udp(f"198.18.0.{host}", 4000 + host) for host in range(1, 9) for _ in range(host)]
    one = Chassis(tmp_path, list(enumerate(packets)))
    try:
        ranks = r"Rank: (\d), Packets: (\d+), Bytes: (\d+), Age: \d+, Chassis: (\S+)\nUDP +198\.18\.0\.(\d):"
        shown = one.icr("show services sessions top 3 by packets")
        expected = [(str(9 - host), str(host), str(31 * host), "alone", str(host)) for host in (8, 7, 6)]
        assert re.findall(ranks, shown) == expected, shown
        assert one.icr("show services sessions sort-by bytes limit 3") == shown
        few = one.icr("show services sessions source-prefix 198.18.0.0/30 top 10")
        assert [row[4] for row in re.findall(ranks, few)] == ["3", "2", "1"], few
        groups = one.icr("show services sessions group-by source-prefix/30 top 2 by packets").splitlines()
        assert [line.split() for line in groups[1:]] == [
            ["198.18.0.4/30", "4", "22", str(22 * 31)],
            ["198.18.0.8/30", "1", "8", str(8 * 31)],
            ["Other", "groups:", "1"],
            ["3", "6", str(6 * 31)],
        ], groups
        assert one.icr("show services sessions group-by nat-pool").splitlines()[1].split()[:2] == ["mapped", "8"]
    finally:
        one.end()
