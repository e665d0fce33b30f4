"""Case field.master-with-dead-link: a member that cannot do its work gives mastership up, and says why."""

import os
import re
import time

import leaks
import pytest

from lab.netlab import CHASSIS, wait_until


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


def cable(lab, chassis, interface, state):
    """Plugs the far end of a cable in or out: the chassis sees its carrier come or go."""
    lab.run("switch", "ip", "link", "set", f"{chassis}-{interface}", state)


def told(lab, chassis):
    """Returns the health of a chassis as it reports it."""
    shown = lab.icr("show services redundancy-group extensive", chassis=chassis, accept=None).stdout
    return re.findall(r"Local health status: (.*)", shown)[0]


@pytest.mark.parametrize("dead", [("outside0",), ("inside0",), ("inside0", "outside0")], ids="+".join)
def test_a_hot_standby_takes_over_from_a_master_whose_link_is_dead(lab, work, dead):
    work.start_ping()
    watcher = leaks.Leaks(lab)
    master = lab.master()
    for interface in dead:
        cable(lab, master, interface, "down")
    wait_until(lambda: lab.master() == other(master), 3, "the healthy member to be master")
    wait_until(lambda: all(f"interface {name} has no carrier" in told(lab, master) for name in dead), 3, "the reasons")
    gap = work.stop_ping()["longest_gap_ms"]
    print("longest gap of ping:", gap, "ms")
    assert gap < 1500
    for interface in dead:
        cable(lab, master, interface, "up")
    wait_until(lambda: "has no carrier" not in told(lab, master), 3, "health again")
    watcher.assert_none("links are dead")


def processor_seconds(lab, chassis):
    """Returns the processor time that all threads of icrd have used so far."""
    with open(f"/proc/{lab.processes.pid(chassis)}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_master_whose_device_is_deleted_says_so_and_gives_mastership_up_and_sleeps(lab, work):
    work.start_ping()
    watcher = leaks.Leaks(lab)
    master = lab.master()
    device = "ms000.1" if master == "left" else "ms100.1"
    lab.run(master, "ip", "link", "delete", device)
    wait_until(lambda: lab.master() == other(master), 3, "the healthy member to be master")
    assert f"device {device} is gone" in told(lab, master)
    assert f"device {device} is gone; a restart of icrd makes it again" in lab.log_tail(master, 100)
    assert lab.wait_for_redundancy(10) == (other(master), master)
    # A descriptor that is always ready would keep its worker, which runs before everything else, from sleeping.
    before, begun = processor_seconds(lab, master), time.monotonic()
    answers = work.ping_answers()
    wait_until(lambda: work.ping_answers() >= answers + 20, 5, "traffic through the other member")
    assert processor_seconds(lab, master) - before < 0.3 * (time.monotonic() - begun)
    lab.stop_chassis(master)
    lab.start_chassis(master)
    lab.wait_for_redundancy()
    assert device not in told(lab, master)
    watcher.assert_none("a device was deleted")


def test_two_ill_members_do_not_fight(lab):
    master = lab.master()
    for name in CHASSIS:
        cable(lab, name, "outside0", "down")
    wait_until(lambda: all("has no carrier" in told(lab, name) for name in CHASSIS), 3, "both to be ill")
    settled = lab.master()
    # Both decide again with each heartbeat.
    sent = {name: lab.card_counters(name)["heartbeats-sent"] for name in CHASSIS}
    wait_until(lambda: all(lab.card_counters(name)["heartbeats-sent"] >= sent[name] + 20 for name in CHASSIS), 10,
               "twenty heartbeats of each")  # fmt: skip
    assert lab.master() == settled in (master, other(master))
    changes = sum(len(re.findall("role=MASTER", lab.log_tail(name, 500))) for name in CHASSIS)
    assert changes <= 2, "one election, and at most one takeover while one of them was still healthy"


def test_ipv6_that_is_switched_on_later_has_its_way_before_its_address(network):
    """Case field.ipv6-on-after-start."""
    for name in CHASSIS:
        network.run(name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        network.start_chassis(name)
    network.wait_for_redundancy()
    master = network.master()
    assert "disable_ipv6" in network.log_tail(master, 100)
    assert "CAP_NET_ADMIN" not in network.log_tail(master, 100)
    for name in CHASSIS:
        network.run(name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0")

    def held():
        return "2001:db8:18::1/64" in network.run(master, "ip", "-6", "address", "show", "dev", "inside0").stdout

    wait_until(held, 10, "the virtual address")
    assert "iif inside0 lookup" in network.run(master, "ip", "-6", "rule", "show", "priority", "7300").stdout
    device = "ms000" if master == "left" else "ms100"
    routes = network.run(master, "ip", "-6", "route", "show", "table", "all", "proto", "73").stdout
    assert f"default dev {device}.1" in routes and f"default dev {device}.2" in routes
