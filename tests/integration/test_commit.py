"""`icr commit`: the configuration changes while traffic runs, on all chassis or on none."""

import os
import re
import signal
import subprocess

import pytest
from losses import assert_nothing_lost

from lab.netlab import CHASSIS, SERVER, wait_until

TIMEOUT = (r"open-timeout: 5", "open-timeout: 7")
POOL = (r"(?m)^  pools:\n", "  pools:\n    - { name: more, addresses: [203.0.113.64/28] }\n")
SLOTS = (r"max-sessions: 262144", "max-sessions: 300000")  # of tables, so it needs a restart
TERM = (r"applications: \[web, echo\]", "applications: [echo, web]")
SERVICE_SET = (
    r"(?m)^service-sets:\n",
    "service-sets:\n  - { name: spare, inside-unit: 3, outside-unit: 4, stateful-firewall-rules: [outbound],"
    " interface: { chassis: spare, card: ms-2/0/0 } }\n",
)
NEW_CHASSIS = (
    r"(?m)^redundancy-sets:\n",
    """  - name: spare
    public-keys: ["rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"]
    inter-chassis: { address: 198.51.100.3, port: 7400 }
    query: { address: 198.51.100.3, port: 7300 }
    cards:
      - name: ms-2/0/0
        ports: [{ unit: 3, type: tun, device: ms200.3 }, { unit: 4, type: tun, device: ms200.4 }]

redundancy-sets:
""",
)
ANOTHER_TERM_OF_NAT = """\
        - name: some
          from: { source-address: 198.18.0.200 }
          then: { translated: { source-pool: more, translation-type: napt-44 } }
        - name: everyone
"""
BAD_DEVICE = (r"device: ms100\.2", "device: icl0")  # only the chassis itself finds out


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


class Commits:
    """Changes the cluster file of a lab, as an operator who edits a copy of it."""

    def __init__(self, lab):
        self.lab = lab
        with open(lab.cluster_file, encoding="utf-8") as file:
            self.text = file.read()
        self.changed = self.text

    def write(self, *changes, name="new.yaml"):
        """Writes a file that differs by (pattern, replacement), and returns its path."""
        text = self.text
        for pattern, replacement in changes:
            text, count = re.subn(pattern, replacement, text)
            assert count, f"nothing is like {pattern}"
        path = os.path.join(self.lab.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.changed = text
        return path

    def command(self, *words):
        return [os.path.join(self.lab.programs, "icr"), "--cluster", self.lab.cluster_file, *words]

    def icr(self, *words, place="switch", timeout=120):
        return self.lab.run(place, *self.command(*words), check=False, timeout=timeout)

    def commit(self, *changes, words=(), code=0):
        path = self.write(*changes)
        done = self.icr("commit", *words, path)
        assert done.returncode == code, done.stdout + done.stderr
        if code == 0:
            self.text = self.changed
        return done

    def shown(self):
        return self.icr("show", "system", "commit").stdout

    def numbers(self):
        """{chassis: number of the commit that it runs}, without those that do not run their newest one."""
        return {name: int(number) for name, number in re.findall(r"^(\w+): runs commit (\d+)", self.shown(), re.M)}

    def wait_for(self, number, timeout=30):
        wanted = dict.fromkeys(CHASSIS, number)
        wait_until(lambda: self.numbers() == wanted, timeout, f"both chassis to run commit {number}")


@pytest.fixture
def commits(lab):
    return Commits(lab)


def make_sessions(lab, work, count):
    work.start_sink()
    work.make_sessions(count)
    wait_until(lambda: lab.session_count("left") == lab.session_count("right") == count, 20, f"{count} sessions on both")


def assert_same_sessions(work, count):
    figures = work.make_sessions(count)
    assert figures["changed_peers"] == 0 and figures["distinct_peers"] == count, figures


def test_changes_on_a_pair_lose_nothing(lab, work, commits):
    """By hand as an operator: a pool is added, a term changed, a service set and a chassis added, a timeout changed."""
    count, size = 5000, 300_000_000
    make_sessions(lab, work, count)
    work.start_ping()
    work.start_udp(rate=100)
    work.start_download(size=size, seconds=45)
    wait_until(lambda: work.download_progress()["bytes"] > 0.02 * size, 30, "the download to begin")

    first = commits.text
    for number, (changes, moves) in enumerate((((POOL, TERM), False), ((SLOTS,), True), ((TIMEOUT,), False)), start=2):
        master = lab.master()
        done = commits.commit(*changes)
        assert done.stdout.count("commit complete") == 2, done.stdout
        assert commits.numbers() == dict.fromkeys(CHASSIS, number)
        now_master, now_standby = lab.wait_for_redundancy(20)
        assert {now_master, now_standby} == set(CHASSIS) and (now_master != master) == moves, changes
    done = commits.commit(NEW_CHASSIS, SERVICE_SET, code=3)  # the new chassis is not there yet
    assert "spare: " in done.stderr and done.stdout.count("commit complete") == 2, done.stdout + done.stderr
    commits.text = commits.changed
    assert commits.icr("rollback", "4").returncode == 3  # the chassis that is not there is in the former configuration
    assert commits.numbers() == dict.fromkeys(CHASSIS, 6)
    lab.wait_for_redundancy(20)
    compare = commits.icr("show", "system", "rollback", "compare", "1", "0").stdout
    assert "[edit nat.pools[more]]\n-   all of it\n" in compare and "-   timeouts.open-timeout: 7\n" in compare, compare

    assert work.download_runs(), "the download ended before the last commit: the test shows nothing"
    udp, ping = work.stop_udp(), work.stop_ping()
    assert_nothing_lost(lab, udp, ping)
    result = work.wait_for_download(90)
    assert result["checksum_ok"] and result["connections"] == 1, result
    assert_same_sessions(work, count)
    with open(os.path.join(lab.folder, "first.yaml"), "w", encoding="utf-8") as file:
        file.write(first)
    check = commits.icr("commit", "check", os.path.join(lab.folder, "first.yaml"))
    assert check.stdout.count("nothing changes") == 2, check.stdout + check.stderr


def changed_while_it_runs(lab, commits, *changes):
    """Commits what needs no restart: the master stays, and neither chassis starts again."""
    roles = lab.wait_for_redundancy()
    started = {name: lab.log_text(name).count("chassis ready") for name in CHASSIS}
    number = max(commits.numbers().values()) + 1
    done = commits.commit(*changes)
    assert done.stdout.count("commit complete") == 2, done.stdout
    assert commits.numbers() == dict.fromkeys(CHASSIS, number)
    for name in CHASSIS:
        log = lab.log_text(name)
        assert f"chassis={name} commit={number} runs, without a restart" in log
        assert log.count("chassis ready") == started[name]
    assert lab.wait_for_redundancy() == roles


def test_what_needs_no_restart_applies_at_once(lab, work, commits):
    size = 300_000_000
    work.start_ping()
    work.start_udp(rate=100)
    work.start_download(size=size, seconds=40)
    wait_until(lambda: work.download_progress()["bytes"] > 0.02 * size, 30, "the download to begin")
    work.start_sink()
    work.make_sessions(1000)
    # A slower heartbeat first, a faster one after it: neither member may believe the other one dead meanwhile.
    changed_while_it_runs(lab, commits, (r"heartbeat-interval: 100 ", "heartbeat-interval: 1500 "))
    changed_while_it_runs(lab, commits, (r"heartbeat-interval: 1500 ", "heartbeat-interval: 50 "))
    changed_while_it_runs(lab, commits, (r"priority: 100 ", "priority: 250 "), (r"hold-time: 2 ", "hold-time: 1 "))
    assert lab.session_count("left") >= 1000 and lab.session_count("right") >= 1000
    # Limits count the sessions that exist.
    changed_while_it_runs(lab, commits, (r"session-limit: 250000", "session-limit: 900"))
    refused = lab.card_counters(lab.master())["session-limit-drops"]
    assert lab.run("client", "ping", "-n", "-c", "1", "-W", "1", SERVER, check=False).returncode != 0
    assert lab.card_counters(lab.master())["session-limit-drops"] > refused
    # A shorter timeout ends sessions that idle, on both chassis; the download and the echoes go on.
    changed_while_it_runs(lab, commits, (r"destination-port: 7, inactivity-timeout: 120",
                                         "destination-port: 7, inactivity-timeout: 4"))  # fmt: skip
    wait_until(lambda: max(lab.session_count(name) for name in CHASSIS) < 20, 15, "idle sessions to end on both")
    started = {name: lab.log_text(name).count("chassis ready") for name in CHASSIS}
    assert commits.icr("rollback", "5").returncode == 0
    commits.wait_for(7)
    assert started == {name: lab.log_text(name).count("chassis ready") for name in CHASSIS}
    assert lab.run("client", "ping", "-n", "-c", "1", "-W", "1", SERVER, check=False).returncode == 0
    assert work.download_runs(), "the download ended before the last commit: the test shows nothing"
    udp, ping = work.stop_udp(), work.stop_ping()
    assert_nothing_lost(lab, udp, ping)
    result = work.wait_for_download(90)
    assert result["checksum_ok"] and result["connections"] == 1, result


def test_a_session_that_no_term_admits_any_more_ends_only_if_that_is_configured(lab, work, commits):
    work.start_ping()
    wait_until(work.ping_answers, 10, "answers")
    wait_until(lambda: lab.session_count("left") == lab.session_count("right") >= 1, 10, "the session on both")
    no_echo = (
        r"(?m)^        - name: known-applications\n",
        """\
        - name: no-echo
          from: { source-address: 198.18.0.0/24, applications: ping }
          then: discard
        - name: known-applications
""",
    )
    ping = (r"(?m)^applications:\n", "applications:\n  - { name: ping, protocol: icmp }\n")
    changed_while_it_runs(lab, commits, no_echo, ping)
    answers = work.ping_answers()
    wait_until(lambda: work.ping_answers() > answers + 3, 10, "more answers: the session lives on")
    changed_while_it_runs(lab, commits, (r"(?m)^    nat-rules:", "    policy-rematch: yes\n    nat-rules:"))
    wait_until(lambda: lab.session_count("left") == lab.session_count("right") == 0, 10, "the session to end on both")
    assert lab.card_counters(lab.master())["sessions-ended-by-policy-rematch"] >= 1


@pytest.mark.long
def test_a_pool_that_goes_away_is_drained(lab, work, commits):
    """Its sessions go on through the restart and the switchover, have no companions, and end with the drain-time."""
    commits.commit((r"203\.0\.113\.0/28", "203.0.113.0/29"))
    lab.wait_for_redundancy(20)
    make_sessions(lab, work, 500)
    work.start_ping()
    wait_until(work.ping_answers, 10, "answers")
    changes = (
        (r"name: pool1\n( +)addresses: \[203\.0\.113\.0/29\]", r"name: pool2\n\1addresses: [203.0.113.8/29]"),
        (r"source-pool: pool1", "source-pool: pool2"),
        (r"(?m)^    nat-rules:", "    drain-time: 25\n    nat-rules:"),
    )
    drained = "service-sets[cgn] gets nothing new of nat.pools[pool1], whose sessions end in "
    check = commits.icr("commit", "check", commits.write(*changes)).stdout
    assert check.count(drained + "25 s at the latest") == 2, check
    done = commits.commit(*changes)
    assert done.stdout.count("commit complete") == 2, done.stdout
    lab.wait_for_redundancy(20)
    assert commits.shown().count(drained) == 2, commits.shown()
    answers = work.ping_answers()
    wait_until(lambda: work.ping_answers() > answers + 3, 10, "more answers: the session lives on")
    assert lab.run("client", "ping", "-n", "-c", "1", "-W", "1", SERVER, check=False).returncode == 0
    shown = commits.icr("show", "services", "sessions", "protocol", "icmp").stdout
    used = {int(last) < 8 for last in re.findall(r"203\.0\.113\.(\d+)", shown)}
    assert used == {True, False}, shown
    ended = "sessions-ended-by-drain-time"
    assert lab.card_counters(lab.master())[ended] == 0
    wait_until(lambda: lab.card_counters(lab.master())[ended] >= 501, 40, "the drain-time to be over")
    assert drained not in commits.shown()
    ping = work.stop_ping()
    assert ping["lost"] <= 1, ping  # the echoes go on as another session; one answer may have been on its way


def test_check_says_what_would_happen_and_changes_nothing(lab, commits):
    master, standby = lab.wait_for_redundancy()
    before = commits.shown()
    path = commits.write(TIMEOUT)
    done = commits.icr("commit", "check", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("open-timeout: default -> 7 (applies at once)") == 2, done.stdout
    assert done.stdout.count("this chassis takes it without a restart") == 2, done.stdout
    path = commits.write((r"(?m)^        - name: everyone\n", ANOTHER_TERM_OF_NAT), POOL)
    done = commits.icr("commit", "check", path)
    assert done.stdout.count("needs a restart: rs1: rules begin to use the pool more") == 2, done.stdout
    path = commits.write(SLOTS)

    def told():
        """{chassis: what it says} once both have noticed their roles."""
        done = commits.icr("commit", "check", path)
        assert done.returncode == 0, done.stderr
        said = dict(re.findall(r"(?ms)^(\w+): configuration check succeeds\n(.*?)(?=^\w|\Z)", done.stdout))
        assert all("max-sessions: 262144 -> 300000 (restarts)" in said[name] for name in CHASSIS), said
        settled = (
            f"rs1 restarts without a pause, after a switchover to chassis {standby}" in said[master]
            and "rs1 restarts as standby, without a pause" in said[standby]
        )
        return said if settled else None

    wait_until(told, 10, "both chassis to say how they would restart")
    assert commits.shown() == before


def test_a_mistake_changes_nothing_anywhere(lab, commits):
    before = commits.shown()
    done = commits.commit((r"heartbeat-interval: \d+", "heartbeat-interval: 2"), code=2)
    assert re.search(r"new\.yaml:\d+:\d+: .*heartbeat-interval", done.stderr), done.stderr
    assert commits.shown() == before


def test_a_chassis_that_was_dead_during_a_commit_returns_with_it(lab, work, commits):
    make_sessions(lab, work, 1000)
    master, standby = lab.wait_for_redundancy()
    lab.kill_chassis(standby)
    done = commits.commit(TIMEOUT, code=3)
    assert f"error: {standby}: " in done.stderr, done.stderr
    lab.start_chassis(standby)
    commits.wait_for(2)
    lab.wait_for_redundancy()
    assert f"chassis={standby} commit=2 taken from chassis {master}" in lab.log_text(standby)
    # And it starts with it, although the file that it is given is the old one.
    assert lab.stop_chassis(standby) == 0
    lab.start_chassis(standby)
    assert "commit 2 is newer than the file, which has not been changed since" in lab.log_text(standby)
    assert_same_sessions(work, 1000)


def test_a_chassis_that_cannot_start_with_a_commit_goes_back(lab, work, commits):
    """The standby fails, so the master does not follow, and the traffic does not notice."""
    make_sessions(lab, work, 1000)
    if lab.master() == "right":
        lab.icr("request services redundancy-set rs1 switchover")
        wait_until(lambda: lab.master() == "left", 10, "left to be master")
    lab.wait_for_redundancy()
    work.start_ping()
    done = commits.commit(BAD_DEVICE, TIMEOUT, code=1)
    assert re.search(r"error: right: commit 2 failed, and the chassis runs the former one: .*icl0", done.stderr), done.stderr
    assert re.search(r"^left: has commit 2, and waits for ", commits.shown(), re.M)
    assert lab.wait_for_redundancy(20) == ("left", "right")
    assert commits.icr("rollback", "1").returncode == 0
    commits.wait_for(3)
    assert lab.wait_for_redundancy(20) == ("left", "right")
    assert_nothing_lost(lab, work.stop_ping())
    assert_same_sessions(work, 1000)


@pytest.mark.long
def test_a_confirmed_commit_is_rolled_back_unless_it_is_confirmed(lab, commits):
    done = commits.commit(TIMEOUT, words=("confirmed", "1"))
    assert "rolled back in 1 minutes unless confirmed" in done.stdout
    assert "commit confirmed, rollback in 1mins" in commits.shown()
    # A chassis that restarts does not forget it.
    assert lab.stop_chassis("right") == 0
    lab.start_chassis("right")
    commits.wait_for(3, 90)
    assert "rolled back to commit 1: commit 2 was not confirmed" in commits.shown()
    commits.text = commits.text.replace("open-timeout: 7", "open-timeout: 5")
    commits.commit(TIMEOUT, words=("confirmed", "1"))
    assert commits.icr("commit").returncode == 0
    assert "rollback in" not in commits.shown()


def test_of_two_commits_at_the_same_time_both_chassis_run_the_same_one(lab, commits):
    files = [commits.write((r"open-timeout: 5", f"open-timeout: {value}"), name=f"{value}.yaml") for value in (7, 8)]
    running = [
        subprocess.Popen(lab.command_in("switch", commits.command("commit", file)), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
        for file in files
    ]  # fmt: skip
    told = [process.communicate(timeout=120) for process in running]
    codes = [process.returncode for process in running]
    for code, (_, error) in zip(codes, told):
        # Refused; or overtaken by the other one; or begun while a chassis restarted for the other one.
        reasons = {0: "", 1: r"try again|was replaced by commit", 3: r"cannot connect|was lost|was replaced by commit"}
        assert re.search(reasons[code], error) and (error == "") == (code == 0), told
    newest = int(re.search(r"left: runs commit (\d+)", commits.shown()).group(1))
    commits.wait_for(newest)  # whatever happened, it is the same on both


@pytest.mark.parametrize("victim", ["standby", "master"])
def test_a_chassis_that_is_killed_during_a_commit_returns_with_it(lab, work, commits, victim):
    make_sessions(lab, work, 1000)
    master, standby = lab.wait_for_redundancy()
    path = commits.write(SLOTS)
    running = subprocess.Popen(lab.command_in("switch", commits.command("commit", path)), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    # The standby is killed as soon as it restarts, the master as soon as it hands over.
    who, mark = (standby, "the chassis restarts with it") if victim == "standby" else (master, "handing-over=true")
    wait_until(lambda: mark in lab.log_text(who), 30, f"'{mark}' in the log of {who}")
    lab.kill_chassis(who)
    lab.start_chassis(who)
    running.communicate(timeout=120)
    commits.wait_for(2, 60)
    lab.wait_for_redundancy()
    assert_same_sessions(work, 1000)


def test_sighup_reads_the_file_again(lab, commits):
    lab.change_cluster_file(*TIMEOUT)
    for name in CHASSIS:
        lab.processes.signal(name, signal.SIGHUP)
    commits.wait_for(2)
    assert "by root via signal" in commits.shown()
    lab.wait_for_redundancy()


def test_without_encryption_a_commit_from_another_machine_is_refused(network):
    network.change_cluster_file(r"\Z", "security: none\n")
    for name in CHASSIS:
        network.start_chassis(name)
    network.wait_for_redundancy()
    commits = Commits(network)
    done = commits.commit(TIMEOUT, code=1)
    assert "left: a commit from 198.51.100.254 is not taken" in done.stderr, done.stderr
    assert "nothing was changed" in done.stderr
    assert commits.numbers() == dict.fromkeys(CHASSIS, 1)
    assert network.card_counters("left")["query-refused-class"] >= 1
