"""A services card with two workers: nothing changes but the number of threads."""

import pathlib
import re

import pytest
from captures import CaptureLab, read_capture, write_capture
from scapy.all import IP, TCP, UDP

from lab.netlab import CHASSIS, CLIENT, SECOND_SERVER, SERVER, wait_until
from lab.workload import HTTP_PORT

PORTS = """
          - {{ unit: {unit}, type: pcap, read: {name}-in.pcap, write: {name}-out.pcap }}"""
CLUSTER = """
cluster: workers
chassis:
  - name: alone
    inter-chassis: {{ address: 127.0.0.1, port: 7400 }}
    query: {{ address: 127.0.0.1, port: 7300 }}
    cards:
      - name: vms-0/0/0
        workers: {workers}
        ports:{ports}
service-sets:
  - name: a
    interface: {{ chassis: alone, card: vms-0/0/0, max-sessions: 4096 }}
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: [any]
    nat-rules: [a]
  - name: b
    interface: {{ chassis: alone, card: vms-0/0/0, max-sessions: 4096 }}
    inside-unit: 3
    outside-unit: 4
    stateful-firewall-rules: [any]
    nat-rules: [b]
stateful-firewall:
  rules:
    - {{ name: any, match-direction: input, terms: [ {{ name: all, then: accept }} ] }}
nat:
  pools:
    - {{ name: a, addresses: [203.0.113.0/28] }}
    - {{ name: b, addresses: [203.0.113.16/28] }}
  rules:
    - {{ name: a, match-direction: input, terms: [ {{ name: t, then: {{ translated: {{ source-pool: a, translation-type: napt-44 }} }} }} ] }}
    - {{ name: b, match-direction: input, terms: [ {{ name: t, then: {{ translated: {{ source-pool: b, translation-type: napt-44 }} }} }} ] }}
"""
UNITS = {1: "inside-a", 2: "outside-a", 3: "inside-b", 4: "outside-b"}


def run_captures(folder, workers):
    """The same packets through both service sets; {unit: bytes that left}, and the log."""
    folder.mkdir()
    ports = "".join(PORTS.format(unit=unit, name=name) for unit, name in UNITS.items())
    (folder / "cluster.yaml").write_text(CLUSTER.format(workers=workers, ports=ports))
    for unit, name in UNITS.items():
        packets = []
        if unit in (1, 3):
            for i in range(300):
                source = f"198.18.{unit}.{1 + i % 200}"
                layer = TCP(sport=1024 + i, dport=80, flags="S") if i % 3 else UDP(sport=1024 + i, dport=53) / b"ask"
                packets.append((i * 20, IP(src=source, dst="192.0.2.80") / layer))
        write_capture(folder / f"{name}-in.pcap", packets)
    done = CaptureLab(folder).start(folder)
    assert done.returncode == 0, done.stderr[-4000:]
    return {name: (folder / f"{name}-out.pcap").read_bytes() for name in UNITS.values()}, done.stderr


def test_two_workers_write_what_one_writes(tmp_path):
    one, log_one = run_captures(tmp_path / "one", 1)
    two, log_two = run_captures(tmp_path / "two", 2)
    assert "workers=1" in log_one and "workers=2" in log_two
    assert one == two
    for name, pool in (("outside-a", range(0, 16)), ("outside-b", range(16, 32))):
        left = read_capture(pathlib.Path(tmp_path / "two" / f"{name}-out.pcap"))
        assert len(left) == 300 and {packet.src for packet in left} <= {f"203.0.113.{i}" for i in pool}


def test_more_workers_than_sets_are_not_started(tmp_path):
    _, log = run_captures(tmp_path / "many", 7)
    assert "workers=2" in log
    assert re.search(r"warning.*vms-0/0/0.*7 workers.*2", log), log[:2000]


@pytest.mark.cluster("two-workers.yaml")
def test_both_workers_carry_traffic_and_survive_the_master(network, work):
    for name in CHASSIS:
        network.start_chassis(name)
    for name in ("rs1", "rs2"):
        assert network.wait_for_redundancy(set_name=name) == ("left", "right")
    assert "workers=2" in network.log_tail("left", 100)

    script = f"""
import socket, time
links = [socket.create_connection((server, {HTTP_PORT}), 10) for server in ("{SERVER}", "{SECOND_SERVER}")]
print(*(link.getsockname()[0] for link in links), flush=True)
time.sleep(600)
"""
    network.start("connections", "client", "/usr/bin/python3", "-c", script, stdout="out")

    def made():
        with open(network.processes.output_file("connections"), encoding="ascii") as out:
            return out.read().split()

    assert wait_until(made, 20, "a connection by each worker") == [CLIENT, "198.18.1.10"]
    assert network.session_count("left") == 2
    counters = network.card_counters("left")
    for unit in (1, 2, 3, 4):
        assert counters[f"unit-{unit}-rx-packets"] > 0, "each worker reports its ports"
    assert counters["packets-in"] == sum(counters[f"unit-{unit}-rx-packets"] for unit in (1, 2, 3, 4))
    shown = network.icr("show services sessions").stdout
    assert "198.18.0.10" in shown and "198.18.1.10" in shown

    wait_until(lambda: network.session_count("right") == 2, 10, "the twins")
    network.kill_chassis("left")
    wait_until(lambda: [network.master(name) for name in ("rs1", "rs2")] == ["right", "right"], 20, "right to be master")
    assert network.session_count() == 2
    for address in (SERVER, SECOND_SERVER):
        url = f"http://{address}:{HTTP_PORT}/download?size=1000&rate=1000000"
        curl = ["curl", "--silent", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{size_download}"]
        got = network.run("client", *curl, url)
        assert got.stdout == "1000"
    assert network.session_count() >= 4
