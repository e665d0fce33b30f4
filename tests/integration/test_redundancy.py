"""Real programs talk through the cluster while chassis die, return and change places."""

import re
import signal
import time

import pytest
from losses import assert_nothing_lost

from lab.netlab import CHASSIS, SERVER_V6, wait_until

POOL = re.compile(r"203\.0\.113\.(\d|1[0-5]):\d+$")


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


def start_streams(work, **download):
    work.start_ping()
    work.start_udp(rate=100)
    work.start_download(**download)


def wait_for_share(work, share, size):
    """Waits until that share of the download has arrived."""
    wait_until(lambda: work.download_progress()["bytes"] >= share * size, 90, f"{share:.0%} of the download")


def wait_for_master(lab, name, timeout=10):
    wait_until(lambda: lab.master() == name, timeout, f"{name} to be master")


def assert_unbroken(work, result):
    """The download is right, on the one connection that it began with, and nothing was translated anew."""
    assert result["checksum_ok"], result
    assert result["connections"] == 1
    assert len(work.http_peers()) == 1, f"the HTTP server saw {work.http_peers()}"
    assert POOL.match(work.http_peers()[0])
    assert [note["event"] for note in work.http_notes() if note["event"] != "progress"] == ["open", "done"]
    assert len(work.echo_peers()) == 1, f"the echo server saw {work.echo_peers()}"
    assert POOL.match(work.echo_peers()[0])


def assert_no_gap(limit_ms, **streams):
    gaps = {name: figures["longest_gap_ms"] for name, figures in streams.items()}
    print("longest gaps in ms:", gaps, "lost:", {name: figures.get("lost") for name, figures in streams.items()})
    assert all(gap <= limit_ms for gap in gaps.values()), gaps


@pytest.mark.quiet
def test_kill_of_master_stops_no_stream(lab, work):
    size = 200_000_000
    start_streams(work, size=size, seconds=15)
    wait_for_share(work, 0.3, size)
    master = lab.master()
    at_server = work.connections_at_server()
    assert at_server == work.http_peers()
    before = lab.session_count()

    lab.kill_chassis(master)
    wait_for_master(lab, other(master))
    wait_for_share(work, 0.5, size)
    assert work.connections_at_server() == at_server
    assert lab.session_count() >= before
    new = lab.run("client", "curl", "-sf", "-o", "/dev/null", "http://198.19.0.10:8000/download?size=100000")
    assert new.returncode == 0
    peers_of_new = [note["peer"] for note in work.http_notes("open")][1:]
    assert len(peers_of_new) == 1 and POOL.match(peers_of_new[0]) and peers_of_new != at_server

    result = work.wait_for_download()
    assert result["checksum_ok"] and result["connections"] == 1
    assert [note["peer"] for note in work.http_notes("done")].count(at_server[0]) == 1
    assert [note["peer"] for note in work.http_notes("broken")] == []
    udp, ping = work.stop_udp(), work.stop_ping()
    assert len(work.echo_peers()) == 1
    assert_no_gap(1000, download=result, udp=udp, ping=ping)


@pytest.mark.quiet
def test_kill_of_master_keeps_ipv6_connections(lab, work):
    size = 40_000_000
    work.start_ping(server=SERVER_V6)
    work.start_download(size=size, seconds=6, server=SERVER_V6)
    wait_for_share(work, 0.3, size)
    master = lab.master()
    lab.kill_chassis(master)
    result = work.wait_for_download()
    assert lab.master() == other(master)
    assert result["checksum_ok"] and result["connections"] == 1
    assert len(work.http_peers()) == 1 and work.http_peers()[0].startswith("2001:db8:18::10:")
    assert_no_gap(1000, download=result, ping=work.stop_ping())


@pytest.mark.quiet
def test_killed_chassis_returns_hot_and_switchover_moves_traffic_back(lab, work):
    size = 300_000_000
    start_streams(work, size=size, seconds=22)
    wait_for_share(work, 0.15, size)
    master = lab.master()
    standby = other(master)
    lab.kill_chassis(master)
    wait_for_master(lab, standby)

    lab.start_chassis(master)
    assert lab.wait_for_redundancy(20) == (standby, master)
    assert lab.session_count(master) == lab.session_count(standby)

    answer = lab.icr("request services redundancy-set rs1 switchover")
    assert answer.returncode == 0
    wait_for_master(lab, master)
    assert lab.wait_for_redundancy(20) == (master, standby)
    wait_for_share(work, min(1, work.download_progress()["bytes"] / size + 0.1), size)
    udp, ping = work.stop_udp(), work.stop_ping()
    result = work.wait_for_download()
    assert_unbroken(work, result)
    assert_no_gap(1000, download=result, udp=udp, ping=ping)


def test_connections_survive_the_loss_of_both_chassis(lab, work):
    size = 300_000_000
    start_streams(work, size=size, seconds=20)
    wait_for_share(work, 0.3, size)  # six seconds: time for a checkpoint
    before = lab.session_count()
    for name in CHASSIS:
        lab.processes.signal(name, 9)
    for name in CHASSIS:
        lab.processes.wait(name, 10)
    arrived = work.download_progress()["bytes"]

    for name in CHASSIS:
        lab.start_chassis(name)
    lab.wait_for_redundancy()
    assert lab.session_count() >= before
    wait_until(lambda: work.download_progress()["bytes"] > arrived + 1_000_000, 30, "the download to go on")
    answered = work.udp_progress()["received"]
    wait_until(lambda: work.udp_progress()["received"] > answered + 100, 10, "UDP answers to go on")
    udp, ping = work.stop_udp(), work.stop_ping()
    result = work.wait_for_download(90)
    assert_unbroken(work, result)
    print("gaps:", result["longest_gap_ms"], udp["longest_gap_ms"], ping["longest_gap_ms"])


def test_orderly_stop_of_both_chassis_keeps_sessions(lab, work):
    work.start_sink()
    work.make_sessions(2000)
    wait_until(lambda: lab.session_count("left") == lab.session_count("right") == 2000, 10, "2000 sessions on both")
    codes = [lab.stop_chassis(name) for name in CHASSIS]
    assert codes == [0, 0]
    for name in CHASSIS:
        lab.start_chassis(name)
    lab.wait_for_redundancy()
    assert lab.session_count() == 2000
    figures = work.make_sessions(2000)
    assert figures["changed_peers"] == 0 and figures["distinct_peers"] == 2000
    assert lab.session_count() == 2000


def test_hundred_thousand_sessions_survive_a_takeover(lab, work):
    count = 100_000
    work.start_sink()
    figures = work.make_sessions(count)
    assert figures["sessions"] == figures["distinct_peers"] == count

    def both():
        counts = [lab.session_count(name) for name in CHASSIS]
        return counts if counts == [count, count] else None

    wait_until(both, 20, f"{count} sessions on either chassis")
    assert lab.session_count() == count  # of the cluster: each session once
    master = lab.master()
    lab.kill_chassis(master)
    wait_for_master(lab, other(master))
    assert lab.session_count() == count
    figures = work.make_sessions(count)  # through the new master, on the old sessions
    assert figures["sessions"] == count
    assert figures["changed_peers"] == 0, "sessions were translated anew"
    assert figures["distinct_peers"] == count
    assert lab.session_count() == count


@pytest.mark.quiet
def test_late_standby_becomes_hot_without_a_pause(network, work):
    network.start_chassis("left")
    wait_for_master(network, "left", 20)
    work.start_sink()
    work.make_sessions(50_000)
    size = 150_000_000
    start_streams(work, size=size, seconds=12)
    wait_for_share(work, 0.2, size)
    network.start_chassis("right")
    assert network.wait_for_redundancy(20) == ("left", "right")
    assert work.download_runs(), "the download ended before the standby was hot: the test shows nothing"
    wait_until(lambda: network.session_count("right") == network.session_count("left"), 10, "equal counts")
    wait_for_share(work, min(1, work.download_progress()["bytes"] / size + 0.1), size)
    udp, ping = work.stop_udp(), work.stop_ping()
    result = work.wait_for_download()
    assert_unbroken(work, result)
    assert_no_gap(300, download=result, udp=udp, ping=ping)
    assert_nothing_lost(network, udp, ping)

    # What was copied while traffic ran is what is needed: the late standby takes over.
    network.kill_chassis("left")
    wait_for_master(network, "right")
    figures = work.make_sessions(50_000)
    assert figures["changed_peers"] == 0


def test_a_drained_chassis_hands_over_and_stays_out_until_that_is_cancelled(lab, work):
    work.start_sink()
    work.start_udp(rate=200)
    assert work.make_sessions(2000)["changed_peers"] == 0
    master, standby = lab.wait_for_redundancy()
    told = lab.icr("request services redundancy-set rs1 drain").stdout
    assert told == (
        f"redundancy-set rs1: chassis {master} is drained, and hands over as soon as its standby is hot and healthy\n"
    )
    wait_for_master(lab, standby)
    assert lab.wait_for_redundancy() == (standby, master), "its copy is kept up to date"
    refused = lab.icr("request services redundancy-set rs1 switchover force", accept=None)
    assert refused.returncode == 1 and "health is Failed" in refused.stderr, refused
    refused = lab.icr("request services redundancy-set rs1 drain", chassis=master, accept=None)
    assert refused.stderr == f"error: chassis {master}: chassis {master} is already drained in redundancy set rs1\n"
    shown = lab.icr("show services redundancy-group brief").stdout
    assert re.search(r"Local health status: Failed, weight 255 of 255: drained by an operator", shown), shown
    assert work.make_sessions(2000)["changed_peers"] == 0

    assert lab.icr("request services redundancy-set rs1 drain cancel").stdout == (
        f"redundancy-set rs1: chassis {master} is drained no more\n"
    )
    wait_until(lambda: "Failed" not in lab.icr("show services redundancy-group brief").stdout, 20, "health")
    assert lab.icr("request services redundancy-set rs1 switchover").returncode == 0
    wait_for_master(lab, master)
    assert_nothing_lost(lab, work.stop_udp())


def test_a_switchover_keeps_what_sessions_have_counted(lab, work):
    """The standby has not been told of most of it when the switchover is asked for."""

    def counted(chassis):
        shown = lab.icr("show services sessions group-by source-prefix/24", chassis=chassis).stdout
        return [int(figure) for figure in re.search(r"(?m)^198\.18\.0\.0/24 +(\d+) +(\d+) +(\d+)$", shown).groups()]

    work.start_sink()
    master, standby = lab.wait_for_redundancy()
    work.make_sessions(3000)
    work.make_sessions(3000)
    before = counted(master)
    assert before[0] >= 3000 and before[1] >= 6000, before
    assert lab.icr("request services redundancy-set rs1 switchover").returncode == 0
    wait_for_master(lab, standby)
    assert counted(standby) == before


def test_switchover_of_an_unknown_set_is_refused(lab):
    roles = str(lab.roles())
    answer = lab.icr("request services redundancy-set no-such-set switchover", accept=None)
    assert answer.returncode not in (0, 3)
    assert str(lab.roles()) == roles


def test_a_process_that_hangs_is_deposed_although_its_kernel_answers(lab):
    """The machine of the hanging process answers probes, so its silence is tolerated up to `silence-limit` (here 1.5 s)."""
    master = lab.master()
    standby = other(master)
    begin = time.monotonic()
    lab.processes.signal(master, signal.SIGSTOP)
    try:
        wait_for_master(lab, standby)
        assert time.monotonic() - begin >= 1.3
        told = lab.icr("show", "services", "redundancy-group", "extensive", chassis=standby).stdout
    finally:
        lab.processes.signal(master, signal.SIGCONT)
    assert "probe: machine lives, process late" in told
    counters = dict(re.findall(r"^ +([a-z-]+) +(\d+)$", told, re.MULTILINE))
    # Probes go to the addresses on the service networks, too, and all are answered.
    assert int(counters["probes-answered"]) > 10
    assert int(counters["probes-answered"]) >= int(counters["probes-sent"]) * 0.9
    wait_until(lambda: lab.roles()[master].role == "standby", 10, f"{master} to be standby")
