"""Two inter-chassis paths: cables of them are pulled while real programs talk through the cluster (docs/replication.md)."""

import re

import pytest
from losses import assert_nothing_lost

from lab.netlab import CHASSIS, wait_until

pytestmark = pytest.mark.cluster("two-paths.yaml")
NETWORK = "icl-b"  # of path 0; icr asks by that of path 1


def paths_of(lab, chassis):
    """The paths as a chassis shows them: [(state, active)], by number."""
    shown = lab.icr("show services redundancy-group extensive", chassis=chassis).stdout
    found = re.findall(r"Inter-chassis path (\d): \S+ to \S+, (up|silent|down)(, active)?", shown)
    assert [int(number) for number, _, _ in found] == [0, 1], shown
    return [(state, bool(active)) for _, state, active in found]


def wait_for_paths(lab, *expected):
    for name in CHASSIS:
        wait_until(lambda name=name: paths_of(lab, name) == list(expected), 10, f"the paths of {name} to be {expected}")


def terms(lab):
    return re.findall(r"Term: (\d+)", lab.icr("show services redundancy-group extensive").stdout)


def test_the_loss_of_a_path_changes_no_role_and_loses_no_session(lab, work):
    wait_for_paths(lab, ("up", True), ("up", False))
    roles, before = lab.wait_for_redundancy(), terms(lab)
    master, standby = roles
    work.start_udp(rate=100)
    work.start_sink()
    assert work.make_sessions(2000)["changed_peers"] == 0

    # The active path is cut at one end. Everything goes by the other one.
    lab.pull_cables(master, [NETWORK])
    wait_until(lambda: paths_of(lab, master)[1] == ("up", True), 10, "the other path to be active")
    wait_until(lambda: paths_of(lab, standby)[1] == ("up", True), 10, "the other path to be active at the standby, too")
    work.make_sessions(4000)
    count = lab.session_count(master)
    wait_until(lambda: lab.session_count(standby) == count, 10, "the sessions of meanwhile to be on the standby")
    shown = lab.icr("show services redundancy-group brief").stdout
    assert len(re.findall(r"Inter-chassis path 0: .*, (?:silent|down)$", shown, re.MULTILINE)) == 2, shown
    assert re.search(r"the inter-chassis path from 192\.0\.2\.\d to 192\.0\.2\.\d is silent", lab.log_text(standby))

    # It returns, and is active again when it has been up for some seconds.
    lab.pull_cables(master, [NETWORK], "up")
    wait_for_paths(lab, ("up", False), ("up", True))
    wait_for_paths(lab, ("up", True), ("up", False))
    assert (lab.wait_for_redundancy(), terms(lab)) == (roles, before)
    assert_nothing_lost(lab, work.stop_udp())

    # With all that came by either path, the standby takes over when the master is killed.
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == standby, 10, "the standby to be master")
    assert work.make_sessions(4000)["changed_peers"] == 0


def test_the_peer_is_given_up_when_the_last_path_is_cut(lab, work):
    wait_for_paths(lab, ("up", True), ("up", False))
    master, standby = lab.wait_for_redundancy()
    work.start_sink()
    assert work.make_sessions(500)["changed_peers"] == 0
    lab.pull_cables(standby, [NETWORK])
    wait_until(lambda: paths_of(lab, master)[1] == ("up", True), 10, "the other path to be active")
    # The chassis dies now; of its two connections one was dead unnoticed.
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == standby, 10, "the standby to be master")
    assert work.make_sessions(500)["changed_peers"] == 0
    lab.pull_cables(standby, [NETWORK], "up")
    lab.start_chassis(master)
    assert lab.wait_for_redundancy() == (standby, master)
    wait_for_paths(lab, ("up", True), ("up", False))
