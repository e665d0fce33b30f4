"""What each chassis of a pair says about itself: times, hardware, alarms with the time at which they began."""

import re
import time
import xml.etree.ElementTree as ElementTree

from lab.netlab import CHASSIS, wait_until


def parts(text):
    """{chassis: its part of an answer}."""
    found = re.split(r"^(\S+):\n-{74}\n", text, flags=re.M)
    assert found[0] == "", text
    return dict(zip(found[1::2], found[2::2], strict=True))


def alarms(lab, chassis):
    """[(time, class, description)] of a chassis."""
    shown = lab.icr("show chassis alarms", chassis=chassis, accept=None).stdout
    return re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)  (Major|Minor)  (.*)$", shown, re.M)


def test_a_pair_says_what_it_has_and_how_long_it_runs(lab):
    uptime = parts(lab.icr("show system uptime").stdout)
    assert sorted(uptime) == sorted(CHASSIS)
    for text in uptime.values():
        age = re.search(r"^Protocols started: \S+ \S+ UTC \((\d\d):(\d\d):(\d\d) ago\)$", text, re.M)
        hours, minutes, seconds = map(int, age.groups())
        assert 0 <= 3600 * hours + 60 * minutes + seconds < 600, text
        assert re.search(r"^ ?\d+:\d\d[AP]M  up .*, load averages: \d+\.\d\d, \d+\.\d\d, \d+\.\d\d$", text, re.M), text
    hardware = parts(lab.icr("show chassis hardware").stdout)
    assert re.search(r"^FPC 0.*\n  PIC 0 +0x[0-9a-f]+ +ms-0/0/0\n    Port 1 +tun ms000\.1\n", hardware["left"], re.M)
    assert "ms-1/0/0" in hardware["right"]


def test_alarms_begin_and_end_with_their_causes(lab):
    for name in CHASSIS:
        wait_until(lambda name=name: alarms(lab, name) == [], 10, "no alarms")
    master = lab.master()
    standby = next(name for name in CHASSIS if name != master)
    begun = int(time.time())
    lab.run("switch", "ip", "link", "set", f"{standby}-outside0", "down")
    expected = ("Major", "rs1: interface outside0 has no carrier")
    wait_until(lambda: expected in [alarm[1:] for alarm in alarms(lab, standby)], 5, "the alarm of the interface")
    reply = ElementTree.fromstring(lab.icr("show chassis alarms | display xml", chassis=standby).stdout)
    found = [each for each in reply.iter() if each.tag.endswith("alarm-detail")]
    (detail,) = [each for each in found if any(child.text == expected[1] for child in each)]
    since = [child for child in detail if child.tag.endswith("alarm-time")][0]
    (seconds,) = [int(value) for name, value in since.attrib.items() if name.endswith("seconds")]
    assert begun <= seconds <= time.time()
    lab.kill_chassis(master)
    wait_until(lambda: ("Major", f"rs1: peer {master} is not connected") in [alarm[1:] for alarm in alarms(lab, standby)],
               5, "the alarm of the peer")  # fmt: skip
    all_of_them = lab.icr("show chassis alarms", accept=None)
    assert all_of_them.returncode == 3 and f"chassis {master} did not answer" in all_of_them.stderr
    assert list(parts(all_of_them.stdout)) == [standby]
    lab.run("switch", "ip", "link", "set", f"{standby}-outside0", "up")
    lab.start_chassis(master)
    lab.wait_for_redundancy()
    for name in CHASSIS:
        wait_until(lambda name=name: alarms(lab, name) == [], 20, "no alarms again")


def test_the_logs_of_a_pair_are_one_story(lab):
    master = lab.master()
    line = re.compile(r"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{3})  (\S+) icrd\[(\d+)\]: %DAEMON-([3467]): (.+)$")
    shown = [line.match(each) for each in lab.icr("show log messages").stdout.splitlines()]
    assert len(shown) > 10 and all(shown), shown
    assert {each[2] for each in shown} == set(CHASSIS)
    for before, after in zip(shown, shown[1:]):
        # Threads of one chassis take the time of a line before they queue for the log.
        assert before[1] <= after[1] or before[2] == after[2], (before[0], after[0])
    written = lab.log_text(master)
    assert all(each[5] in written for each in shown if each[2] == master)
    standby = next(name for name in CHASSIS if name != master)
    lab.icr("request services redundancy-set rs1 switchover")
    wait_until(lambda: lab.master() == standby, 10, "the other master")

    def changes():
        told = lab.icr("show log messages | match set=rs1 | match role=master").stdout
        return [line.match(each)[2] for each in told.splitlines()]

    wait_until(lambda: changes()[-1:] == [standby], 5, "the line of the new master")
    reply = ElementTree.fromstring(lab.icr("show log messages | display xml", chassis=standby).stdout)
    (content,) = [each.text for each in reply.iter() if each.tag.endswith("file-content")]
    assert content.splitlines()[0].split()[3] == standby and "%DAEMON-6: " in content


def card_of(chassis):
    return "ms-0/0/0" if chassis == "left" else "ms-1/0/0"


def test_interfaces_count_what_goes_through_them(lab, work):
    master = lab.master()
    card = card_of(master)
    work.start_ping()

    def rates():
        shown = lab.icr(f"show interfaces {card}", chassis=master).stdout
        found = re.findall(r"^  (?:Input|Output) rate +: (\d+) bps \((\d+) pps\)$", shown, re.M)
        assert len(found) == 2, shown
        return [int(value) for pair in found for value in pair]

    wait_until(lambda: min(rates()) > 0, 10, "rates of both directions")
    hits = lab.icr("show services policies hit-count").stdout
    assert any(int(count) > 0 for count in re.findall(r"^\d+ .* (\d+)$", hits, re.M)), hits
    assert parts(lab.icr(f"show interfaces {card}").stdout).keys() == {master}, "only one chassis has it"
    work.stop_ping()
    wait_until(lambda: max(rates()[1::2]) < 5, 10, "rates that end with the traffic")
    terse = parts(lab.icr("show interfaces terse").stdout)
    assert re.search(rf"^{card} +up +up$", terse[master], re.M), terse
    packets = lab.icr(f"show interfaces {card}.1", chassis=master).stdout
    assert int(re.search(r"Input packets : (\d+)", packets)[1]) > 0
    device = re.search(r"Port: tun (\S+), Link is Up", packets)[1]
    lab.run(master, "ip", "link", "delete", device)
    shown = lab.icr(f"show interfaces {card}.1", chassis=master, accept=None).stdout
    assert f"Port: tun {device}, Link is missing" in shown, shown
    shown = lab.icr(f"show interfaces {card}.1 terse", chassis=master, accept=None).stdout
    assert re.search(rf"^{card}\.1 +down +down", shown, re.M), shown
    assert lab.icr("show interfaces ms-9/0/0", accept=None).returncode == 1


def connections(lab, chassis):
    """How many connections of clients a chassis has accepted."""
    shown = lab.icr("show services service-sets statistics packet-drops extensive", chassis=chassis).stdout
    return int(re.search(r"^ +query-connections-accepted +(\d+)$", shown, re.M)[1])


def test_a_client_with_few_descriptors_asks_one_chassis_after_the_other(lab):
    """A question to a thousand chassis needs thousands of descriptors, and a process may have fewer of them."""
    icr = [f"{lab.programs}/icr", "--cluster", lab.cluster_file, "show services sessions analysis"]
    begin = connections(lab, "left")
    whole = lab.run("switch", *icr).stdout
    middle = connections(lab, "left")
    assert middle - begin == 2, "one connection is enough for several questions, and one asked for this number"
    few = lab.run("switch", "prlimit", "--nofile=68:68", *icr)
    assert few.stderr == "" and few.stdout.count("ms-") == whole.count("ms-") == 2, (few, whole)
    assert connections(lab, "left") - middle == 3, "it was left alone while the other one was asked"
