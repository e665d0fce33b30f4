#!/usr/bin/env python3
"""Benchmark replication.busy: a pair of chassis on a machine where other programs compute.

Client and server in network namespaces, 20,000 TCP and 20,000 UDP flows through the pair, 10,000 messages a second in
all, and beside them busy processes (`while :; do :; done`). The traffic programs run at real-time priority above
everything else, so that they measure the pair and not their own hunger. Variants, one after the other:

    icr         heartbeats of 3 x 20 ms, real-time scheduling as by default
    unprivileged  the same without the right to it: no CAP_SYS_NICE, no CAP_IPC_LOCK, no limits
    kill        SIGKILL of the master in that load
    silent-kill  the master's machine dies in that load: its cables are pulled and it is killed, so no connection is closed
    compose     heartbeats of 3 x 20 ms, the chassis as containers of docker-compose.yml
    compose-kill  `docker kill` of the master in that load
    quiet-kill  SIGKILL of the master with nothing beside
    conntrackd  Linux connection tracking with conntrackd and keepalived, VRRP 3 x 10 ms (lab/conntrackd_pair.py)
    conntrackd-kill  the master of that pair dies in that load

Results are named replication.busy.VARIANT.WHAT; those of `icr` have no VARIANT.
"""

import argparse
import os
import re
import resource
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab.containers import ContainerLab  # noqa: E402
from lab.conntrackd_pair import ConntrackdPair  # noqa: E402
from lab.netlab import CHASSIS, SERVER, Lab, LabError, wait_until  # noqa: E402

NAME = "replication.busy"
PORT = 8100  # nothing else listens there; it becomes part of `web` of the cluster file
VARIANTS = (
    *("icr", "unprivileged", "kill", "silent-kill", "quiet-kill"),
    *("compose", "compose-kill", "conntrackd", "conntrackd-kill"),
)
TELLING = re.compile("drop|refuse|invalid|overload|absence|not-master|no-session|rests")  # counters
WITHOUT_RIGHTS = (
    *("setpriv", "--bounding-set", "-sys_nice,-ipc_lock", "--inh-caps", "-sys_nice,-ipc_lock"),
    *("prlimit", "--rtprio=0", "--nice=0", "--memlock=65536"),
)


class IcrPair:
    """The lab of namespaces with a pair of chassis."""

    def __init__(self, prefix, interval, count, before=(), silent=False):
        """With `silent`, a kill of the master is the death of its machine: no closed connection tells the peer."""
        self.lab = Lab(prefix)
        self._timing = (interval, count)
        self._before = before
        self._silent = silent

    def up(self):
        self.lab.up()
        self._set_timing()
        for name in CHASSIS:
            self.lab.start_chassis(name, before=self._before)
        self.lab.wait_for_redundancy()

    def _set_timing(self):
        interval, count = self._timing
        self.lab.change_cluster_file(r"(heartbeat-interval:\s*)\d+", rf"\g<1>{interval}")
        self.lab.change_cluster_file(r"(heartbeat-count:\s*)\d+", rf"\g<1>{count}")
        self.lab.change_cluster_file(r"destination-port: 8000,", f"destination-port: {PORT}-{PORT + 9},")

    def kill_master(self):
        """Returns the time of the kill (ns of the monotonic clock)."""
        master = self.lab.master()
        now = time.monotonic_ns()
        if self._silent:
            self.lab.pull_cables(master)
        self.lab.processes.signal(master, signal.SIGKILL)
        return now

    def takeovers(self):
        """Returns the number of changes of mastership so far, according to both logs."""
        return sum(" role=MASTER " in line for line in self._role_lines())

    def _role_lines(self):
        lines = []
        for name in CHASSIS:
            text = self.lab.log_text(name).splitlines(True)
            lines += [line for line in text if " role: " in line or " detector: " in line]
        return sorted(lines)

    def notes(self):
        """Returns what a person wants to know in addition to the figures."""
        shown = self.lab.icr("show services redundancy-group extensive", accept=None).stdout
        notes = sorted(set(re.findall(r"^   Scheduling: .*$", shown, re.MULTILINE))) + self._role_lines()
        for name in CHASSIS:
            if not self.lab.chassis_runs(name):
                continue
            counters = self.lab.card_counters(name).items()
            drops = [f"{what}={n}" for what, n in counters if n and TELLING.search(what)]
            notes.append(f"{name}: {' '.join(drops)}")
        return notes


class ComposePair(IcrPair):
    """The lab of docker-compose.yml. The busy processes compete with the containers from outside."""

    def __init__(self, prefix, interval, count):
        super().__init__(prefix, interval, count)
        self.lab = ContainerLab(prefix)

    def up(self):
        self.lab.up()
        self._set_timing()
        self.lab.start_containers()
        self.lab.wait_for_redundancy(60)

    def kill_master(self):
        master = self.lab.master()
        now = time.monotonic_ns()
        self.lab.kill_chassis(master)
        return now


class Traffic:
    """Servers and senders: as many processes as it takes to stay below the limit of descriptors of one."""

    def __init__(self, lab, options):
        self.lab = lab
        self.seconds = options.seconds
        self._program = os.path.join(lab.programs, "icr_many_flows")
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        flows = options.tcp + options.udp
        self.count = 1 if limit == resource.RLIM_INFINITY else -(-flows // (limit - 100))
        share = [[total // self.count + (i < total % self.count) for i in range(self.count)]
                 for total in (options.tcp, options.udp, options.rate)]  # fmt: skip
        self._shares = list(zip(*share))

    def start(self):
        """Returns when every flow has been answered once."""
        for i, share in enumerate(self._shares):
            self.lab.start(f"many-server{i}", "server", self._program, "serve", SERVER, PORT + i, stdout="out")
        wait_until(lambda: self._all_say("many-server", "listening"), 10, "the echo servers to listen")
        for i, share in enumerate(self._shares):
            arguments = ["send", SERVER, PORT + i, *share, self.seconds]
            self.lab.start(f"many-client{i}", "client", self._program, *arguments, stdout="out")
        wait_until(lambda: self._all_say("many-client", "ready"), 150, "all flows to be set up")

    def _all_say(self, name, word):
        for i in range(self.count):
            if word in self._output(f"{name}{i}"):
                continue
            if self.lab.processes.pid(f"{name}{i}") is None:
                raise LabError(f"{name}{i} ended: {self.lab.log_tail(f'{name}{i}')}")
            return False
        return True

    def _output(self, name):
        with open(self.lab.processes.output_file(name), encoding="utf-8") as out:
            return out.read()

    def tell_cut(self):
        for i in range(self.count):
            self.lab.processes.signal(f"many-client{i}", signal.SIGUSR2)

    def wait_for_the_end_of_the_load(self):
        wait_until(lambda: self._all_say("many-client", "over"), self.seconds + 60, "the end of the load")

    def results(self):
        """Asks all flows whether they live. Returns {name: number}: sums over the programs, and of times the longest."""
        for i in range(self.count):
            self.lab.processes.signal(f"many-client{i}", signal.SIGUSR1)
        for i in range(self.count):
            if self.lab.processes.wait(f"many-client{i}", 200) != 0:
                raise LabError(f"the sender failed: {self.lab.log_tail(f'many-client{i}')}")
            self.lab.processes.end(f"many-server{i}")
        out = {}
        for i in range(self.count):
            text = self._output(f"many-client{i}") + self._output(f"many-server{i}")
            for name, value in re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE):
                worst = name.startswith(("latency", "longest", "path"))
                out[name] = max(out.get(name, 0), int(value)) if worst else out.get(name, 0) + int(value)
        return out


def measure(pair, options, busy, kill):
    """Measures one run through a pair that is up. Returns {what: (value, unit)}."""
    lab = pair.lab
    traffic = Traffic(lab, options)
    at_first = pair.takeovers()
    traffic.start()
    before = pair.takeovers()
    killed = None
    try:
        for number in range(busy):
            lab.start(f"busy{number}", "switch", "bash", "-c", "while :; do :; done")
        if kill:
            time.sleep(options.seconds / 3)
            killed = pair.kill_master()
            traffic.tell_cut()
        traffic.wait_for_the_end_of_the_load()
    finally:
        for number in range(busy):
            lab.processes.end(f"busy{number}")
    notes = pair.notes()  # before the senders close all their connections at once
    seen = traffic.results()
    takeovers = pair.takeovers() - before
    moment = seen.pop("path_back_ns")  # on the machine's clock, so it tells nothing by itself
    path_back = None if killed is None else (moment - killed) / 1e6
    lines = [f"{name} {value}" for name, value in seen.items()]
    for line in [*lines, f"path_back_ms {'-' if path_back is None else path_back}", *notes]:
        print(f"   {line.strip()}", flush=True, file=sys.stderr)
    results = {
        "set_up_takeovers": (before - at_first, "takeovers"),
        "takeovers": (takeovers, "takeovers"),
        "messages": (seen["messages"], "messages"),
        "late_permille": (1000 * seen["late"] / seen["messages"], "permille"),
        "lost": (seen["lost"], "messages"),
        "dead_flows": (seen["dead_flows"], "flows"),
        "mappings_changed": (seen["mappings_changed"], "flows"),
        "latency_p99": (seen["latency_p99_us"] / 1000, "ms"),
        "longest_silence": (seen["longest_silence_us"] / 1000, "ms"),
    }
    if killed is not None:
        # Messages to a dead machine are lost with any pair. Other losses are faults of the pair.
        results["lost"] = (seen["lost"] - seen["lost_in_outage"], "messages")
        results["lost_in_outage"] = (seen["lost_in_outage"], "messages")
        results["path_back"] = (path_back, "ms")
    return results


def make_pair(variant, options):
    if variant.startswith("conntrackd"):
        return ConntrackdPair(options.prefix)
    if variant.startswith("compose"):
        return ComposePair(options.prefix, options.interval, options.count)
    before = WITHOUT_RIGHTS if variant == "unprivileged" else ()
    return IcrPair(options.prefix, options.interval, options.count, before, silent=variant == "silent-kill")


def run(variant, options):
    pair = make_pair(variant, options)
    try:
        pair.up()
        return measure(pair, options, 0 if variant.startswith("quiet") else options.busy, variant.endswith("kill"))
    finally:
        pair.lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="may be repeated; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="length of each run")
    parser.add_argument("--busy", type=int, default=4, help="processes that only compute")
    parser.add_argument("--tcp", type=int, default=20_000)
    parser.add_argument("--udp", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second, of all flows together")
    parser.add_argument("--interval", type=int, default=20, help="of icr's heartbeats, in ms")
    parser.add_argument("--count", type=int, default=3, help="of icr's heartbeats")
    parser.add_argument("--prefix", default="icrbusy", help="name of the lab")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench_busy: ended by SIGTERM"))  # an exit by exception removes the lab
    for variant in options.variant or VARIANTS:
        name = NAME if variant == "icr" else f"{NAME}.{variant.replace('-', '_')}"
        for what, (value, unit) in run(variant, options).items():
            print(f"{name}.{what} {value:.6g} {unit}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"bench_busy: {error}")
