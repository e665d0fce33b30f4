"""The lab understands every state that `show services redundancy-group` can print (field.lab-reads-warned-as-none)."""

import re

import pytest
from captures import ROOT

from lab.netlab import LabError, parse_roles

BLOCK = """Chassis: left

RG-ID 1, RS-ID 1: state {}, peer {}, health: Passed
   Redundancy set: rs1, connection: Connected
   Service set cgn: stateful sync {}
"""


def states_of_the_program():
    """Returns the words of `Role` (a warned standby or claimant has another word) and of `Sync`, from the source of the
    functions that write them."""
    source = (ROOT / "model" / "record" / "role.cpp").read_text(encoding="utf-8")

    def words(enumeration):
        body = re.search(rf"to_string\({enumeration} \w+\) \{{(.*?)\n\}}", source, re.S).group(1)
        return list(dict.fromkeys(re.findall(r'return "(.+?)";', body)))

    return [*words("Role"), "STANDBY (WARNED)", "CLAIMING (WARNED)"], words("Sync")


ROLE_WORDS, SYNC_WORDS = states_of_the_program()


def test_the_program_has_states():
    assert {"MASTER", "STANDBY", "CLAIMING", "INITIALIZING"} <= set(ROLE_WORDS) and len(SYNC_WORDS) >= 3


@pytest.mark.parametrize("sync", SYNC_WORDS)
@pytest.mark.parametrize("role", ROLE_WORDS)
def test_every_state_is_read(role, sync):
    read = parse_roles(BLOCK.format(role, "MASTER", sync), "rs1")["left"]
    assert read.role == role.lower().removesuffix(" (warned)")
    assert read.warned == ("WARNED" in role)
    assert read.state == sync.lower().split()[0]


def test_a_state_that_nobody_knows_is_an_error():
    with pytest.raises(LabError, match="'confused'"):
        parse_roles(BLOCK.format("CONFUSED", "MASTER", "hot"), "rs1")
