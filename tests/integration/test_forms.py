"""Answers as XML and JSON of a real cluster, also while a chassis dies in the middle of a listing."""

import json
import re
import subprocess
from xml.etree import ElementTree

from lab.netlab import CHASSIS, parse_count, wait_until

SESSIONS = 20_000


def plain(tree):
    """Takes the namespaces away, as clients of Junos do."""
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    return tree


def xml(lab, line, **options):
    return plain(ElementTree.fromstring(lab.icr(line, "| display xml", **options).stdout))


def leaf(rows, name):
    return [row[name][0]["data"] for row in rows]


def make_sessions(lab, work, count):
    """Makes sessions that both chassis hold. Returns (master, standby)."""
    roles = lab.wait_for_redundancy()
    work.start_sink()
    work.make_sessions(count)
    wait_until(lambda: [lab.session_count(name) for name in CHASSIS] == [count, count], 20, "the sessions on either chassis")
    return roles


def test_three_forms_of_one_answer(lab, work):
    make_sessions(lab, work, SESSIONS)
    text = lab.icr("show services sessions").stdout
    listed = re.findall(r"^Service Set: \S+, Session: (\d+),", text, re.M)
    assert len(listed) == SESSIONS
    sessions = xml(lab, "show services sessions").findall("msp-session-table/msp-session-table-per-interface/msp-session")
    assert [each.findtext("session-id") for each in sessions] == listed
    answer = json.loads(lab.icr("show services sessions | display json").stdout)
    (table,) = answer["msp-session-table"][0]["msp-session-table-per-interface"]
    assert leaf(table["msp-session"], "session-id") == listed

    count = xml(lab, "show services sessions count")
    counted = sum(int(each.text) for each in count.iter("sess-count"))
    assert counted == len(listed) == parse_count(lab.icr("show services sessions count").stdout)
    rpc = xml(lab, "show services sessions source-prefix 198.18.0.0/16 count", accept=(0,))
    assert rpc.find("service-msp-sess-count-information") is not None
    call = plain(ElementTree.fromstring(lab.icr("show services sessions limit 3 | display xml rpc").stdout))
    assert call.findtext("rpc/get-msp-session-table/limit") == "3"
    # A script that counts lines gets what it asks for: pipes work on the chosen form.
    assert lab.icr("show services sessions limit 3 | display xml | count").stdout.startswith("Count: ")


def test_each_chassis_by_itself(lab, work):
    master, _ = make_sessions(lab, work, 2000)
    results = xml(lab, "show services sessions count member all").find("multi-routing-engine-results")
    items = results.findall("multi-routing-engine-item")
    counts = {item.findtext("re-name"): int(item.findtext(".//sess-count")) for item in items}
    assert set(counts) == {"left", "right"}
    assert counts[master] == parse_count(lab.icr("show services sessions count").stdout)
    one = json.loads(lab.icr(f"show services sessions count member {master} | display json").stdout)
    assert int(one["service-msp-sess-count-information"][0]["service-msp-sess-count"][0]["sess-count"][0]["data"])
    text = lab.icr("show services sessions count member all").stdout
    assert re.findall(r"^(\w+):\n-{74}$", text, re.M) == ["left", "right"]
    groups = xml(lab, "show services redundancy-group").findall("rg-information/rg-state-information")
    path = "services-rg-information/services-rg-rs-information/local-rs-state"
    assert sorted(each.findtext(path) for each in groups) == ["MASTER", "STANDBY"]


def test_a_chassis_that_dies_in_the_middle_of_a_listing(lab, work):
    master, _ = make_sessions(lab, work, SESSIONS)
    icr = [f"{lab.programs}/icr", "--cluster", lab.cluster_file, "show", "services", "sessions", "extensive"]
    with subprocess.Popen(
        lab.command_in("switch", [*icr, "|", "display", "xml"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as asking:
        # The pipe holds 64 KiB of an answer that has many times as much, so icr waits while the chassis dies.
        begin = asking.stdout.read(200_000)
        lab.kill_chassis(master)
        out, error = asking.stdout.read(), asking.stderr.read()
    assert asking.returncode == 3, error
    reply = plain(ElementTree.fromstring(begin + out))
    sessions = reply.findall("msp-session-table/msp-session-table-per-interface/msp-session")
    assert 0 < len(sessions) < SESSIONS
    assert f"chassis {master} did not answer" in reply.findtext("rpc-error/error-message")
    assert f"error: chassis {master} did not answer" in error
    # The other chassis answers for both, and says who is missing.
    answer = xml(lab, "show services sessions count", accept=(3,))
    assert f"chassis {master} did not answer" in answer.findtext("rpc-error/error-message")
    assert int(answer.findtext("service-msp-sess-count-information/service-msp-sess-count/sess-count")) == SESSIONS
