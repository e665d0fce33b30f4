"""`probes`: a member that does not reach an address of the outside gives mastership up to one that does."""

import os
import re

import leaks
import pytest
from losses import assert_nothing_lost

from lab.netlab import CHASSIS, DEFAULT_CLUSTER, wait_until

UPSTREAM, UPSTREAM_V6 = "198.19.0.77", "2001:db8:19::77"  # a router that only the probes ask
PROBES = f"""
    probes:
      - {{ address: {UPSTREAM}, interval: 100, count: 3 }}
      - {{ address: "{UPSTREAM_V6}", interface: outside0, interval: 100, count: 3, weight: 200 }}"""


@pytest.fixture
def cluster_file(tmp_path):
    with open(DEFAULT_CLUSTER, encoding="utf-8") as text:
        lab_file = text.read()
    changed = re.sub(r"(?m)^(    preempt: no)$", rf"\1{PROBES}", lab_file)
    assert changed != lab_file
    path = tmp_path / "probes.yaml"
    path.write_text(changed, encoding="utf-8")
    return os.fspath(path)


@pytest.fixture
def network(network):
    """The upstream addresses are there."""
    network.run("server", "ip", "address", "add", f"{UPSTREAM}/24", "dev", "eth0")
    network.run("server", "ip", "address", "add", f"{UPSTREAM_V6}/64", "dev", "eth0", "nodad")
    network.run("switch", "nft", "add", "table", "bridge", "dead")
    network.run("switch", "nft", "add chain bridge dead forward { type filter hook forward priority 0 ; }")
    return network


def cut(lab, chassis, address):
    """The path of one chassis to an address is dead, while its link is up."""
    family = "ip6" if ":" in address else "ip"
    lab.run("switch", "nft", f"add rule bridge dead forward iifname {chassis}-outside0 {family} daddr {address} drop")


def mend(lab):
    lab.run("switch", "nft", "flush", "chain", "bridge", "dead", "forward")


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


def health(lab, chassis):
    """Returns what a chassis says of its health and of that of its peer."""
    shown = lab.icr("show services redundancy-group extensive", chassis=chassis, accept=None).stdout
    return re.findall(r"Local health status: (.*)", shown)[0], re.findall(r"Peer health status: (.*)", shown)[0]


def reason(address):
    return f"address {address} does not answer"


def counters(lab, chassis):
    return lab.card_counters(chassis)


def test_mastership_goes_to_the_member_that_reaches_the_address(lab, work):
    work.start_udp(rate=100)
    watcher = leaks.Leaks(lab)
    master = lab.master()
    cut(lab, master, UPSTREAM)
    wait_until(lambda: lab.master() == other(master), 5, "the member that reaches the address to be master")
    wait_until(lambda: reason(UPSTREAM) in health(lab, master)[0], 5, "the reason")
    wait_until(lambda: reason(UPSTREAM) in health(lab, other(master))[1], 5, "the reason at the peer")
    assert counters(lab, master)["address-probes-deaths"] == 1 and counters(lab, other(master))["address-probes-deaths"] == 0
    # The standby is ill, so nobody can hand over to it.
    refused = lab.icr("request services redundancy-set id 1 switchover", accept=None)
    assert refused.returncode != 0 and "health is Failed" in refused.stdout + refused.stderr
    mend(lab)
    wait_until(lambda: "does not answer" not in health(lab, master)[0], 20, "health again, after the hold time")
    lab.icr("request services redundancy-set id 1 switchover")
    wait_until(lambda: lab.master() == master, 10, f"{master} to be master again")
    answered = work.stop_udp()
    print("UDP:", answered)
    assert_nothing_lost(lab, answered)  # both moves are switchovers
    watcher.assert_none("an address was out of reach")


def test_an_address_that_is_dead_for_both_moves_nothing(lab, work):
    work.start_ping()
    master = lab.master()
    lab.run("server", "ip", "address", "delete", f"{UPSTREAM}/24", "dev", "eth0")
    for name in CHASSIS:
        wait_until(lambda: reason(UPSTREAM) in health(lab, name)[0], 5, f"{name} to notice")
    settled = lab.master()
    answers = work.ping_answers()
    wait_until(lambda: work.ping_answers() >= answers + 40, 10, "two seconds of traffic")
    assert lab.master() == settled
    moves = sum(counters(lab, name)["mastership-given-up-ill"] for name in CHASSIS)
    assert moves == (0 if settled == master else 1), "whoever notices first may move mastership once"


def test_weights_are_added(lab):
    master = lab.master()
    cut(lab, master, UPSTREAM_V6)
    wait_until(lambda: reason(UPSTREAM_V6) + " by interface outside0" in health(lab, master)[0], 5, "the reason")
    assert lab.master() == master and "Passed" in health(lab, master)[0], "its weight is 200"
    cut(lab, other(master), UPSTREAM)
    wait_until(lambda: reason(UPSTREAM) in health(lab, other(master))[0], 5, "the standby to notice")
    assert lab.master() == master, "the standby is worse"


def test_a_commit_changes_what_is_probed(lab):
    master = lab.master()
    cut(lab, master, UPSTREAM_V6)
    wait_until(lambda: reason(UPSTREAM_V6) in health(lab, master)[0], 5, "the reason")
    lab.change_cluster_file("weight: 200", "weight: 255")
    started = {name: lab.processes.pid(name) for name in CHASSIS}
    lab.icr("commit", lab.cluster_file, timeout=120)
    wait_until(lambda: lab.master() == other(master), 10, "mastership to move")
    assert started == {name: lab.processes.pid(name) for name in CHASSIS}
    lab.change_cluster_file(r"(?m)^    probes:\n(      - .*\n){2}", "")
    lab.icr("commit", lab.cluster_file, timeout=120)
    wait_until(lambda: "does not answer" not in health(lab, master)[0], 20, "nothing to be probed")
