#!/usr/bin/env python3
"""The lab: two chassis, a client and a server as network namespaces of this machine (docs/lab.md has the picture).

    lab/netlab.py up           makes namespaces, links and addresses, and starts the chassis
    lab/netlab.py down         ends what the lab started and removes all of it
    lab/netlab.py status       says what there is
    lab/netlab.py start NAME   starts a chassis that was stopped or killed
    lab/netlab.py stop NAME    stops a chassis in good order (SIGTERM)
    lab/netlab.py kill NAME    kills a chassis (SIGKILL)

Nothing of it touches the machine's own network: the switches are bridges in a namespace of their own, from which the
operator's questions are asked, too (lab/icr). Several labs live side by side under different prefixes (--prefix).
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from lab import netns  # noqa: E402
from lab.processes import Processes  # noqa: E402

CHASSIS = {"left": 2, "right": 3}  # last number of a chassis' own addresses on the inside and outside networks
SPARE = {"spare": 4}  # the same of a third chassis, which is there for cluster files that name it
PLACES = ("switch", "left", "right", "client", "server")  # each is a namespace PREFIX-PLACE

CLIENT, CLIENT_V6 = "198.18.0.10", "2001:db8:18::10"
SERVER, SERVER_V6 = "198.19.0.10", "2001:db8:19::10"
SINK = "198.19.0.11"  # where the session generator sends to

# What the cluster file's interfaces lead to: (inside interface, its network, outside interface, its network, NAT pool).
# The second pair is there for cluster files that name it. A network's hosts are its first three numbers and .1 (the
# cluster), .2 to .4 (the chassis), .10 (client or server).
PAIRS = (
    ("inside0", "198.18.0", "2001:db8:18:", "outside0", "198.19.0", "2001:db8:19:", "203.0.113.0/28"),
    ("inside1", "198.18.1", "2001:db8:118:", "outside1", "198.19.1", "2001:db8:119:", "203.0.113.16/28"),
)
SECOND_SERVER = "198.19.1.10"
# The inter-chassis networks: (the switch's name of it, the chassis' interface, its network). The second one is there for
# cluster files that name it.
INTER_CHASSIS = (("icl", "icl0", "198.51.100"), ("icl-b", "icl1", "192.0.2"))
OPERATOR = "198.51.100.254"  # the switch namespace on the first inter-chassis network

# What inside hosts are called outside with NPTv6 (cluster-configs/nptv6.yaml).
NPTV6_PREFIX = "2001:db8:99::/64"

DEFAULT_CLUSTER = os.path.join(ROOT, "cluster-configs", "two-chassis.yaml")


class LabError(Exception):
    """Something is not as the lab promises; the message says what, for a person."""


def make_folder(folder):
    """Makes a folder and its parents, also while another lab removes folders that it leaves empty (Lab.down)."""
    while True:
        try:
            os.makedirs(folder, exist_ok=True)
            return
        except FileNotFoundError:  # another lab has just removed its parent
            continue


def wait_until(condition, timeout, what, interval=0.02):
    """Calls condition() until it is true (and returns what it returned); LabError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout} s in vain for: {what}")
        time.sleep(interval)


ROLES = ("initializing", "claiming", "master", "standby", "-")  # "-": not known
WARNED = " (warned)"  # follows a role: the member should not become master without need


class Role:
    """One member of a redundancy set as `show services redundancy-group` tells it: its role, whether it is warned, and
    the state of its copy of the sessions."""

    def __init__(self, chassis, told):
        self.chassis, self.state, self.warned = chassis, "", told.endswith(WARNED)
        self.role = told.removesuffix(WARNED)
        if self.role not in ROLES:
            raise LabError(f"chassis {chassis} is in a state that the lab does not know: '{told}'")

    def __repr__(self):
        return f"{self.chassis}: {self.role}{WARNED if self.warned else ''} {self.state}"


class Lab:
    def __init__(self, prefix="icr", cluster=DEFAULT_CLUSTER, build=None):
        if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", prefix):
            raise LabError(f"a prefix is one to eight lower-case letters and digits, not '{prefix}'")
        self.prefix = prefix
        self.source = cluster
        self.folder = f"/run/icr-lab/{prefix}"
        self.data = f"/var/lib/icr-lab/{prefix}"
        self.cluster_file = os.path.join(self.folder, "cluster.yaml")
        self.programs = os.path.join(build or os.path.join(ROOT, "build", "release"), "bin")
        self.processes = Processes(self.folder)
        self._cluster_text = ""
        if os.path.exists(self.cluster_file):  # another program made the lab
            with open(self.cluster_file, encoding="utf-8") as file:
                self._cluster_text = file.read()

    # --- the network -------------------------------------------------------------------------------------------------

    def namespace(self, place):
        return f"{self.prefix}-{place}"

    def up(self):
        """Makes the network, from nothing: what an earlier lab of this prefix left is removed first."""
        self.down()
        for folder in (self.folder, self.data):
            make_folder(folder)
        self._write_cluster_file()
        netns.ip_batch(None, [f"netns add {self.namespace(place)}" for place in self.places()])
        for place in self.places():
            self._set_kernel_values(place)
        pairs = self._pairs()
        switch = self.namespace("switch")
        lines = ["link set lo up"]
        for network in self.networks():
            lines += [f"link add {network} type bridge forward_delay 0", f"link set {network} up"]
        lines.append(f"address add {OPERATOR}/24 dev icl")
        netns.ip_batch(switch, lines)
        for number, (name, host) in enumerate(self.chassis().items(), start=1):
            for inside, net, net6, outside, far, far6, _ in pairs:
                self._plug(name, inside, inside, [f"{net}.{host}/24", f"{net6}:{host}/64"])
                self._plug(name, outside, outside, [f"{far}.{host}/24", f"{far6}:{host}/64"])
            for network, interface, net in self._inter_chassis():
                self._plug(name, interface, network, [f"{net}.{number}/24"])
        for number, (inside, net, net6, outside, far, far6, pool) in enumerate(pairs):
            sink = [f"{SINK}/24"] if number == 0 else []
            self._plug("client", f"eth{number}", inside, [f"{net}.10/24", f"{net6}:10/64"])
            self._plug("server", f"eth{number}", outside, [f"{far}.10/24", *sink, f"{far6}:10/64"])
            target, target6 = ("default", "default") if number == 0 else (f"{far}.0/24", f"{far6}:/64")
            netns.ip_batch(self.namespace("client"), [f"route add {target} via {net}.1", f"route add {target6} via {net6}:1"])
            translated6 = [f"route add {NPTV6_PREFIX} via {far6}:1"] if number == 0 else []
            netns.ip_batch(
                self.namespace("server"),
                [f"route add {pool} via {far}.1", f"route add {net6}:/64 via {far6}:1", *translated6],
            )

    def chassis(self):
        """Returns the chassis of the lab: {name: last number of its own addresses}."""
        return {**CHASSIS, **SPARE} if re.search(r"\bname: spare\b", self._cluster_text) else CHASSIS

    def places(self):
        return PLACES + tuple(name for name in self.chassis() if name not in PLACES)

    def networks(self):
        """Returns the switch's names of all networks, those between the chassis first."""
        return [each[0] for each in self._inter_chassis()] + [name for pair in self._pairs() for name in (pair[0], pair[3])]

    def _inter_chassis(self):
        return [each for each in INTER_CHASSIS if each[0] == "icl" or f"address: {each[2]}." in self._cluster_text]

    def _pairs(self):
        return PAIRS[: 2 if "inside1" in self._cluster_text else 1]

    def _set_kernel_values(self, place):
        values = {}
        for scope in ("all", "default"):
            values[f"ipv6/conf/{scope}/accept_dad"] = 0
            values[f"ipv6/conf/{scope}/accept_ra"] = 0
            values[f"ipv4/conf/{scope}/rp_filter"] = 0
        if place in self.chassis():
            values["ipv4/ip_forward"] = 1
            values["ipv6/conf/all/forwarding"] = 1
        netns.set_kernel_values(self.namespace(place), values)

    def _plug(self, place, interface, network, addresses):
        """A cable from a place to a switch."""
        port = f"{place}-{network}"
        netns.ip_batch(
            None,
            [
                f"link add {port} netns {self.namespace('switch')} type veth"
                f" peer name {interface} netns {self.namespace(place)}"
            ],
        )
        netns.ip_batch(self.namespace("switch"), [f"link set {port} master {network} up"])
        lines = ["link set lo up", f"link set {interface} up"]
        lines += [f"address add {address} dev {interface}" + (" nodad" if ":" in address else "") for address in addresses]
        netns.ip_batch(self.namespace(place), lines)

    def _write_cluster_file(self):
        """The cluster file with data folders of this lab's own, so that labs do not share checkpoints."""
        with open(self.source, encoding="utf-8") as source:
            text = source.read()
        self._cluster_text = re.sub(r"(data-folder:\s*)\S*/([\w-]+)", rf"\g<1>{self.data}/\g<2>", text)
        with open(self.cluster_file, "w", encoding="utf-8") as out:
            out.write(self._cluster_text)

    def make_keys(self):
        """Makes keys for the chassis, and one for the lab's own questions, unless the cluster file says something of them.
        Programs find them beside that file."""
        if re.search(r"(?m)^security:|public-keys:", self._cluster_text):
            return
        command = [os.path.join(self.programs, "icr"), "keys", "generate", self.cluster_file]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise LabError(f"no keys can be made: {done.stderr}")
        with open(self.cluster_file, encoding="utf-8") as file:
            self._cluster_text = file.read()

    def change_cluster_file(self, pattern, replacement):
        """Changes the cluster file that the chassis of this lab will read. Raises LabError if there is nothing to change."""
        self._cluster_text = self._changed(pattern, replacement)
        with open(self.cluster_file, "w", encoding="utf-8") as out:
            out.write(self._cluster_text)

    def _changed(self, pattern, replacement):
        text, count = re.subn(pattern, replacement, self._cluster_text)
        if count == 0:
            raise LabError(f"nothing in the cluster file is like '{pattern}'")
        return text

    def down(self):
        """Ends the lab's processes, removes its namespaces and folders. Nothing happens if there is no lab."""
        self.processes.end_all()
        for place in (*PLACES, *SPARE):
            if netns.exists(self.namespace(place)):
                subprocess.run(["ip", "netns", "delete", self.namespace(place)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        for parent in (os.path.dirname(self.folder), os.path.dirname(self.data)):
            with contextlib.suppress(OSError):  # another lab lives there, or there never was one
                os.rmdir(parent)

    def is_up(self):
        return all(netns.exists(self.namespace(place)) for place in self.places())

    # --- programs ----------------------------------------------------------------------------------------------------

    def command_in(self, place, command):
        return ["ip", "netns", "exec", self.namespace(place), *[str(word) for word in command]]

    def run(self, place, *command, timeout=30, check=True):
        """Gives a command in a namespace and waits for its end."""
        done = subprocess.run(self.command_in(place, command), text=True, capture_output=True, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise LabError(
                f"{place}: '{' '.join(map(str, command))}' ended with {done.returncode}:\n{done.stderr}{done.stdout}"
            )
        return done

    def start(self, name, place, *command, **options):
        """Starts a process of the lab in a namespace; `name` stands for it from now on."""
        return self.processes.start(name, self.command_in(place, command), **options)

    def start_tool(self, name, place, tool, *arguments, **options):
        """Starts one of lab/traffic's programs."""
        return self.start(name, place, sys.executable, os.path.join(ROOT, "lab", "traffic", tool), *arguments, **options)

    # --- chassis -----------------------------------------------------------------------------------------------------

    def start_chassis(self, name, wait=True, log_level="info", before=()):
        """Starts icrd, and with `wait` waits until it serves. `before` is a command that runs it (setpriv, ...)."""
        self.make_keys()
        log = self.processes.log_file(name)
        seen = os.path.getsize(log) if os.path.exists(log) else 0
        icrd = os.path.join(self.programs, "icrd")
        self.start(name, name, *before, icrd, "--cluster", self.cluster_file, "--chassis", name, "--log-level", log_level)

        def ready():
            if self.processes.pid(name) is None:
                raise LabError(f"chassis {name} ended before it was ready; its log, {log}, ends:\n{self.log_tail(name)}")
            with open(log, "rb") as text:
                text.seek(seen)
                return b"chassis ready" in text.read()

        if wait:
            wait_until(ready, 20, f"chassis {name} to be ready (its log is {log})")

    def kill_chassis(self, name, number=signal.SIGKILL):
        """Ends icrd at once, as a crash does. Returns the time (time.monotonic()) just before the signal."""
        moment = time.monotonic()
        self.processes.signal(name, number)
        self.processes.wait(name, 10)
        return moment

    def pull_cables(self, name, networks=None, state="down"):
        """Pulls the cables of a chassis out of their switches at once, all or those of `networks`; "up" plugs them in."""
        if networks is None:
            # The links to the peer come first: over them the chassis would hand over when it misses the others.
            networks = self.networks()
        netns.ip_batch(self.namespace("switch"), [f"link set {name}-{network} {state}" for network in networks])

    def stop_chassis(self, name):
        """SIGTERM: icrd drains, writes a last checkpoint and ends. Returns its exit code."""
        return self.processes.end(name, timeout=20)

    def chassis_runs(self, name):
        return self.processes.pid(name) is not None

    def log_text(self, name):
        """Everything that a chassis has logged."""
        with open(self.processes.log_file(name), encoding="utf-8", errors="replace") as text:
            return text.read()

    def log_tail(self, name, lines=15):
        try:
            return "".join(self.log_text(name).splitlines(True)[-lines:])
        except FileNotFoundError:
            return "(no log)\n"

    # --- questions to the cluster ------------------------------------------------------------------------------------

    def icr(self, *words, chassis=None, accept=(0,), timeout=30):
        """Asks the cluster. Words may hold several words: icr("show services sessions", "count").

        Exit codes that are not in `accept` are a LabError; 3 says that some chassis did not answer.
        """
        command = [os.path.join(self.programs, "icr"), "--cluster", self.cluster_file]
        if chassis:
            command += ["--chassis", chassis]
        for part in words:
            command += part.split()
        done = self.run("switch", *command, check=False, timeout=timeout)
        if accept is not None and done.returncode not in accept:
            raise LabError(f"'{' '.join(words)}' ended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done

    def roles(self, set_name="rs1"):
        """{chassis: Role} of a redundancy set, from whoever answers."""
        answer = self.icr("show services redundancy-group brief", accept=None)
        return parse_roles(answer.stdout, set_name)

    def redundancy_sets(self):
        """Returns the names of the redundancy sets, in the order in which a chassis tells them."""
        answer = self.icr("show services redundancy-group brief", accept=None)
        return list(dict.fromkeys(re.findall(r"(?m)^\s+Redundancy set: (\S+),", answer.stdout)))

    def master(self, set_name="rs1"):
        """Name of the one master, or None while there is none (or more than one)."""
        masters = [role.chassis for role in self.roles(set_name).values() if role.role == "master"]
        return masters[0] if len(masters) == 1 else None

    def wait_for_redundancy(self, timeout=30, set_name="rs1"):
        """Waits until one member is master and the other hot standby. Returns (master, standby)."""

        def settled():
            roles = self.roles(set_name)
            masters = [name for name, role in roles.items() if role.role == "master"]
            standbys = [name for name, role in roles.items() if role.role == "standby" and role.state == "hot"]
            return (masters[0], standbys[0]) if len(masters) == 1 and len(standbys) == 1 else None

        try:
            return wait_until(settled, timeout, "one master and one hot standby", interval=0.05)
        except LabError as late:
            answer = self.icr("show services redundancy-group extensive", accept=None)
            logs = "".join(f"--- {name}\n{self.log_tail(name)}" for name in self.chassis())
            raise LabError(f"{late}\n{answer.stdout}{answer.stderr}{logs}") from None

    def card_counters(self, chassis):
        """{name: sum over the chassis' cards and service sets} of all named counters of a chassis."""
        shown = self.icr("show services service-sets statistics packet-drops extensive", chassis=chassis, accept=(0, 3))
        totals = {}
        for name, value in re.findall(r"^  (\S+) +(\d+)$", shown.stdout, re.MULTILINE):
            totals[name] = totals.get(name, 0) + int(value)
        return totals

    def session_count(self, chassis=None):
        """Sum of `show services sessions count`: of the cluster (each session once), or as one chassis tells it."""
        return parse_count(self.icr("show services sessions count", chassis=chassis, accept=(0, 3)).stdout)


def parse_count(text):
    """Sum over the rows of `show services sessions count`: a card, a service set, one or four numbers."""
    rows = (line.split() for line in text.splitlines() if re.match(r"v?ms-\d+/\d+/\d+\s", line))
    return sum(int(number) for row in rows for number in row[2:])


def parse_roles(text, set_name):
    """{chassis: Role} out of `show services redundancy-group brief`: a block per chassis, in it one per set."""
    roles, chassis, state, in_set = {}, None, None, False
    for line in text.splitlines():
        if match := re.match(r"Chassis: (\S+)", line):
            chassis = match.group(1)
        elif match := re.match(r"RG-ID \d+, RS-ID \d+: state (.+?), peer ", line):
            state = match.group(1).lower()
        elif match := re.match(r"\s+Redundancy set: (\S+),", line):
            in_set = match.group(1) == set_name
            if in_set:
                roles[chassis] = Role(chassis, state)
        elif (match := re.match(r"\s+Service set \S+: stateful sync (\S+)", line)) and in_set:
            roles[chassis].state = match.group(1).lower()
    return roles


def main():
    parser = argparse.ArgumentParser(description="The lab in network namespaces.")
    parser.add_argument("action", choices=("up", "down", "status", "start", "stop", "kill"))
    parser.add_argument("chassis", nargs="?", choices=(*CHASSIS, *SPARE), help="for start, stop and kill")
    parser.add_argument(
        "--prefix",
        default=os.environ.get("ICR_LAB", "icr"),
        help="name of the lab; its namespaces are PREFIX-client, ...",
    )
    parser.add_argument("--cluster", default=DEFAULT_CLUSTER, help="cluster file")
    parser.add_argument("--network-only", action="store_true", help="up: start no chassis")
    options = parser.parse_args()
    lab = Lab(options.prefix, options.cluster)
    if os.geteuid() != 0:  # network namespaces are root's
        os.execvp("sudo", ["sudo", "--", sys.executable, *sys.argv])
    if options.action == "up":
        lab.up()
        if not options.network_only:
            for name in lab.chassis():
                lab.start_chassis(name)
            for name in lab.redundancy_sets():
                print("{}: master {}, hot standby {}".format(name, *lab.wait_for_redundancy(set_name=name)))
    elif options.action == "down":
        lab.down()
    elif options.action in ("start", "stop", "kill"):
        if not options.chassis:
            parser.error(f"{options.action}: which chassis? {' or '.join(lab.chassis())}")
        {"start": lab.start_chassis, "stop": lab.stop_chassis, "kill": lab.kill_chassis}[options.action](options.chassis)
    else:
        for place in lab.places():
            print(f"{lab.namespace(place):16} {'up' if netns.exists(lab.namespace(place)) else 'absent'}")
        for name in lab.processes.names():
            print(f"{name:16} {lab.processes.pid(name) or 'ended'}")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"lab: {error}")
