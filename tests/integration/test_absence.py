"""A worker that has no processor for a moment: it catches up, and loses nothing."""

import signal
import time

import pytest
from losses import assert_nothing_lost

from lab.netlab import wait_until

pytestmark = pytest.mark.quiet  # what is absent for more than 200 ms may drop packets

ABSENCES = 12
SECONDS = 0.075  # more than the 40 ms after which packets count as late


def test_a_master_without_processor_for_a_moment_loses_nothing(lab, work):
    roles = lab.wait_for_redundancy()
    master = roles[0]
    work.start_ping()
    work.start_download(size=80_000_000, seconds=8)
    work.start_udp(rate=500)
    before = lab.card_counters(master)["worker-absences"]
    for _ in range(ABSENCES):
        answers = work.udp_progress()["received"]
        lab.processes.signal(master, signal.SIGSTOP)
        time.sleep(SECONDS)
        lab.processes.signal(master, signal.SIGCONT)
        wait_until(lambda: work.udp_progress()["received"] > answers + 200, 10, "200 more answers")  # noqa: B023
    udp, ping, counters = work.stop_udp(), work.stop_ping(), lab.card_counters(master)
    # An absence that falls into a sleep of the worker is not seen as one.
    assert counters["worker-absences"] - before >= ABSENCES / 2, "the test shows nothing"
    assert_nothing_lost(lab, udp, ping)
    assert lab.wait_for_redundancy() == roles
    result = work.wait_for_download(60)
    assert result["checksum_ok"] and result["connections"] == 1, result
