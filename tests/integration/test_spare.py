"""Two chassis that work and one that stands by for both (2+1): the spare carries either redundancy set, and both."""

import re

import pytest

from lab.netlab import SECOND_SERVER, SERVER, wait_until

pytestmark = pytest.mark.cluster("three-chassis.yaml")
OWNERS = {"rs1": "left", "rs2": "right"}
SERVERS = {"rs1": SERVER, "rs2": SECOND_SERVER}


@pytest.fixture
def spare(network):
    """All chassis run, and the spare is the hot standby of both redundancy sets."""
    for name in network.chassis():
        network.start_chassis(name)
    for set_name, owner in OWNERS.items():
        assert network.wait_for_redundancy(set_name=set_name) == (owner, "spare")
    return network


class Pings:
    """A ping through each redundancy set, all the time."""

    def __init__(self, lab):
        self.lab = lab
        for name, server in SERVERS.items():
            lab.start(f"ping-{name}", "client", "ping", "-n", "-D", "-i", "0.05", server, stdout="out")
        self.wait_for_answers("the first pings")

    def answers(self, name):
        with open(self.lab.processes.output_file(f"ping-{name}"), encoding="utf-8", errors="replace") as text:
            return [float(at) for at in re.findall(r"(?m)^\[(\d+\.\d+)\] \d+ bytes from", text.read())]

    def wait_for_answers(self, what):
        """Waits until pings through each redundancy set are answered from now on."""
        before = {name: len(self.answers(name)) for name in SERVERS}
        wait_until(lambda: all(len(self.answers(name)) >= before[name] + 3 for name in SERVERS), 10, what)

    def longest_gap(self, name):
        at = self.answers(name)
        return max(later - earlier for earlier, later in zip(at, at[1:]))


def masters(lab):
    return {name: lab.master(name) for name in OWNERS}


def test_the_spare_takes_over_from_one_chassis_and_from_both_and_gives_back(spare, work):
    pings = Pings(spare)
    peers = {}
    for name, server in SERVERS.items():
        spare.start(f"connection-{name}", "client", "curl", "-sS", "-o", "/dev/null", "--limit-rate", "200k",
                    f"http://{server}:8000/download?size=200000000", stdout="out")  # fmt: skip
        peers[name] = wait_until(lambda: len(work.http_peers()) > len(peers) and work.http_peers()[-1], 10, "a download")
    wait_until(lambda: spare.session_count("spare") >= 4, 10, "the spare to have the sessions of both")

    spare.kill_chassis("left")
    wait_until(lambda: masters(spare) == {"rs1": "spare", "rs2": "right"}, 10, "the spare to be master of rs1")
    pings.wait_for_answers("pings through the spare and through right")
    spare.kill_chassis("right")
    wait_until(lambda: masters(spare) == {"rs1": "spare", "rs2": "spare"}, 10, "the spare to be master of both")
    pings.wait_for_answers("pings through the spare alone")
    assert spare.session_count() >= 4 and all(spare.processes.pid(f"connection-{name}") for name in OWNERS)

    # Each comes back, becomes hot, and is master again by preempt. The other redundancy set does not notice.
    for name, owner in OWNERS.items():
        spare.start_chassis(owner)
        wait_until(lambda: spare.master(name) == owner, 30, f"{owner} to be master of {name} again")
        assert spare.wait_for_redundancy(set_name=name) == (owner, "spare")
        pings.wait_for_answers("pings after a chassis came back")
    assert masters(spare) == OWNERS
    # The connections have lived through all of it, under the ports with which they began.
    assert all(spare.processes.pid(f"connection-{name}") for name in OWNERS)
    assert set(work.http_peers()) == set(peers.values())
    gaps = {name: pings.longest_gap(name) for name in OWNERS}
    print("longest gaps of the pings:", gaps)
    assert max(gaps.values()) < 2, gaps
    for name in ("left", "right", "spare"):
        assert spare.card_counters(name).get("audits-failed", 0) == 0


def test_the_death_of_the_spare_disturbs_nobody(spare, work):
    pings = Pings(spare)
    spare.kill_chassis("spare")
    wait_until(lambda: "no standby is left" in spare.log_text("left"), 5, "left to notice")
    assert masters(spare) == OWNERS
    pings.wait_for_answers("pings without a spare")
    spare.start_chassis("spare")
    for name, owner in OWNERS.items():
        assert spare.wait_for_redundancy(set_name=name) == (owner, "spare")
    assert max(pings.longest_gap(name) for name in OWNERS) < 0.5
