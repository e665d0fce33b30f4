"""Two chassis with two services cards each, both chassis master of one redundancy set: one answer from the cluster."""

import re
from collections import Counter

import pytest

from lab.netlab import CHASSIS, SERVER, SECOND_SERVER, parse_count, wait_until

pytestmark = pytest.mark.cluster("two-cards.yaml")
SERVERS = (SERVER, SECOND_SERVER)
CONNECTIONS = 20  # through each redundancy set


@pytest.fixture
def masters(network):
    """Both chassis run; {redundancy set: its master}."""
    for name in CHASSIS:
        network.start_chassis(name)
    return {name: network.wait_for_redundancy(set_name=name)[0] for name in ("rs1", "rs2")}


@pytest.fixture
def connections(network, work, masters):
    """Open TCP connections through both sets: their clients as (address, port)."""
    script = f"""
import socket, sys, time
links = []
for server in {SERVERS}:
    for _ in range({CONNECTIONS}):
        links.append(socket.create_connection((server, 8000), 10))
for link in links:
    print(*link.getsockname(), flush=True)
time.sleep(600)
"""
    network.start("connections", "client", "/usr/bin/python3", "-c", script, stdout="out")

    def made():
        with open(network.processes.output_file("connections"), encoding="ascii") as out:
            lines = out.read().split("\n")[:-1]
        return len(lines) == CONNECTIONS * len(SERVERS) and [tuple(line.split()) for line in lines]

    return wait_until(made, 20, "the connections")


def initiators(text):
    """How often each (card, address, port) is the initiator of a session that is shown, in either layout."""
    found, card = Counter(), None
    for line in text.splitlines():
        if match := re.match(r"(ms-\S+)$", line):
            card = match.group(1)
        elif match := re.match(r"TCP\s+(\S+):(\d+)\s+->.* I\s*\d+$", line):
            found[card, match.group(1), match.group(2)] += 1
        elif match := re.match(r"\s+In: (\S+)/(\d+) --> \S+;tcp, .* If: (vms-[\d/]+)\.\d+,", line):
            found[match.group(3), match.group(1), match.group(2)] += 1
    return found


def expected(clients, card_of_inside):
    return Counter((card_of_inside[address.rpartition(".")[0]], address, port) for address, port in clients)


def test_each_session_is_shown_once_and_by_its_master(network, masters, connections):
    assert masters == {"rs1": "left", "rs2": "right"}
    wait_until(lambda: network.session_count("left") == network.session_count("right"), 10, "equal twins")
    shown = network.icr("show services sessions")
    cards = {"198.18.0": "ms-0/0/0", "198.18.1": "vms-3/0/0"}
    assert initiators(shown.stdout) == expected(connections, cards)
    assert network.session_count() == 2 * CONNECTIONS

    # Either chassis alone holds all of them, its own and the twins of the other's.
    for name, own in (("left", ("ms-0/0/0", "vms-1/0/0")), ("right", ("ms-2/0/0", "vms-3/0/0"))):
        alone = network.icr("show services sessions", chassis=name)
        assert initiators(alone.stdout) == expected(connections, dict(zip(("198.18.0", "198.18.1"), own)))


def test_without_one_chassis_the_rest_is_shown_and_the_exit_code_is_3(network, masters, connections):
    wait_until(lambda: network.session_count("left") == network.session_count("right"), 10, "equal twins")
    assert network.stop_chassis("left") == 0
    wait_until(lambda: network.master("rs1") == "right", 10, "right to be master of rs1")
    shown = network.icr("show services sessions", accept=(3,))
    assert "left" in shown.stderr and "right" not in shown.stderr
    cards = {"198.18.0": "ms-2/0/0", "198.18.1": "vms-3/0/0"}
    assert initiators(shown.stdout) == expected(connections, cards)
    count = network.icr("show services sessions count", accept=(3,))
    assert parse_count(count.stdout) == 2 * CONNECTIONS

    network.start_chassis("left")
    assert network.wait_for_redundancy(20, "rs1") == ("right", "left")
    again = network.icr("show services sessions")
    assert initiators(again.stdout) == expected(connections, cards)


def test_nobody_answers(network, masters):
    for name in CHASSIS:
        network.stop_chassis(name)
    shown = network.icr("show services sessions", accept=(3,))
    assert shown.stdout == "" and all(name in shown.stderr for name in CHASSIS)
