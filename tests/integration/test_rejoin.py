"""A standby that is killed under load comes back from its checkpoint, and gets only what differs."""

import re

from lab.netlab import wait_until

SESSIONS = 20_000


def counters(lab, chassis):
    told = lab.icr("show", "services", "redundancy-group", "extensive", chassis=chassis).stdout
    return {name: int(value) for name, value in re.findall(r"^ +([a-z-]+) +(\d+)$", told, re.MULTILINE)}


def wait_for_twins(lab, count):
    wait_until(lambda: lab.session_count("left") == lab.session_count("right") >= count, 20, f"{count} sessions on both")


def test_a_killed_standby_gets_only_what_differs(lab, work):
    work.start_sink()
    assert work.make_sessions(SESSIONS)["distinct_peers"] == SESSIONS
    wait_for_twins(lab, SESSIONS)
    master, standby = lab.wait_for_redundancy()
    # State is on disk 100 ms later.
    wait_until(lambda: counters(lab, standby)["checkpoint-sessions"] >= SESSIONS, 20, "a checkpoint with all sessions")
    before = counters(lab, master)
    lab.kill_chassis(standby)
    work.start_udp(rate=500)
    wait_until(lambda: work.udp_progress()["received"] > 100, 10, "traffic without a standby")
    lab.start_chassis(standby)
    assert lab.wait_for_redundancy() == (master, standby)
    after = counters(lab, master)
    equal = after["ranges-equal"] - before["ranges-equal"]
    copied = after["bulk-sessions-sent"] - before["bulk-sessions-sent"]
    print("ranges equal:", equal, "compared:", after["ranges-compared"] - before["ranges-compared"], "copied:", copied)
    assert equal > 0.9 * SESSIONS / 4
    assert copied < 0.1 * SESSIONS
    assert "copy of what differs" in lab.log_text(master)
    shown = lab.icr("show", "services", "redundancy-group", "extensive", chassis=master).stdout
    assert re.search(r"; last copy: \d+ of \d+ ranges are equal$", shown, re.MULTILINE), shown
    shown = lab.icr("show services redundancy-group consistency").stdout
    assert "The twins are equal" in shown, shown

    # What was kept is what a takeover needs.
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == standby, 10, f"{standby} to be master")
    figures = work.make_sessions(SESSIONS)
    assert figures["changed_peers"] == 0 and figures["sessions"] == SESSIONS
    assert len(work.echo_peers()) == 1
