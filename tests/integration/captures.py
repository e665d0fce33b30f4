"""Captures through a chassis: what goes in, what comes out, and what an independent decoder says about it."""

import json
import os
import pathlib
import random
import re
import socket
import subprocess

from scapy.all import IP, UDP, IPv6, PcapReader, PcapWriter

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster-configs" / "capture.yaml"
RAW_IP = 101  # LINKTYPE_RAW
INSIDE, OUTSIDE = 1, 2  # units of the card

HOST, HOST6 = "198.18.0.10", "2001:db8:18::10"
SERVER, SERVER6 = "192.0.2.80", "2001:db8:80::80"
ROUTER, ROUTER6 = "192.0.2.1", "2001:db8:80::1"
POOL = [f"203.0.113.{i}" for i in range(16)]
START = 1_000_000_000  # when captures begin, seconds since the epoch


sanitized_may_run = False  # true while a test runs that is marked `sanitized` (conftest.py)


def program(name, sanitized=False):
    """Returns the path of a program: in $ICR_BIN, or in the release or the sanitized build that ./run-tests has made."""
    if "ICR_BIN" in os.environ:
        return pathlib.Path(os.environ["ICR_BIN"]) / name
    assert sanitized_may_run or not sanitized, "this test is to be marked: pytestmark = pytest.mark.sanitized"
    return ROOT / "build" / ("sanitize" if sanitized else "release") / "bin" / name


def built(packet):
    """The packet with every field filled in, as it is on the wire."""
    return type(packet)(bytes(packet))


given_ports = set()


def worker_number():
    """Returns the number of this worker of pytest-xdist ("gw0", "gw1", ...), or None without workers. ./run-tests starts
    pytest twice at the same time; the workers of the second one begin at $ICR_TEST_FIRST_WORKER."""
    name = os.environ.get("PYTEST_XDIST_WORKER")
    return None if name is None else int(os.environ.get("ICR_TEST_FIRST_WORKER", "0")) + int(name[2:])


WORKER = worker_number()
FIRST_PORT = 20000 + 1000 * (9 if WORKER is None else WORKER % 9)  # each worker has its own thousand


def free_port():
    """The first of two free ports, below those that the kernel gives to connections (which would come in between)."""
    for port in random.SystemRandom().sample(range(FIRST_PORT, FIRST_PORT + 1000, 2), 100):
        if port in given_ports:
            continue
        try:
            with socket.socket() as first, socket.socket() as second:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                given_ports.add(port)
                return port
        except OSError:
            continue
    raise RuntimeError(f"no free port between {FIRST_PORT} and {FIRST_PORT + 1000}")


def write_capture(path, packets):
    """`packets`: (milliseconds after START, scapy packet or bytes), in order of time."""
    with PcapWriter(str(path), linktype=RAW_IP, sync=False) as writer:
        writer.write_header(None)
        for milliseconds, packet in packets:
            raw = bytes(packet)
            writer.write_packet(raw, sec=START + milliseconds // 1000, usec=milliseconds % 1000 * 1000,
                                caplen=len(raw), wirelen=len(raw))  # fmt: skip


def read_capture(path):
    """What left, as scapy packets; nothing is dissected anew but the bytes."""
    with PcapReader(str(path)) as reader:
        raw = [bytes(packet) for packet in reader]
    return [IPv6(data) if data[0] >> 4 == 6 else IP(data) for data in raw]


# The beginning of a cluster file: a chassis with one card between two captures. Service sets follow.
CHASSIS = """
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
"""
# A service set on this card whose firewall accepts everything. Options of the service set may follow directly.
CASES = """
stateful-firewall: { rules: [ { name: everything, match-direction: input-output, terms: [ { name: all, then: accept } ] } ] }
timeouts: { inactivity-timeout: 300, inactivity-tcp-timeout: 7440, open-timeout: 60, close-timeout: 4 }
service-sets:
  - name: cases
    interface: { chassis: alone, card: ms-0/0/0, max-sessions: 4096 }
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: [everything]
"""


def with_free_ports(text):
    """Returns the cluster file with other ports: those of the text may be taken by a lab of the user, or by a test that
    runs at the same time."""
    for port in re.findall(r"port: (7\d\d\d)", text):
        text = text.replace(f"port: {port}", f"port: {free_port()}")
    return text


PCAP_HEADER = 24  # octets in front of the first packet


class Outcome:
    def __init__(self, folder, log):
        self.folder, self.log, self.views = folder, log, {}
        self.inside = read_capture(folder / "inside-out.pcap")
        self.outside = read_capture(folder / "outside-out.pcap")
        found = re.search(r"captures read to the end:(.*)", log)
        assert found, f"icrd did not say that it read the captures to their end:\n{log}"
        self.counters = {name: int(value) for name, value in re.findall(r"(\S+)=(\d+)", found.group(1))}

    def bytes(self):
        return [(self.folder / name).read_bytes() for name in ("inside-out.pcap", "outside-out.pcap")]

    def decoded(self, side):
        """tshark's view of the packets that left on "inside" or "outside": a list of layers (nested dictionaries)."""
        if not self.views:
            # Getting ready is most of what tshark takes, so it reads both captures as one.
            layers = self.decode(self.folder / "both-out.pcap") if self.inside or self.outside else []
            self.views = {"inside": layers[: len(self.inside)], "outside": layers[len(self.inside) :]}
        return self.views[side]

    def decode(self, both):
        inside, outside = self.bytes()
        assert inside[:PCAP_HEADER] == outside[:PCAP_HEADER], "both captures are of one kind"
        both.write_bytes(inside + outside[PCAP_HEADER:])
        command = ["tshark", "-n", "-r", both, "-T", "json", "--no-duplicate-keys"]
        for protocol in ("ip", "tcp", "udp"):
            command += ["-o", f"{protocol}.check_checksum:TRUE"]
        # In small pieces of memory, unless it is told otherwise.
        memory = {"GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.top_pad=134217728:glibc.malloc.hugetlb=1"}
        shown = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True, timeout=60,
                               env={**os.environ, **memory})  # fmt: skip
        layers = [packet["_source"]["layers"] for packet in json.loads(shown.stdout or "[]")]
        assert len(layers) == len(self.inside) + len(self.outside)
        return layers

    def assert_checksums(self):
        """Every checksum in what left is right, in the eyes of tshark: of headers, segments, messages, reassembled
        datagrams, and of the headers inside ICMP errors. Returns how many it saw."""
        seen = 0
        for side in ("inside", "outside"):
            for number, layers in enumerate(self.decoded(side), 1):
                for path, value in statuses(layers):
                    # 1: good, 2: unverified (cut short in an ICMP error, or not all fragments are here), 3: not present
                    assert value in ("1", "2", "3"), f"{side}-out.pcap packet {number}: {path} is {value}"
                    seen += value == "1"
        return seen

    def assert_all_accounted(self, sent):
        """Every packet that was sent in was forwarded, held or dropped under a name."""
        ports = sum(self.counters.get(f"unit-{unit}-rx-packets", 0) for unit in (INSIDE, OUTSIDE))
        unread = sum(value for name, value in self.counters.items() if re.match(r"unit-\d+-rx-dropped-", name))
        assert ports + unread == sent and self.counters.get("packets-in", 0) == ports, self.counters
        drops = sum(value for name, value in self.counters.items() if name in DROPS)
        own = sum(self.counters.get(name, 0) for name in ("rejects-sent", "icmp-errors-sent", "fragments-made"))
        forwarded = len(self.inside) + len(self.outside) - own
        # A held fragment is forwarded or dropped later, or still waits when the capture ends.
        waiting = ports - forwarded - drops
        assert 0 <= waiting <= self.counters.get("fragments-held", 0), self.counters


# Reasons of the flow engine to drop a packet. One that is missing here shows as a packet that is not accounted for.
DROPS = set(
    """
    ip-version-errors ip-header-length-errors ip-total-length-errors ip-checksum-errors ip-bad-source
    ip-bad-destination ip-land-attack ip-ttl-zero ip-illegal-protocol ip-multicast ip-extension-header-errors
    fragment-tiny fragment-bad-length fragment-ping-of-death tcp-header-length-errors udp-header-length-errors
    icmp-header-length-errors udp-length-errors tcp-no-flag tcp-syn-fin tcp-fin-no-ack tcp-port-zero udp-port-zero
    unknown-interface not-master relay-no-master relay-queue-full relay-not-master handing-over wrong-interface ip-source-route firewall-discards firewall-rejects tcp-non-syn-discard
    tcp-invalid-rst-in-listen tcp-invalid-seq-win-check tcp-invalid-xmit-syn tcp-invalid-ack-win-check
    tcp-invalid-syn-ack tcp-invalid-rst tcp-invalid-rst-in-syn-sent tcp-invalid-rst-in-syn-recv
    tcp-invalid-flags-handshake nat-out-of-ports nat-out-of-addresses nat-parity-port-errors
    nat-preserve-range-errors nat-app-port-errors nat-port-limit-errors nat-out-of-blocks nat-block-limit-errors subscriber-session-limit-drops
    nat-memory-errors nat-untranslatable nat-eif-filtered nat-eif-flow-limit-drops nat-conflict nat-no-session
    nat64-hop-limit-exceeded nat64-packet-too-big nat64-source-route nat64-udp-checksum-zero nat64-icmp-fragment
    nat64-icmp-no-equivalent nat64-protocol nat64-too-long session-limit-drops max-flows-drops
    session-setup-rate-drops no-session-id flow-index-full icmp-error-no-session icmp-error-malformed
    icmp-checksum-errors icmp-no-session icmp-echo-direction fragment-overlap fragment-duplicate fragment-limit fragment-table-full
    tcp-checksum-errors udp-checksum-errors icmp-error-quoted-checksum
    fragment-timeout fragment-refused screen-icmp-flood screen-udp-flood screen-tcp-syn-flood screen-tcp-syn-flood-source
    screen-tcp-syn-flood-destination screen-source-session-limit screen-destination-session-limit screen-tcp-winnuke
    screen-tcp-land-attack screen-tcp-no-flag screen-tcp-syn-fin screen-tcp-fin-no-ack screen-tcp-syn-fragment
    screen-icmp-fragment screen-icmp-large-packet screen-icmp-ping-of-death screen-ip-tear-drop
    screen-ip-source-route-option screen-ip-bad-options screen-ip-unknown-protocol screen-ip-block-fragment
    unknown-egress-interface
    """.split()
)


def statuses(tree, path=""):
    """(path, value) of every "...checksum.status" in nested dictionaries and lists."""
    if isinstance(tree, list):
        for one in tree:
            yield from statuses(one, path)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key.endswith("checksum.status"):
                for one in value if isinstance(value, list) else [value]:
                    yield f"{path}/{key}", one
            else:
                yield from statuses(value, f"{path}/{key}")


class CaptureLab:
    """Runs a chassis of cluster-configs/capture.yaml, or of another text with the same ports, in a folder of its own."""

    def __init__(self, folder, icrd=None, text=None):
        self.folder, self.icrd, self.runs = folder, icrd or program("icrd"), 0
        self.text = text or CLUSTER.read_text()

    def run(self, inside=(), outside=(), timeout=60):
        self.runs += 1
        folder = self.folder / f"run{self.runs}"
        folder.mkdir()
        (folder / "cluster.yaml").write_text(with_free_ports(self.text))
        write_capture(folder / "inside-in.pcap", inside)
        write_capture(folder / "outside-in.pcap", outside)
        done = self.start(folder, timeout)
        (folder / "log").write_text(done.stdout + done.stderr)
        assert done.returncode == 0, f"exit code {done.returncode}, files in {folder}:\n{done.stderr[-8000:]}"
        return Outcome(folder, done.stderr)

    def start(self, folder, timeout=60):
        """Runs icrd over the captures that are in `folder`."""
        command = [str(self.icrd), "--cluster", "cluster.yaml", "--chassis", "alone", "--exit-at-end"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False,
                              errors="replace")  # fmt: skip

    def exchange(self, inside, answers):
        """Both directions of a conversation: `answers` makes the outside's packets from the translated ones that a
        first run showed. Everything is run twice; the same bytes must leave."""
        translated = self.run(inside).outside
        outside = answers(translated)
        first, second = self.run(inside, outside), self.run(inside, outside)
        assert first.bytes() == second.bytes(), "two runs over the same captures differ"
        return first

    def with_session(self, packets, side="inside"):
        """`packets` between the first and the last packet of a UDP session that must not suffer from them."""
        ask = built(IP(src=HOST, dst=SERVER) / UDP(sport=7, dport=53) / b"ask")
        numbered = [(10 + i // 50, packet) for i, packet in enumerate(packets)]
        around = [(0, ask), (20 + len(packets) // 50, ask)]
        if side == "inside":
            outcome = self.run([around[0], *numbered, around[1]])
        else:
            outcome = self.run(around, numbered)
        whole = [one for one in outcome.outside if bytes(one)[28:] == b"ask"]
        assert len(whole) == 2 and whole[0].sport == whole[1].sport, "the session suffered"
        outcome.assert_all_accounted(len(packets) + 2)
        return outcome
