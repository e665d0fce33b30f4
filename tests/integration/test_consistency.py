"""`show services redundancy-group consistency`: the twins of a pair that carries traffic are shown to be equal or not."""

import re

from losses import assert_nothing_lost

from lab.netlab import wait_until

SESSIONS = 3000


def test_twins_are_equal_until_the_standby_knows_another_firewall(lab, work):
    work.start_sink()
    work.make_sessions(SESSIONS)
    work.start_udp(rate=200)
    wait_until(lambda: lab.session_count("right") >= SESSIONS, 20, "the twins of all sessions")
    shown = lab.icr("show services redundancy-group consistency").stdout
    compared = re.search(r"Sessions: +(\d+) compared, (\d+) equal, 0 different", shown)
    assert compared and int(compared[1]) >= SESSIONS and "The twins are equal" in shown, shown

    shown = lab.icr("request services redundancy-set id 1 switchover dry-run").stdout
    assert "A switchover would lose no session" in shown and lab.master() == "left", shown

    # The standby returns with a file in which the terms that admitted the sessions have other names.
    lab.stop_chassis("right")
    lab.change_cluster_file("name: (known-applications|inside-hosts)", r"name: other-\1")
    lab.start_chassis("right")
    lab.wait_for_redundancy()
    wait_until(lambda: lab.session_count("right") >= SESSIONS, 20, "the twins of all sessions")
    done = lab.icr("show services redundancy-group consistency", accept=(4,))
    assert re.search(r"^   The twins are different$", done.stdout, re.M), done.stdout
    assert re.search(r"^     Session \d+ .*: policy \S+ on left, \S+ on right$", done.stdout, re.M), done.stdout
    assert re.search(r"^     and \d+ more$", done.stdout, re.M), done.stdout

    lab.icr("request services redundancy-set id 1 redundancy-event e trigger")
    wait_until(lambda: lab.master() == "right", 10, "right to be master")
    assert_nothing_lost(lab, work.stop_udp())
