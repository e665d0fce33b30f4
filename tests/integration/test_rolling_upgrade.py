"""A running pair is upgraded from the release before to the one of today, by the procedure of docs/replication.md, and goes
back to the former one in the same way; the traffic does not notice."""

import contextlib
import os

import pytest
from losses import assert_nothing_lost
from releases import build_release

from lab.netlab import wait_until

pytestmark = pytest.mark.long

BEFORE = "9c35275"
SESSIONS = 3000
SIZE = 150_000_000


@pytest.fixture(scope="module")
def former():
    return build_release(BEFORE)


class Upgrade:
    """Chassis of two releases, each of which has a cluster file that it understands."""

    def __init__(self, lab, former):
        self.lab = lab
        self.programs = {"former": former, "present": lab.programs}
        # The former release knows no keys, nor that it has none.
        self.files = {"former": os.path.join(lab.folder, "former.yaml"), "present": lab.cluster_file}
        with open(lab.cluster_file, encoding="utf-8") as file:
            text = file.read()
        with open(self.files["former"], "w", encoding="utf-8") as file:
            file.write(text)
        lab.change_cluster_file(r"\Z", "security: none\n")

    @contextlib.contextmanager
    def release(self, name):
        before = self.lab.programs, self.lab.cluster_file
        self.lab.programs, self.lab.cluster_file = self.programs[name], self.files[name]
        try:
            yield
        finally:
            self.lab.programs, self.lab.cluster_file = before

    def start(self, chassis, release):
        with self.release(release):
            self.lab.start_chassis(chassis)

    def replace(self, chassis, release):
        """Starts another release in the place of the standby, waits until it is hot, and hands it mastership."""
        lab = self.lab
        assert lab.master() != chassis
        lab.stop_chassis(chassis)
        self.start(chassis, release)
        lab.wait_for_redundancy(30)
        wait_until(lambda: lab.session_count(chassis) >= SESSIONS, 20, f"{chassis} to have the twins of all sessions")
        lab.icr("request services redundancy-set rs1 switchover")
        wait_until(lambda: lab.master() == chassis, 10, f"{chassis} to be master")
        lab.wait_for_redundancy(30)


def test_a_running_pair_changes_its_release_and_goes_back(network, work, former):
    lab, upgrade = network, Upgrade(network, former)
    for chassis in ("left", "right"):
        upgrade.start(chassis, "former")
    assert lab.wait_for_redundancy() == ("left", "right")
    work.start_sink()
    work.make_sessions(SESSIONS)
    work.start_ping()
    work.start_udp(rate=100)
    work.start_download(size=SIZE, seconds=30)
    wait_until(lambda: work.download_progress()["bytes"] > 0.02 * SIZE, 30, "the download to begin")

    upgrade.replace("right", "present")
    upgrade.replace("left", "present")
    shown = lab.icr("show services redundancy-group consistency").stdout
    assert "The twins are equal" in shown, shown
    upgrade.replace("right", "former")
    upgrade.replace("left", "former")

    assert work.download_runs(), "the download ended before the last switchover: the test shows nothing"
    udp, ping = work.stop_udp(), work.stop_ping()
    assert_nothing_lost(lab, udp, ping)
    result = work.wait_for_download(90)
    assert result["checksum_ok"] and result["connections"] == 1, result
    figures = work.make_sessions(SESSIONS)
    assert figures["changed_peers"] == 0 and figures["distinct_peers"] == SESSIONS, figures
    for chassis in ("left", "right"):
        counters = lab.card_counters(chassis)
        wrong = {
            what: counters[what] for what in ("sessions-refused", "audits-failed", "twin-refused-bindings") if counters[what]
        }
        assert not wrong, (chassis, wrong)
