"""`show services sessions as-of`: a pair tells which sessions it had, also after both of its chassis were away."""

import datetime
import re
import time

from lab.netlab import CHASSIS, wait_until

SESSIONS = 300
LONG = 3600  # seconds


def moment(seconds):
    """A time for `as-of`, with milliseconds."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d.%H:%M:%S.%f")[:-3]


def test_a_pair_remembers_its_sessions(lab, work):
    for name in CHASSIS:
        lab.stop_chassis(name)
    lab.change_cluster_file(r"(data-folder: (\S+))", rf"\1\n    history: {LONG}")
    for name in CHASSIS:
        lab.start_chassis(name)
    lab.wait_for_redundancy()

    def past(at, *words, accept=(0,)):
        return lab.icr("show services sessions", *words, "as-of", moment(at), accept=accept)

    def becomes_known(at):
        wait_until(lambda: past(at, "limit 1", accept=None).returncode == 0, 20, f"a history of {moment(at)}")

    def lines(at):
        return int(re.search(r"Count: (\d+) lines", lab.icr("show services sessions as-of", moment(at), "| count").stdout)[1])

    def moment_with(condition):
        """Returns a moment at which the number of lines was such."""
        found = []

        def look():
            at = time.time()
            becomes_known(at)
            if condition(lines(at)):
                found.append(at)
            return found

        wait_until(look, 30, "the checkpoint of a change")
        return found[0]

    work.start_sink()
    begin = time.time()
    work.make_sessions(SESSIONS)
    wait_until(lambda: lab.session_count("right") >= SESSIONS, 20, "the twins of all sessions")
    with_sessions = moment_with(lambda count: count > 2 * SESSIONS)
    text = past(with_sessions, "limit 1").stdout
    address, port = re.search(r"->\s*(203\.0\.113\.\d+):(\d+)", text).groups()

    lab.icr("clear services sessions")
    wait_until(lambda: lab.session_count("left") == 0 == lab.session_count("right"), 20, "no sessions")
    moment_with(lambda count: count <= 1)
    assert lines(with_sessions) > 2 * SESSIONS
    who = past(with_sessions, "xlated-ip", address, "xlated-port", port).stdout
    assert f"{address}:{port}" in who and who.count("TCP") + who.count("UDP") <= 2, who

    # One member dies, and both are away for a while. What they had is known, and not what they would have had.
    lab.kill_chassis("left")
    lab.stop_chassis("right")
    away = time.time() + 1
    wait_until(lambda: time.time() > away + 1, 10, "a time without chassis")
    lab.start_chassis("right")
    done = past(with_sessions, "xlated-ip", address, accept=(3,))
    assert "chassis left did not answer" in done.stderr and f"{address}:{port}" in done.stdout, (done.stdout, done.stderr)
    lab.start_chassis("left")
    lab.wait_for_redundancy()
    becomes_known(time.time())
    done = past(away, accept=(3,))
    assert done.stdout == "" and done.stderr.count("it was started again between") == 2, (done.stdout, done.stderr)
    done = past(begin - LONG, accept=(3,))
    assert done.stderr.count("its history begins at") == 2, done.stderr
    assert "not in the past" in past(time.time() + 600, accept=(1,)).stderr
