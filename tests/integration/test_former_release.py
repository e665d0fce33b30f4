"""A chassis of commit 39ebb76 beside one of today. They cannot pair (docs/replication.md), and both of them say so: the one
that starts later does not become master beside the other, whose traffic goes on. Alone, each of them serves."""

import contextlib
import os
import signal

import pytest
from releases import build_release

from lab.netlab import wait_until

pytestmark = pytest.mark.long

FORMER = "39ebb76"
# What each of the two releases says of the other one, in its log and as the reason why it is not master.
REASONS = {"present": "peer runs a release that is too old to pair with this one", "former": "peer runs another cluster file"}
WITHOUT_KEYS = "security: none\n"
HEARTBEATS = 60  # refused ones, which come ten times a second: three times the hold time


@pytest.fixture(scope="module")
def former():
    return build_release(FORMER)


class Pair:
    """A chassis of each release. `left` is of the release `first`, and `right` of the other one."""

    def __init__(self, lab, former, first):
        self.lab = lab
        programs = {"former": former, "present": lab.programs}
        self.release = {"left": first, "right": next(name for name in programs if name != first)}
        self.programs = {chassis: programs[release] for chassis, release in self.release.items()}
        # The former release knows no keys, nor that it has none.
        self.files = {"present": lab.cluster_file, "former": os.path.join(lab.folder, "former.yaml")}
        with open(lab.cluster_file, encoding="utf-8") as file:
            text = file.read()
        with open(self.files["former"], "w", encoding="utf-8") as file:
            file.write(text.replace(WITHOUT_KEYS, ""))

    @contextlib.contextmanager
    def programs_of(self, chassis):
        before = self.lab.programs, self.lab.cluster_file
        self.lab.programs, self.lab.cluster_file = self.programs[chassis], self.files[self.release[chassis]]
        try:
            yield
        finally:
            self.lab.programs, self.lab.cluster_file = before

    def start(self, chassis):
        with self.programs_of(chassis):
            self.lab.start_chassis(chassis)

    def shown(self, chassis):
        """What `icr` of the same release says of the redundancy set on this chassis."""
        with self.programs_of(chassis):
            return self.lab.icr("show services redundancy-group extensive", chassis=chassis, accept=(0, 3)).stdout

    def is_master(self, chassis):
        return ": state MASTER," in self.shown(chassis)

    def refused(self, chassis):
        """Returns how many messages of the peer were refused because of the cluster that they name."""
        with self.programs_of(chassis):
            return self.lab.card_counters(chassis)["refused-wrong-cluster"]

    def sessions(self, chassis):
        with self.programs_of(chassis):
            return self.lab.session_count(chassis)

    def wait_for_master(self, chassis):
        wait_until(lambda: self.is_master(chassis), 20, f"{chassis} to be master")

    def assert_refused(self, master, waiting):
        """`waiting` has started beside `master`: each of them refuses the other one and says why, and only one is master."""
        lab = self.lab
        for chassis in (master, waiting):
            reason = REASONS[self.release[chassis]]
            wait_until(lambda chassis=chassis, reason=reason: f"{reason}: its messages are refused" in lab.log_text(chassis),
                       10, f"{chassis} to say that its peer is refused")  # fmt: skip
            seen = self.refused(chassis)
            wait_until(lambda chassis=chassis, seen=seen: self.refused(chassis) >= seen + HEARTBEATS, 30,
                       f"{chassis} to refuse {HEARTBEATS} messages")  # fmt: skip
        assert "and this member does not become master beside it" in lab.log_text(waiting)
        assert REASONS[self.release[waiting]] in self.shown(waiting)
        assert self.is_master(master) and not self.is_master(waiting)


@pytest.mark.parametrize("first", ["former", "present"])
def test_releases_that_cannot_pair_refuse_each_other_and_serve_alone(network, work, former, first):
    network.change_cluster_file(r"\Z", WITHOUT_KEYS)
    lab, pair = network, Pair(network, former, first)
    pair.start("left")
    pair.wait_for_master("left")
    work.start_ping()
    work.start_udp(rate=100)

    pair.start("right")
    pair.assert_refused("left", "right")
    assert pair.sessions("left") >= 2, "the ping and the UDP flow"
    assert pair.sessions("right") == 0
    figures = work.stop_udp()
    assert figures["lost"] == 0, figures
    assert len(work.echo_peers()) == 1, "the server saw the flow under one address and port"

    # Without the master the other one serves; when the former master returns, it waits in turn.
    lab.kill_chassis("left", signal.SIGKILL)
    pair.wait_for_master("right")
    work.start_udp(rate=100)
    pair.start("left")
    pair.assert_refused("right", "left")
    assert pair.sessions("right") >= 1
    figures = work.stop_udp()
    assert figures["lost"] == 0, figures
    for name in ("left", "right"):
        assert lab.stop_chassis(name) == 0, f"chassis {name} did not end well"
