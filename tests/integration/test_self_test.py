"""The self-test: packets of a chassis' own go through its ports and engine. A member in which they do not come out gives
mastership up and says why, although its links and its kernel state are as they should be."""

import re
import time

import pytest
from test_health import other

from lab.netlab import CHASSIS, wait_until

# What other programs do to a device that they believe to be theirs: they add a shaper, or a firewall on frames.
BREAKS = {
    "shaper": ("tc qdisc replace dev {device} root pfifo limit 0", "tc qdisc del dev {device} root"),
    "frame-filter": (
        "nft table netdev shield {{ chain in {{ type filter hook ingress device {device} priority 0 ; drop ; }} ; }}",
        "nft delete table netdev shield",
    ),
}


def device(chassis, unit):
    return f"ms{list(CHASSIS).index(chassis)}00.{unit}"


def told(lab, chassis):
    """Returns the reasons of a chassis for being ill; nothing if it is well."""
    shown = lab.icr("show services redundancy-group extensive", chassis=chassis, accept=None).stdout
    return "".join(re.findall(r"Local health status: (.*)", shown))


def self_tests(lab, chassis):
    counters = lab.card_counters(chassis)
    return {name: counters[f"self-tests-{name}"] for name in ("sent", "returned", "failed", "excused", "forwarded")}


@pytest.mark.parametrize("guard", ["yes", "no"])
def test_it_returns_all_the_time_and_nobody_sees_it(network, guard):
    network.change_cluster_file(r"(    data-folder: .*)", rf"\g<1>\n    kernel-guard: {guard}")
    # Of the cables of all machines, the inter-chassis link included.
    network.start("cables", "switch", "tcpdump", "-l", "-n", "-i", "any",
                  "ip proto 253 or host 192.0.0.8 or net 192.0.0.128/26 or host 224.0.0.254", stdout="out")  # fmt: skip
    wait_until(lambda: "listening on" in network.log_tail("cables"), 10, "tcpdump to listen")
    for name in CHASSIS:
        network.start_chassis(name)
    network.wait_for_redundancy()
    for name in CHASSIS:  # the standby tests itself as well
        wait_until(lambda: self_tests(network, name)["returned"] >= 10, 15, f"self-tests of {name} to return")
        seen = self_tests(network, name)
        assert seen["failed"] == 0, seen
        assert "self-test" not in told(network, name)
        assert network.session_count(name) == 0
        counters = network.card_counters(name)
        assert not counters["sessions-created"] and not counters["not-master"] and not counters["firewall-discards"]
    with open(network.processes.output_file("cables"), encoding="utf-8") as out:
        assert not (lines := out.read()), f"test packets left the machine: {lines}"
    shown = network.icr("show services stateful-firewall statistics extensive").stdout
    assert "accepts" in shown.lower() and not re.findall(r": [1-9]\d*\b", shown), shown


@pytest.mark.parametrize("unit", [1, 2])
@pytest.mark.parametrize("kind", BREAKS)
def test_mastership_leaves_a_member_whose_packets_do_not_come_out(lab, work, kind, unit):
    breaks, mends = BREAKS[kind]
    master = lab.master()
    work.start_ping()
    time.sleep(0.5)
    began = time.monotonic()
    lab.run(master, *breaks.format(device=device(master, unit)).split())
    wait_until(lambda: lab.master() == other(master), 6, "the other member to be master")
    print(f"{kind} at unit {unit}: takeover after {time.monotonic() - began:.1f} s")
    way = (1, 2) if (kind == "shaper") == (unit == 1) else (2, 1)
    reason = f"self-test: packets into unit {way[0]} ({device(master, way[0])}) do not come out of unit {way[1]} ({device(master, way[1])})"
    assert reason in told(lab, master) and reason in lab.log_tail(master, 100)
    assert "carrier" not in told(lab, master) and "is down" not in told(lab, master)
    gap = work.stop_ping()["longest_gap_ms"]
    print("longest gap of ping:", gap, "ms")
    assert gap < 6000
    lab.run(master, *mends.format(device=device(master, unit)).split())
    wait_until(lambda: reason not in told(lab, master), 10, "health again")
    assert lab.master() == other(master)


def test_a_standby_is_known_to_be_ill_before_it_becomes_master(lab):
    master = lab.master()
    standby = other(master)
    lab.run(standby, *BREAKS["shaper"][0].format(device=device(standby, 2)).split())
    wait_until(lambda: "self-test" in told(lab, standby), 6, "the standby to be ill")
    refused = lab.icr("request services redundancy-set rs1 switchover", accept=None)
    assert refused.returncode != 0 and lab.master() == master
    lab.run(standby, *BREAKS["shaper"][1].format(device=device(standby, 2)).split())
    wait_until(lambda: "self-test" not in told(lab, standby), 10, "health again")


def test_a_weight_of_zero_only_tells(network):
    network.change_cluster_file(r"(    service-sets: \[.*)", r"\g<1>\n    health: { self-test: 0 }")
    for name in CHASSIS:
        network.start_chassis(name)
    network.wait_for_redundancy()
    master = network.master()
    network.run(master, *BREAKS["shaper"][0].format(device=device(master, 1)).split())
    wait_until(lambda: "self-test" in told(network, master), 6, "the reason")
    time.sleep(1)
    assert network.master() == master
