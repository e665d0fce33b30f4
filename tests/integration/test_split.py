"""Only the inter-chassis link fails: both members are masters, sessions begin through both, and after it heals all live.

The merge is described in docs/replication.md. Here the neighbours send to one master first and then to the other one, so
that each of them sets up sessions that the other one cannot know."""

import os
import re
import signal

from lab.netlab import CHASSIS, SERVER, wait_until

FLOWS = 20  # of each program
# Asks the echo server from COUNT sockets ten times a second, and says after each round how many of them had an answer.
ASKER = r"""
import json, socket, sys, time
first, count, server = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
asking = []
for i in range(count):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("", first + i))
    one.connect((server, 7))
    one.setblocking(False)
    asking.append(one)
while True:
    for one in asking:
        one.send(b"%-16d" % time.monotonic_ns())
    time.sleep(0.1)
    answered = 0
    for one in asking:
        got = 0
        try:
            while one.recv(100):
                got = 1
        except BlockingIOError:
            pass
        answered += got
    print(json.dumps(answered), flush=True)
"""


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


def is_master(lab, chassis):
    """Asks the chassis itself, because nobody else reaches it while its link is cut."""
    icr = os.path.join(lab.programs, "icr")
    shown = lab.run(chassis, icr, "--cluster", lab.cluster_file, "--chassis", chassis,
                    *"show services redundancy-group brief".split(), check=False)  # fmt: skip
    return ": state MASTER," in shown.stdout


class Asker:
    """UDP flows of one program in the client's namespace."""

    def __init__(self, lab, name, first_port):
        self.lab, self.name = lab, name
        lab.start(name, "client", "python3", "-c", ASKER, first_port, FLOWS, SERVER, stdout="out")

    def rounds(self):
        with open(self.lab.processes.output_file(self.name), encoding="ascii") as out:
            return [int(line) for line in out if line.endswith("\n")]

    def wait_for_all(self, timeout, what):
        """Waits for a round that begins after this call and in which every flow is answered."""
        seen = len(self.rounds()) + 1
        wait_until(lambda: FLOWS in self.rounds()[seen:], timeout, f"{self.name}: {what}")


def pin(lab, chassis):
    """Makes the neighbours send to this chassis, whatever is announced."""
    for place, interface, gateway in (("client", "inside0", "198.18.0.1"), ("server", "outside0", "198.19.0.1")):
        mac = lab.run(chassis, "cat", f"/sys/class/net/{interface}/address").stdout.strip()
        lab.run(place, "ip", "neigh", "replace", gateway, "lladdr", mac, "dev", "eth0", "nud", "permanent")


def unpin(lab):
    for place, gateway in (("client", "198.18.0.1"), ("server", "198.19.0.1")):
        lab.run(place, "ip", "neigh", "delete", gateway, "dev", "eth0")


def test_what_both_masters_set_up_while_only_their_link_was_cut_lives_on_after_the_merge(lab, work):
    work.start_download(size=40_000_000, seconds=10)
    old, new = lab.master(), other(lab.master())
    before = Asker(lab, "asked-before", 20000)
    before.wait_for_all(5, "answers before the cut")

    pin(lab, old)
    lab.pull_cables(old, ["icl"])
    wait_until(lambda: is_master(lab, new), 5, "the member that hears nothing to be master")
    assert is_master(lab, old), "nothing told the old master to stop"
    at_old = Asker(lab, "asked-at-old", 21000)
    at_old.wait_for_all(5, "answers through the old master")

    # What it asks would make sessions of the same flows at the new master.
    lab.processes.signal(at_old.name, signal.SIGSTOP)
    pin(lab, new)
    at_new = Asker(lab, "asked-at-new", 22000)
    at_new.wait_for_all(5, "answers through the new master")
    before.wait_for_all(5, "the new master has the sessions of before the cut")
    assert is_master(lab, old) and is_master(lab, new)

    lab.pull_cables(old, ["icl"], "up")
    told = wait_until(lambda: re.search(r"the master has taken over .*", lab.log_tail(old, 100)), 10, "the merge").group()
    taken = {what: int(number) for what, number in re.findall(r"(\S+)=(\d+)", told)}
    assert taken["taken-over"] >= FLOWS and taken["refused"] == 0, told
    unpin(lab)
    lab.processes.signal(at_old.name, signal.SIGCONT)
    for asker in (before, at_old, at_new):
        asker.wait_for_all(5, "every flow answered after the merge")
    assert lab.wait_for_redundancy(10) == (new, old), "the master of the higher term stays"
    counters = lab.card_counters(new)
    assert counters["merge-created"] == taken["taken-over"]
    result = work.wait_for_download()
    assert result["checksum_ok"] and result["connections"] == 1 and len(work.http_peers()) == 1
    # Each flow has kept its translation: the server saw 20 clients of each program, and no more.
    assert len(work.echo_peers()) == 3 * FLOWS
