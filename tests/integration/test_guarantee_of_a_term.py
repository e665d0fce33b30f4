"""A firewall term with a guarantee of its own: its sessions have it, before and after a takeover, and no others do."""

import os
import re

import pytest

from lab.netlab import DEFAULT_CLUSTER, wait_until


@pytest.fixture
def cluster_file(tmp_path):
    with open(DEFAULT_CLUSTER, encoding="utf-8") as text:
        lab_file = text.read()
    term = r"(?m)(applications: \[web, echo\]\n          then: accept)$"
    changed = re.sub(term, r"\1\n          guarantee: output-commit", lab_file)
    assert changed != lab_file
    path = tmp_path / "term.yaml"
    path.write_text(changed, encoding="utf-8")
    return os.fspath(path)


def guarantees(lab):
    """Returns what is said of the guarantees of sessions, and how many sessions there are."""
    shown = lab.icr("show services sessions extensive", accept=(0, 3)).stdout
    return re.findall(r"Guarantee: (.*)", shown), shown.count("Service Set: ")


def test_sessions_of_the_term_have_it_and_a_new_master_keeps_it(lab, work):
    master, standby = lab.wait_for_redundancy()
    work.start_ping()
    wait_until(lambda: work.ping_answers() > 5, 5, "answers to pings")
    assert guarantees(lab) == ([], 1) and lab.card_counters(master)["output-commit-waits"] == 0
    work.start_udp(rate=50)
    known = (["output-commit, newest state at the peer: yes"], 2)
    wait_until(lambda: guarantees(lab) == known, 5, "the guarantee of the UDP session, and of no other one")
    waits = lab.card_counters(master)["output-commit-waits"]
    assert waits > 0
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == standby, 10, f"{standby} to be master")
    alone = (["output-commit, newest state at the peer: no"], 2)
    wait_until(lambda: guarantees(lab) == alone, 5, "the guarantee at the new master")
    lab.start_chassis(master)
    lab.wait_for_redundancy()
    wait_until(lambda: guarantees(lab) == known, 5, "a peer that knows the session again")
    assert work.stop_udp()["lost"] < 50
