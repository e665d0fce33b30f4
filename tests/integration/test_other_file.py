"""The members of a pair run different cluster files: one of them has a further thing of every kind, first in its list, so
that every place in a list differs. They are a pair all the same, in both directions, and restart from their checkpoints."""

import json
import re

import pytest
from test_split import ASKER

from lab.netlab import SERVER, wait_until

FLOWS = 100  # of each program

# What the changed file has first in each list.
FIRST = {
    r"^chassis:\n": """  - name: another
    public-keys: ["rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"]
    inter-chassis: { address: 198.51.100.3, port: 7400 }
    query: { address: 198.51.100.3, port: 7300 }
    cards: [{ name: ms-9/0/0, ports: [{ unit: 1, type: tun, device: x1 }, { unit: 2, type: tun, device: x2 }] }]
""",
    r"^service-sets:\n": """  - name: another
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: [another]
    nat-rules: [another]
    interface: { chassis: another, card: ms-9/0/0 }
""",
    r"^  rules:\n(?=    - name: outbound)": """    - { name: another, match-direction: input, terms: [{ name: t, then: accept }] }
""",
    r"^      terms:\n(?=        - name: inside-hosts)": """        - name: another
          from: { applications: [another] }
          then: discard
""",
    r"^  pools:\n": """    - name: another
      address: 203.0.113.128/30
      port: { secured-port-block-allocation: { block-size: 128 } }
""",
    r"^  rules:\n(?=    - name: translate)": """    - name: another
      match-direction: input
      terms: [{ name: t, then: { translated: { source-pool: another, translation-type: napt-44 } } }]
""",
}
REST = """
applications:
  - { name: another, protocol: udp, destination-port: 9 }
"""


class Asker:
    """UDP flows of one program in the client's namespace, each asking ten times a second."""

    def __init__(self, lab, name, first_port):
        self.lab, self.name = lab, name
        lab.start(name, "client", "python3", "-c", ASKER, first_port, FLOWS, SERVER, stdout="out")

    def wait_for_all(self, timeout, what):
        """Waits for a round that begins after this call and in which every flow is answered."""

        def rounds():
            with open(self.lab.processes.output_file(self.name), encoding="ascii") as out:
                return [json.loads(line) for line in out if line.endswith("\n")]

        seen = len(rounds()) + 1
        wait_until(lambda: FLOWS in rounds()[seen:], timeout, f"{self.name}: {what}")


def change(lab):
    """Puts further things in front of every list."""
    for head, first in FIRST.items():
        lab.change_cluster_file(f"(?m){head}", lambda match, first=first: match.group() + first)
    lab.change_cluster_file(r"\Z", REST)


def switch_over(lab, to):
    lab.icr("request services redundancy-set rs1 switchover", accept=(0, 3))
    wait_until(lambda: lab.master() == to, 10, f"{to} to be master")
    lab.wait_for_redundancy(30)


def assert_alike(lab):
    """Both copies have every session."""
    wait_until(lambda: lab.session_count("left") == lab.session_count("right") >= 2 * FLOWS, 20, "both to have every session")


@pytest.mark.cluster("port-blocks.yaml")
def test_a_pair_with_different_files_lives_and_returns_from_its_checkpoints(network, work):
    lab = network
    lab.change_cluster_file("max-blocks-per-address: 4", "max-blocks-per-address: 40")
    for name in ("left", "right"):
        lab.start_chassis(name)
    assert lab.wait_for_redundancy() == ("left", "right")
    first = Asker(lab, "asked-first", 20000)
    first.wait_for_all(20, "answers through left")

    lab.stop_chassis("right")
    change(lab)
    lab.start_chassis("right")
    assert lab.wait_for_redundancy() == ("left", "right")
    second = Asker(lab, "asked-second", 22000)
    second.wait_for_all(20, "answers through left, whose peer has another file")
    assert_alike(lab)
    # Each of them names at most 16 of the keys.
    for name, key in (
        ("left", "stateful-firewall.rules[outbound].terms (this chassis: inside-hosts)"),
        ("left", "chassis[another] (the peer only)"),
        ("right", "nat.pools[another] (this chassis only)"),
    ):
        told = rf"the cluster file differs from that of the peer: service sets: cgn; keys: .*{re.escape(key)}"
        wait_until(lambda name=name, told=told: re.search(told, lab.log_text(name)), 10, f"{name} to name {key}")

    switch_over(lab, "right")
    for asker in (first, second):
        asker.wait_for_all(20, "answers through right")
    third = Asker(lab, "asked-third", 24000)
    third.wait_for_all(20, "answers to what right set up")
    assert_alike(lab)
    switch_over(lab, "left")
    for asker in (first, second, third):
        asker.wait_for_all(20, "answers through left again")
    for name in ("left", "right"):
        counters = lab.card_counters(name)
        wrong = {what: counters[what] for what in ("sessions-refused", "audits-failed", "bindings-made-again",
                 "twin-contested-ports-resolved", "twin-refused-bindings") if counters[what]}  # fmt: skip
        assert not wrong, (name, wrong)

    # Both die, and left reads the changed file now as well.
    for name in ("left", "right"):
        lab.kill_chassis(name)
    for name in ("left", "right"):
        lab.start_chassis(name)
    lab.wait_for_redundancy()
    told = re.findall(r"restored sessions=(\d+)", lab.log_text("left"))
    assert int(told[-1]) >= 3 * FLOWS, told
    assert "the checkpoint was written under another cluster file" in lab.log_text("left")
    for asker in (first, second, third):
        asker.wait_for_all(20, "answers after the loss of both")
    # No flow was translated anew: the server saw each of them as one client.
    assert len(work.echo_peers()) == 3 * FLOWS
