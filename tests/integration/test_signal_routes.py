"""Signal routes: a routing daemon (FRR, BGP) that redistributes them announces the chassis of the master
(docs/steering.md)."""

import os
import re
import shutil
import signal
import time

import pytest

from lab.netlab import CHASSIS, wait_until

PREFIX, TABLE = "192.0.2.0/24", 100
FRR = "/usr/lib/frr"
ROUTER = ("server", "198.19.0.10", 65000)  # whom the chassis tell
SPEAKERS = {"left": ("198.19.0.2", 65001), "right": ("198.19.0.3", 65002)}


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


def start(network, signal_route):
    network.change_cluster_file(r"(    service-sets: \[\w+\]\n)", rf"\1    signal-routes: [{{ {signal_route} }}]\n")
    for name in CHASSIS:
        network.start_chassis(name)
    return network.wait_for_redundancy()


def signals(lab, place, table=TABLE):
    """The signal routes in the kernel of a place."""
    return lab.run(place, "ip", "-4", "route", "show", PREFIX, "table", table, check=False).stdout.strip()


def test_the_route_is_where_the_master_is(network):
    lab = network
    master, standby = start(lab, f"prefix: {PREFIX}, table: {TABLE}")
    assert re.match(rf"{re.escape(PREFIX)} dev ms\S+ proto \S+ scope link metric 7300", signals(lab, master))
    assert signals(lab, standby) == ""
    # Somebody deletes it.
    lab.run(master, "ip", "route", "del", PREFIX, "table", TABLE)
    wait_until(lambda: signals(lab, master), 5, "the signal route to be put back")
    # A switchover moves it.
    lab.icr("request services redundancy-set rs1 switchover")
    wait_until(lambda: signals(lab, standby) and not signals(lab, master), 5, "the signal route to move")
    # A process that dies leaves none behind, although nobody is there to remove it.
    lab.kill_chassis(standby)
    assert signals(lab, standby) == ""
    wait_until(lambda: signals(lab, master), 5, "the signal route at the new master")
    # Nor does one that ends in good order.
    assert lab.stop_chassis(master) == 0
    assert signals(lab, master) == ""


def test_a_process_that_hangs_loses_the_route_in_the_main_table_with_its_addresses(network):
    lab = network
    master, standby = start(lab, f"prefix: {PREFIX}")
    assert "src 198.18.0.1" in signals(lab, master, "main")
    lab.processes.signal(master, signal.SIGSTOP)
    try:
        wait_until(lambda: signals(lab, standby, "main"), 10, "the signal route at the chassis that takes over")
        wait_until(lambda: not signals(lab, master, "main"), 10, "the signal route of the process that hangs to vanish")
    finally:
        lab.processes.signal(master, signal.SIGCONT)
    assert lab.wait_for_redundancy() == (standby, master)
    assert signals(lab, standby, "main") and not signals(lab, master, "main")


class Routing:
    """zebra and bgpd in a place of the lab, in a folder of their own."""

    def __init__(self, lab, place, configuration):
        self._lab, self._place = lab, place
        folder = os.path.join(lab.folder, f"frr-{place}")
        os.makedirs(folder)
        shutil.chown(folder, "frr", "frr")  # whose rights the programs take
        self.vty = folder
        common = ["--vty_socket", folder, "-z", f"{folder}/zserv.api"]
        for daemon, text in (("zebra", ""), ("bgpd", configuration)):
            file = os.path.join(folder, f"{daemon}.conf")
            with open(file, "w", encoding="ascii") as out:
                out.write(f"hostname {place}\n{text}")
            lab.start(f"{daemon}-{place}", place, f"{FRR}/{daemon}", "-f", file, "-i", f"{folder}/{daemon}.pid", *common)
            wait_until(lambda daemon=daemon: os.path.exists(f"{folder}/{daemon}.vty"), 10, f"{daemon} of {place}")

    def show(self, *words):
        command = ["vtysh", "--vty_socket", self.vty, "-d", "bgpd", "-c", " ".join(words)]
        return self._lab.run(self._place, *command, check=False).stdout


def neighbors(*each):
    """The lines of a BGP router about its neighbors: (address, AS)."""
    lines = ["no bgp ebgp-requires-policy", "bgp log-neighbor-changes"]
    for address, number in each:
        lines += [f"neighbor {address} remote-as {number}", f"neighbor {address} timers 1 3"]
        lines += [f"neighbor {address} timers connect 1", f"neighbor {address} advertisement-interval 0"]
    return "".join(f" {line}\n" for line in lines)


@pytest.mark.quiet
def test_bgp_announces_the_chassis_of_the_master(network):
    lab = network
    master, standby = start(lab, f"prefix: {PREFIX}")
    place, address, number = ROUTER
    router = Routing(lab, place, f"router bgp {number}\n bgp router-id {address}\n" + neighbors(*SPEAKERS.values()))
    for name, (own, own_number) in SPEAKERS.items():
        text = f"router bgp {own_number}\n bgp router-id {own}\n" + neighbors((address, number))
        text += " address-family ipv4 unicast\n  redistribute kernel route-map signals\n exit-address-family\n"
        text += f"ip prefix-list signals permit {PREFIX}\nroute-map signals permit 10\n match ip address prefix-list signals\n"
        Routing(lab, name, text)

    def next_hop():
        found = re.search(r"via (\S+)", lab.run(place, "ip", "route", "show", PREFIX).stdout)
        return found[1] if found else None

    def wait_for(name):
        begin = time.monotonic()
        wait_until(lambda: next_hop() == SPEAKERS[name][0], 20, f"{PREFIX} by {name}; {router.show('show ip bgp')}", 0.002)
        return (time.monotonic() - begin) * 1000

    wait_for(master)
    lab.icr("request services redundancy-set rs1 switchover")
    switched = wait_for(standby)
    lab.wait_for_redundancy()
    lab.kill_chassis(standby)
    killed = wait_for(master)
    print(f"announced by the new master after {switched:.0f} ms (switchover), {killed:.0f} ms (kill)")
    assert router.show("show ip bgp").count(PREFIX) == 1, "the dead chassis is announced no more"
