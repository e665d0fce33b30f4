"""`replication-threshold`: the standby hears of a session when it is old enough, and at the latest before a switchover."""

import os
import re

import pytest
from losses import assert_nothing_lost

from lab.netlab import DEFAULT_CLUSTER, wait_until

SESSIONS = 3000
LINE = "Replication threshold: 6 s, not reached: the peer does not have the session\n"


@pytest.fixture
def cluster_file(tmp_path):
    with open(DEFAULT_CLUSTER, encoding="utf-8") as text:
        lab_file = text.read()
    changed = re.sub(r"(?m)^(    outside-unit: 2)$", r"\1\n    replication-threshold: 6", lab_file)
    assert changed != lab_file
    path = tmp_path / "threshold.yaml"
    path.write_text(changed, encoding="utf-8")
    return os.fspath(path)


def twins(lab):
    return lab.icr("show services redundancy-group consistency").stdout


def test_the_standby_hears_of_sessions_that_reach_the_threshold(lab, work):
    master, standby = lab.wait_for_redundancy()
    work.start_udp(rate=50)
    wait_until(lambda: LINE in lab.icr("show services sessions extensive").stdout, 5, "the young session")
    assert lab.session_count(standby) == 0
    shown = twins(lab)
    assert "Sessions:     0 compared, 0 equal, 0 different; 1 below the replication-threshold\n" in shown, shown
    # A session without packets, which are not what tells the standby. It outlives the threshold, and not for long.
    work.start_sink()
    assert work.make_sessions(1)["sessions"] == 1
    wait_until(lambda: lab.session_count(standby) == 2, 12, "the standby to hear of both")
    assert "threshold" not in lab.icr("show services sessions extensive").stdout
    assert "Sessions:     2 compared, 2 equal, 0 different\n" in twins(lab)
    assert lab.card_counters(master)["audits-failed"] == 0


def test_a_switchover_loses_no_young_session(lab, work):
    master, standby = lab.wait_for_redundancy()
    work.start_sink()
    assert work.make_sessions(SESSIONS)["sessions"] == SESSIONS
    work.start_udp(rate=200)
    assert lab.card_counters(master)["sessions-below-replication-threshold"] > SESSIONS / 2, "the lab is too slow for this test"
    lab.icr("request services redundancy-set id 1 switchover")
    wait_until(lambda: lab.master() == standby, 10, f"{standby} to be master")
    assert lab.session_count(standby) >= SESSIONS + 1
    figures = work.make_sessions(SESSIONS)
    assert figures["changed_peers"] == 0, "a session has another translation"
    answered = work.stop_udp()
    assert_nothing_lost(lab, answered)
    lab.wait_for_redundancy()
    assert lab.card_counters(standby)["audits-failed"] == 0


def test_a_drain_loses_no_young_session(lab, work):
    master, standby = lab.wait_for_redundancy()
    work.start_sink()
    assert work.make_sessions(SESSIONS)["sessions"] == SESSIONS
    lab.icr("request services redundancy-set id 1 drain")
    wait_until(lambda: lab.master() == standby, 10, f"{standby} to be master")
    assert work.make_sessions(SESSIONS)["changed_peers"] == 0


def test_the_death_of_the_master_costs_the_young_sessions_and_no_other(lab, work):
    master, standby = lab.wait_for_redundancy()
    work.start_udp(rate=50)
    wait_until(lambda: lab.session_count(standby) == 1, 12, "the old session at the standby")
    work.start_sink()
    assert work.make_sessions(200)["sessions"] == 200
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == standby, 10, f"{standby} to be master")
    assert lab.session_count(standby) < 100, "the standby cannot have heard of all of them"
    # They begin anew, each with a port that no other session has.
    figures = work.make_sessions(200)
    assert figures["sessions"] == 200
    peers = re.findall(r"^UDP +\S+ +-> +(203\.0\.113\.\d+:\d+) ", lab.icr("show services sessions", accept=(0, 3)).stdout, re.M)
    assert len(peers) >= 200 and len(peers) == len(set(peers))
    assert work.stop_udp()["lost"] < 100
