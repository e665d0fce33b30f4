"""A network namespace with loopback only, and programs of ours in it that an attacker can reach on every socket."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from captures import ROOT, program

from lab import netns
from lab.netlab import wait_until

CONTROL, DATA, QUERY = 7400, 7401, 7300  # of chassis left; right's are 10 higher
FAKE_CONTROL, FAKE_DATA = 7410, 7411
WRONG_FILES = sorted((ROOT / "tests" / "config" / "wrong").glob("*.yaml"))

CLUSTER = """
cluster: hostile
chassis:
  - name: left
    inter-chassis: {{ address: 127.0.0.1, port: 7400 }}
    query: {{ address: 127.0.0.1, port: 7300 }}
    data-folder: {folder}/left
    cards:
      - name: ms-0/0/0
        ports: [{{ unit: 1, type: tun, device: ms000.1 }}, {{ unit: 2, type: tun, device: ms000.2 }}]
  - name: right
    inter-chassis: {{ address: 127.0.0.1, port: 7410 }}
    query: {{ address: 127.0.0.1, port: 7310 }}
    data-folder: {folder}/right
    cards:
      - name: ms-1/0/0
        ports: [{{ unit: 1, type: tun, device: ms100.1 }}, {{ unit: 2, type: tun, device: ms100.2 }}]
redundancy-sets:
  - name: rs1
    id: 1
    members: [{{ chassis: left, card: ms-0/0/0, priority: 200 }}, {{ chassis: right, card: ms-1/0/0, priority: 100 }}]
    service-sets: [cgn]
    heartbeat-interval: 100
    heartbeat-count: 10
    hold-time: 0.3
    max-sessions: 1024
service-sets:
  - {{ name: cgn, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: [all], nat-rules: [pool] }}
stateful-firewall:
  rules:
    - name: all
      match-direction: input
      terms: [{{ name: all, from: {{ source-address: [198.18.0.0/24] }}, then: accept }}]
nat:
  pools: [{{ name: pool1, addresses: [203.0.113.0/28], port-range: {{ low: 1024, high: 65535 }} }}]
  rules:
    - name: pool
      match-direction: input
      terms:
        - name: all
          from: {{ source-address: [198.18.0.0/24] }}
          then: {{ translated: {{ source-pool: pool1, translation-type: napt-44 }} }}
"""

SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|SUMMARY: Undefined|Assertion .* failed", re.I)


class Chassis:
    """An icrd that runs, and what it says."""

    def __init__(self, folder, name="left", cluster=None, launcher=(), options=()):
        self.name, self.folder = name, pathlib.Path(folder)
        self.cluster = cluster or write_cluster(self.folder)
        command = [*launcher, program("icrd", sanitized=True), "--cluster", self.cluster, "--chassis", name]
        self.process = subprocess.Popen(
            [str(word) for word in (*command, *options)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, cwd=self.folder, text=True, errors="replace",
            env={**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=0:detect_leaks=1:quarantine_size_mb=16"},
        )  # fmt: skip
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def log(self):
        return "".join(self.lines)

    def wait_until_ready(self):
        wait_until(lambda: "chassis ready" in self.log or self.process.poll() is not None, 60, "the chassis to be ready")
        assert self.process.poll() is None, self.log
        return self

    def wait_for_end(self, timeout=60):
        code = self.process.wait(timeout)
        self.reader.join(10)
        return code

    def stop(self):
        """SIGTERM. Returns the exit code; the log must be free of reports of the sanitizers."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.wait_for_end()
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert not SANITIZER.search(self.log), self.log[-8000:]
        return code

    # --- what it answers ---

    def ask(self, line):
        command = [program("icr", sanitized=True), "--cluster", self.cluster, "--chassis", self.name, "--timeout",
                   "20000", *line.split()]  # fmt: skip
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)

    def icr(self, line):
        done = self.ask(line)
        assert done.returncode == 0, f"{line}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.log[-8000:]}"
        return done.stdout

    def counters(self):
        """{name: value} of every counter of the chassis. Names of ports carry their unit, so none is there twice but
        for sessions-cleared, of the set."""
        shown = self.icr("show services service-sets statistics packet-drops extensive")
        return {name: int(value) for name, value in re.findall(r"^  (\S+) +(\d+)$", shown, re.M)}

    def status(self):
        shown = self.icr("show services redundancy-group brief")
        return re.search(r"RG-ID \d+, RS-ID \d+: state (.+?), ", shown).group(1).upper()

    def sessions(self):
        shown = self.icr("show services sessions count")
        return sum(int(line.split()[-1]) for line in shown.splitlines() if line.startswith("ms-"))

    def memory(self):
        """Resident KiB, and descriptors."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)), len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Grown:
    """By how much counters have grown since."""

    def __init__(self, chassis):
        self.chassis, self.before = chassis, chassis.counters()

    def now(self):
        after = self.chassis.counters()
        return {name: value - self.before.get(name, 0) for name, value in after.items() if value != self.before.get(name, 0)}

    def wait_for(self, meanwhile=lambda: None, **expected):
        """Waits until counters (dashes written as underscores) have grown by at least this much, and returns all. Calls
        meanwhile() before each look."""
        wanted = {name.replace("_", "-"): value for name, value in expected.items()}
        deadline = time.monotonic() + 20
        while True:
            meanwhile()
            grown = self.now()
            if all(grown.get(name, 0) >= value for name, value in wanted.items()):
                return grown
            assert time.monotonic() < deadline, f"wanted {wanted}, got {grown}"
            time.sleep(0.05)


def write_cluster(folder, text=CLUSTER, name="cluster.yaml"):
    path = pathlib.Path(folder) / name
    path.write_text(text.format(folder=folder), encoding="utf-8")
    return path


@contextlib.contextmanager
def namespace(name):
    """The calling thread, and what it starts, is in a new network namespace in which only loopback is up."""
    if netns.exists(name):
        subprocess.run(["ip", "netns", "delete", name], check=True)
    netns.ip_batch(None, [f"netns add {name}"])
    try:
        netns.ip_batch(name, ["link set lo up", "address add 198.18.0.10/32 dev lo"])
        with netns.entered(name):
            yield
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
