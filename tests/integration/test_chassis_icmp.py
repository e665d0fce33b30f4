"""ICMP errors that the chassis' own kernel makes for packets that have left the card."""

import re

import pytest
from arrivals import Arrivals

from lab.netlab import CHASSIS, CLIENT, SERVER, wait_until
from lab.workload import Workload

POOL = "203.0.113.0/28"


def pool_routes(lab, chassis):
    return [line for line in lab.run(chassis, "ip", "-4", "route", "show", "proto", "73").stdout.splitlines() if POOL in line]


def test_path_mtu_discovery_sees_the_outside_interface(lab):
    """The kernel's "fragmentation needed" reaches the host inside, and it believes it: quoted is what the host sent."""
    master = lab.master()
    arrivals = Arrivals(lab)
    lab.run(master, "ip", "link", "set", "outside0", "mtu", "1400")
    told = lab.run("client", "ping", "-c", "2", "-i", "0.2", "-M", "do", "-s", "1452", SERVER, check=False).stdout
    assert re.search(r"Frag needed and DF set \(mtu = 1400\)", told), told
    assert "mtu 1400" in lab.run("client", "ip", "route", "get", SERVER).stdout
    assert " 0% packet loss" in arrivals.answer_to_ping("-M", "do", "-s", "1372", SERVER)
    counters = lab.card_counters(master)
    assert counters["icmp-errors-translated"] >= 1 and counters["icmp-error-no-session"] == 0


@pytest.mark.cluster("destination-nat.yaml")
def test_rfc4787_req13a_a_service_inside_hears_of_the_outside_mtu(lab):
    """The answer of a service is too long for the path outside. The error names the address that the callers asked for."""
    work = Workload(lab, "server", "client", echo_address=CLIENT)
    work.start_servers()
    lab.run(lab.master(), "ip", "link", "set", "outside0", "mtu", "1400")
    fetched = lab.run("server", "curl", "-sf", "-m", "20", "-o", "/dev/null", "http://203.0.113.8:8000/download?size=200000")
    assert fetched.returncode == 0
    assert "mtu 1400" in lab.run("client", "ip", "route", "get", SERVER).stdout
    assert lab.card_counters(lab.master())["icmp-errors-translated"] >= 1


def test_a_hop_that_is_the_last_one_on_the_chassis_is_told(lab):
    assert "Time to live exceeded" in Arrivals(lab).answer_to_ping("-t", "2", SERVER)


def test_only_the_master_has_the_routes(lab):
    master = lab.master()
    standby = next(name for name in CHASSIS if name != master)
    assert len(pool_routes(lab, master)) == 1 and not pool_routes(lab, standby)
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == standby, 20, "the standby to be master")
    assert len(pool_routes(lab, standby)) == 1
    wait_until(lambda: not pool_routes(lab, master), 5, "the route to go with the device")
    lab.stop_chassis(standby)
    assert not pool_routes(lab, standby)
