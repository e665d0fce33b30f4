"""Output commit: what the world has heard of survives the death of the master, again and again (docs/replication.md)."""

import os
import re
import time

import pytest
from new_flows import Flows, sessions

from lab.netlab import CHASSIS, DEFAULT_CLUSTER, wait_until


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


@pytest.fixture
def cluster_file(tmp_path):
    with open(DEFAULT_CLUSTER, encoding="utf-8") as text:
        lab_file = text.read()
    changed = re.sub(r"(?m)^(    outside-unit: 2)$", r"\1\n    guarantee: output-commit", lab_file)
    assert changed != lab_file
    path = tmp_path / "output-commit.yaml"
    path.write_text(changed, encoding="utf-8")
    return os.fspath(path)


def kill_and_compare(lab):
    """Kills the master under new flows. Returns the number of flows of which the world had heard, and which the new master
    has to know."""
    master, standby = lab.wait_for_redundancy()
    hot = time.monotonic()
    before = lab.card_counters(master)["output-commit-alone"]
    flows = Flows(lab)
    try:
        time.sleep(0.8)
        alone = lab.card_counters(master)["output-commit-alone"]
        killed = lab.kill_chassis(master)
        heard = flows.end()
        wait_until(lambda: lab.roles().get(standby) and lab.roles()[standby].role == "master", 10, f"{standby} to be master")
        table = sessions(lab, standby)
    finally:
        flows.end()
        flows.close()
    assert alone == before, "packets left without a peer, which is there"
    told = {flow: endpoint for flow, (at, endpoint) in heard.items() if hot <= at}
    lost = {flow: endpoint for flow, endpoint in told.items() if flow not in table}
    moved = {
        flow: (endpoint, table[flow])
        for flow, endpoint in told.items()
        if endpoint is not None and flow in table and table[flow] != endpoint
    }
    print(f"killed {master} at {killed - hot:.3f} s: {len(told)} flows heard of, {len(table)} sessions at {standby}")
    assert not lost and not moved, f"{len(lost)} of {len(told)} are lost, as {list(lost)[:5]}; moved: {list(moved.items())[:5]}"
    lab.start_chassis(master)
    return len(told)


def run(lab, kills):
    told = [kill_and_compare(lab) for _ in range(kills)]
    print(f"{sum(told)} flows heard of before {kills} kills, none lost")
    assert min(told) > 200 and any(flow > 500 for flow in told), told


def test_what_the_world_has_heard_survives_kills_of_the_master(lab):
    run(lab, 4)


@pytest.mark.long
def test_what_the_world_has_heard_survives_two_hundred_kills_of_the_master(lab):
    run(lab, 200)


def test_a_session_says_whether_its_newest_state_is_at_the_peer(lab, work):
    work.start_udp(rate=20)
    wait_until(lambda: work.udp_progress(), 5, "answers")
    text = lab.icr("show services sessions extensive").stdout
    assert "  Guarantee: output-commit, newest state at the peer: yes\n" in text
    master, standby = lab.wait_for_redundancy()
    assert lab.card_counters(master)["output-commit-waits"] > 0
    lab.kill_chassis(standby)
    wait_until(
        lambda: "newest state at the peer: no" in lab.icr("show services sessions extensive", accept=(0, 3)).stdout,
        10,
        "the master to see that its peer is gone",
    )
