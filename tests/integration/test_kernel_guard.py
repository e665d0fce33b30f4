"""Case field.steering-lost-while-running: other programs touch the kernel state that a chassis relies on.

Whatever is removed, no packet with an inside source may appear outside, and no request from outside may appear inside."""

import leaks
import pytest
from arrivals import Arrivals

from lab.netlab import CHASSIS, wait_until


@pytest.fixture
def busy(lab, work):
    """Traffic of both families runs, and both sides are watched."""
    work.start_ping()
    work.start_udp(rate=100)
    lab.leaks = leaks.Leaks(lab)
    return lab


BOTH_KINDS_OF_PORT = pytest.mark.parametrize(
    "cluster_file", ["two-chassis.yaml", "af-packet.yaml"], indirect=True, ids=["tun", "af-packet"]
)
FLUSHES = [leaks.flush_rules, leaks.flush_tables, leaks.flush_nftables, leaks.flush_everything]


def wait_for_answers(work, count, what):
    """Waits until this many more datagrams are answered, whichever way they take."""
    before = work.udp_progress()["received"]
    wait_until(lambda: work.udp_progress()["received"] >= before + count, 10, f"{count} answers {what}")


def arrived(lab):
    """Returns how many packets have arrived at both chassis from inside and outside."""
    files = [f"/sys/class/net/{interface}/statistics/rx_packets" for interface in ("inside0", "outside0")]
    return sum(sum(map(int, lab.run(name, "cat", *files).stdout.split())) for name in CHASSIS)


def wait_for_arrivals(lab, count, what):
    """Waits until this many packets have arrived at a chassis. If nothing leaks, none was forwarded."""
    before = arrived(lab)
    wait_until(lambda: arrived(lab) >= before + count, 10, f"{count} packets at the chassis {what}")


def state_of(lab, chassis):
    """Returns the rules, routes and nftables of the chassis that icrd made."""
    tables = ["ip rule show priority 7299", "ip -6 rule show priority 7299", "ip rule show priority 7300", "ip -6 rule show priority 7300", "ip route show proto 73",
              "ip -4 route show table all proto 73", "ip -6 route show table all proto 73",
              f"nft -s list table inet icr-guard-{chassis}"]  # fmt: skip
    return [sorted(lab.run(chassis, *table.split(), check=False).stdout.splitlines()) for table in tables]


@BOTH_KINDS_OF_PORT
def test_what_another_program_flushes_is_put_back_and_nothing_leaks(busy, work):
    master = busy.master()
    whole = state_of(busy, master)
    for flush in 3 * FLUSHES:
        flush(busy, master)
        wait_until(lambda: state_of(busy, master) == whole, 2, f"what {flush.__name__} took to be back", interval=0.005)
        wait_for_answers(work, 25, f"after what {flush.__name__} took is back")
        busy.leaks.assert_none(flush.__name__)
    assert busy.master() == master, "what can be had again is no reason for a takeover"
    gap = work.stop_ping()["longest_gap_ms"]
    print("longest gap of ping:", gap, "ms")
    assert gap < 500
    assert "put back" in busy.log_tail(master, 200)


def test_a_device_that_was_down_carries_traffic_again(busy, work):
    master = busy.master()
    for device in [port for port in ("ms000.1", "ms000.2", "ms100.1", "ms100.2") if port[2] == "01"[master == "right"]]:
        busy.run(master, "ip", "link", "set", device, "down")
        wait_until(lambda: ",UP" in busy.run(master, "ip", "link", "show", "dev", device).stdout, 2, f"{device} to be up")
    assert busy.master() == master
    assert work.stop_ping()["longest_gap_ms"] < 600
    busy.leaks.assert_none("TUN devices down")


@pytest.mark.parametrize("setting", ["net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"])
def test_forwarding_of_the_machine_may_be_switched_off(busy, work, setting):
    master = busy.master()
    busy.run(master, "sysctl", "-w", setting)
    wait_for_answers(work, 100, f"with {setting}")
    assert busy.master() == master
    Arrivals(busy).all_pings_answered(3, "2001:db8:19::10")
    assert work.stop_ping()["longest_gap_ms"] < 600
    busy.leaks.assert_none(setting)


@BOTH_KINDS_OF_PORT
def test_nothing_leaks_at_a_chassis_that_was_killed_or_stopped_and_starts_again(busy):
    for end in (busy.kill_chassis, busy.stop_chassis):
        for name in CHASSIS:
            busy.kill_chassis(name) if end == busy.kill_chassis else busy.stop_chassis(name)
        # The virtual addresses of a dead chassis remain for three seconds, so traffic still arrives here.
        wait_for_arrivals(busy, 50, "that are dead")
        for name in CHASSIS:
            leaks.flush_rules(busy, name)
        wait_for_arrivals(busy, 50, "that are dead and have no rules")
        for name in CHASSIS:
            busy.start_chassis(name)
        busy.wait_for_redundancy()
        busy.leaks.assert_none(f"{end.__name__}, flush of the rules, start")
    wait_until(lambda: " 0% packet loss" in busy.run("client", "ping", "-c", "1", "-W", "1", "198.19.0.10", check=False).stdout,
               10, "traffic to pass again")  # fmt: skip


@BOTH_KINDS_OF_PORT
def test_nothing_leaks_at_a_standby(busy):
    """The client sends to the standby by hand, as a neighbour does that has not heard of a change of roles."""
    standby = next(name for name in CHASSIS if name != busy.master())
    busy.run("client", "ip", "route", "replace", "default", "via", f"198.18.0.{2 if standby == 'left' else 3}")
    dropped = busy.card_counters(standby)["not-master"]
    wait_until(lambda: busy.card_counters(standby)["not-master"] > dropped, 5, "the client's packets at the standby")
    leaks.flush_everything(busy, standby)
    # Some arrive while the rules are missing, the others when they are back.
    wait_for_arrivals(busy, 50, "of which one is a standby without its rules")
    dropped = busy.card_counters(standby)["not-master"]
    wait_until(lambda: busy.card_counters(standby)["not-master"] >= dropped + 20, 5, "packets at the standby's card again")
    busy.leaks.assert_none("a standby without its rules")


@BOTH_KINDS_OF_PORT
def test_the_guard_stays_until_it_is_taken_away_by_one_command(busy):
    """Without the guard the chassis is a plain router. This also shows that the test would see a leak."""
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


@BOTH_KINDS_OF_PORT
def test_nothing_leaks_at_a_chassis_whose_interfaces_are_renamed(busy):
    """Neither policy rules nor nftables rules by name apply to them any more, while the kernel routes on."""
    master = busy.master()
    for place, interface, gateway in (("client", "inside0", "198.18.0.1"), ("server", "outside0", "198.19.0.1")):
        mac = busy.run(master, "cat", f"/sys/class/net/{interface}/address").stdout.strip()
        busy.run(place, "ip", "neigh", "replace", gateway, "lladdr", mac, "dev", "eth0", "nud", "permanent")

    def rename(before, after):
        for words in ("down", f"name {after}", "up"):
            busy.run(master, "ip", "link", "set", after if words == "up" else before, *words.split())

    def received():
        return int(busy.run(master, "cat", "/sys/class/net/new-inside0/statistics/rx_packets").stdout)

    for interface in ("inside0", "outside0"):
        rename(interface, f"new-{interface}")
    wait_until(lambda: busy.master() not in (None, master), 5, "the other member to be master")
    before = received()
    wait_until(lambda: received() >= before + 100, 10, "the client's packets at the renamed interface")
    busy.leaks.assert_none("renamed")
    for interface in ("inside0", "outside0"):
        rename(f"new-{interface}", interface)
    wait_until(lambda: "can be used again" in busy.log_tail(master, 30), 5, "the interfaces to be known again")
    busy.leaks.assert_none("renamed back")
