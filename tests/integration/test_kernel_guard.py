"""Case field.steering-lost-while-running: other programs touch the kernel state that a chassis relies on.

Packets with an inside source must never be outside, and no request from outside inside, whatever is taken away."""

import time

import leaks
import pytest

from lab.netlab import CHASSIS, wait_until


@pytest.fixture
def busy(lab, work):
    """Traffic of both families runs, and both sides are watched."""
    work.start_ping()
    work.start_udp(rate=100)
    lab.leaks = leaks.Leaks(lab)
    return lab


FLUSHES = [leaks.flush_rules, leaks.flush_tables, leaks.flush_nftables, leaks.flush_everything]


@pytest.mark.parametrize("flush", FLUSHES, ids=lambda flush: flush.__name__)
def test_nothing_leaks_when_another_program_flushes(busy, flush):
    master = busy.master()
    for _ in range(3):
        flush(busy, master)
        time.sleep(0.5)  # what is forwarded past the card in this time is seen
    busy.leaks.assert_none(flush.__name__)


def test_nothing_leaks_at_a_chassis_that_was_killed_or_stopped_and_starts_again(busy):
    for end in (busy.kill_chassis, busy.stop_chassis):
        for name in CHASSIS:
            busy.kill_chassis(name) if end == busy.kill_chassis else busy.stop_chassis(name)
        # The virtual addresses of the dead live on for three seconds, so traffic still comes here.
        time.sleep(0.5)
        for name in CHASSIS:
            leaks.flush_rules(busy, name)
        time.sleep(0.5)
        for name in CHASSIS:
            busy.start_chassis(name)
        busy.wait_for_redundancy()
        busy.leaks.assert_none(f"{end.__name__}, flush of the rules, start")
    wait_until(lambda: " 0% packet loss" in busy.run("client", "ping", "-c", "1", "-W", "1", "198.19.0.10", check=False).stdout,
               10, "traffic to pass again")  # fmt: skip


def test_nothing_leaks_at_a_standby(busy):
    """The client sends to the standby by hand, as a neighbour does that has not heard of a change of roles."""
    standby = next(name for name in CHASSIS if name != busy.master())
    busy.run("client", "ip", "route", "replace", "default", "via", f"198.18.0.{2 if standby == 'left' else 3}")
    time.sleep(0.3)
    leaks.flush_everything(busy, standby)
    time.sleep(0.7)
    busy.leaks.assert_none("a standby without its rules")


def test_the_guard_stays_until_it_is_taken_away_by_one_command(busy):
    """Then the chassis is a plain router, which also shows that a leak would be seen."""
    for name in CHASSIS:
        busy.stop_chassis(name)
        tables = busy.run(name, "nft", "list", "tables").stdout.splitlines()
        assert tables == [f"table inet icr-guard-{name}"]
        busy.run(name, "nft", "delete", "table", "inet", f"icr-guard-{name}")
        assert busy.run(name, "nft", "list", "ruleset").stdout == ""
    busy.leaks.assert_none("stopped")
    for name in CHASSIS:
        busy.run(name, "ip", "address", "add", "198.18.0.1/24", "dev", "inside0")
        leaks.flush_rules(busy, name)
    wait_until(lambda: "IP 198.18.0.10" in str(busy.leaks.lines()), 10, "untranslated packets")
