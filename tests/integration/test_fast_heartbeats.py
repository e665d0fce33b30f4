"""Heartbeats every 3 ms: as fast as they may be (docs/cluster-file.md)."""

import re

import pytest

from lab.netlab import wait_until

pytestmark = pytest.mark.quiet


@pytest.fixture
def fast(network):
    network.change_cluster_file("heartbeat-interval: 100", "heartbeat-interval: 3")
    network.change_cluster_file("heartbeat-count: 5", "heartbeat-count: 3")
    for name in network.chassis():
        network.start_chassis(name)
    network.wait_for_redundancy()
    return network


def detector(lab, chassis):
    """Returns the silence that the detector of a chassis tolerates and the least that it may, in milliseconds."""
    shown = lab.icr("show services redundancy-group extensive", chassis=chassis).stdout
    return tuple(map(float, re.search(r"tolerates ([\d.]+) ms of silence \(at least ([\d.]+)", shown).groups()))


def local_role(lab, chassis):
    shown = lab.icr("show services redundancy-group extensive", chassis=chassis).stdout
    return re.search(r"RS-ID 1: state (\w+)", shown).group(1)


def test_roles_stay_and_a_dead_machine_is_noticed(fast, work):
    roles = fast.wait_for_redundancy()
    master, standby = roles
    work.start_sink()
    assert work.make_sessions(5000)["changed_peers"] == 0
    work.start_udp(rate=200)
    before = work.udp_progress()["received"]
    wait_until(lambda: work.udp_progress()["received"] > before + 1000, 20, "five seconds of traffic")
    assert fast.wait_for_redundancy() == roles
    tolerated, least = detector(fast, standby)
    assert least == 9.0 and tolerated >= least

    fast.pull_cables(master)
    wait_until(lambda: local_role(fast, standby) == "MASTER", 10, "the standby to take over")
    wait_until(lambda: work.udp_progress()["received"] > before + 1100, 10, "answers by way of the new master")
    udp = work.stop_udp()
    print("longest gap:", udp["longest_gap_ms"], "ms, the detector tolerated", tolerated)
    assert udp["longest_gap_ms"] < 150 + 2 * tolerated
    assert work.make_sessions(5000)["changed_peers"] == 0
