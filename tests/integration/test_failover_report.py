"""The report that a new master writes after a takeover, compared with what the traffic saw (docs/failover-report.md)."""

import json
import os
import re
import socket
import struct
import time

import pytest
from new_flows import RATE, Flows, sessions

from lab import netns
from lab.netlab import CHASSIS, SINK, wait_until

ETH_P_IP = 0x0800
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
PROBE_PORT = 9
PROBE_RATE = 1000  # packets per second
AGREEMENT_US = 5000

pytestmark = pytest.mark.quiet


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


class Probe:
    """One flow of UDP packets at a steady rate, and the chassis by which each of them left, as the server's interface saw
    it: the kernel's time, and the sender's Ethernet address."""

    def __init__(self, lab):
        self.macs = {self._mac(lab, name): name for name in CHASSIS}
        place = lab.namespace("server")
        self._link = netns.open_socket(place, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self._link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._link.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        with netns.entered(place):
            self._link.bind(("eth0", ETH_P_IP))
        self._link.setblocking(False)
        self._listener = netns.open_socket(place, socket.AF_INET, socket.SOCK_DGRAM)
        self._listener.bind((SINK, PROBE_PORT))  # so that packets are not answered by ICMP errors
        lab.start_tool("probe", "client", "udp_client.py", "--server", SINK, "--port", PROBE_PORT, "--rate", PROBE_RATE)
        self._seen = []
        wait_until(self.seen, 10, "the first packet of the probe")

    @staticmethod
    def _mac(lab, chassis):
        text = lab.run(chassis, "cat", "/sys/class/net/outside0/address").stdout
        return bytes.fromhex(text.strip().replace(":", ""))

    def seen(self):
        """Every packet so far: (microseconds of CLOCK_MONOTONIC, chassis)."""
        ahead = time.time_ns() - time.monotonic_ns()
        while True:
            try:
                frame, ancillary, _, _ = self._link.recvmsg(2048, 256)
            except BlockingIOError:
                return self._seen
            if len(frame) < 42 or frame[23] != 17 or frame[36:38] != struct.pack("!H", PROBE_PORT):
                continue
            stamp = next(data for _, kind, data in ancillary if kind == SO_TIMESTAMPNS)
            seconds, nanoseconds = struct.unpack("qq", stamp)
            self._seen.append(((seconds * 1_000_000_000 + nanoseconds - ahead) // 1000, self.macs.get(frame[6:12])))

    def of(self, chassis):
        return [when for when, name in self.seen() if name == chassis]


def reports(lab, chassis):
    """The reports in the folder of a chassis, newest first. Each is read as whoever looks for it would read it."""
    folder = f"{lab.data}/{chassis}.failovers"
    out = []
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                out.append(json.load(file))
    return sorted(out, key=lambda report: -report["number"])


def after_us(report, event):
    return report["events"][event]["after-us"] if report["events"][event] else None


def when_us(report, event):
    """Microseconds of CLOCK_MONOTONIC."""
    return report["last-sign-of-life"]["since-boot-us"] + after_us(report, event)


def wait_for_report(lab, chassis, number, wanted=lambda report: after_us(report, "first-packet") is not None):
    def ready():
        found = [report for report in reports(lab, chassis) if report["number"] == number and wanted(report)]
        return found[0] if found else None

    return wait_until(ready, 20, f"report {number} of {chassis}")


def shown(lab, *words):
    """{event: after the last sign of life, in ms} of the newest report that the command line shows."""
    text = lab.icr("show services redundancy-group failovers extensive", *words, accept=(0, 3)).stdout
    block = text.split("\n\n")[0]
    return block, dict(re.findall(r"^   ([A-Z][a-z ]+?)  +\S+Z +(-?[\d.]+)$", block, re.MULTILINE))


def test_report_of_a_kill_agrees_with_the_traffic(lab, work):
    work.start_sink()
    work.make_sessions(2000)
    probe = Probe(lab)
    work.start_download(size=150_000_000, seconds=8)
    master = lab.master()
    standby = other(master)
    wait_until(lambda: lab.session_count(standby) >= 2002, 10, "all sessions at the standby")
    killed_us = int(lab.kill_chassis(master) * 1e6)
    report = wait_for_report(lab, standby, 1)
    wait_until(lambda: probe.of(standby), 10, "packets out of the new master")

    assert (report["kind"], report["chassis"], report["former-master"]) == ("takeover", standby, master)
    assert report["reason"] == "connection to the peer closed" and report["hot"] is True
    assert report["sessions"] >= 2002

    # The first packet out of the new master, as the server's interface saw it.
    first_us = probe.of(standby)[0]
    print("kill", killed_us, "first packet", first_us, "report", json.dumps(report))
    assert abs(first_us - when_us(report, "first-packet")) <= AGREEMENT_US
    # The former master lived when it gave its last sign of life, so the interruption is no longer than the report says.
    last_us = probe.of(master)[-1]
    assert first_us - last_us <= after_us(report, "first-packet") + AGREEMENT_US
    # What the new master saw of the death cannot have been before it.
    assert killed_us <= when_us(report, "connection-closed")
    times = [after_us(report, event) for event in ("connection-closed", "decided", "claim-granted", "table-active")]
    assert times == sorted(times) and times[0] >= 0
    assert after_us(report, "first-packet") >= after_us(report, "table-active")
    assert after_us(report, "last-heartbeat") <= 0
    assert after_us(report, "steering-done") >= after_us(report, "table-active")

    # Log and command line say the same.
    told = re.findall(r"failover.*set=rs1 .*", lab.log_text(standby))
    assert len(told) == 1, told
    assert f"first packet of a session {after_us(report, 'first-packet') / 1000:.3f} ms" in told[0]
    block, events = shown(lab)
    assert f"RG-ID 1, RS-ID 1: takeover by {standby} from {master}, term {report['term']}, report 1" in block
    assert events["First packet of a session"] == f"{after_us(report, 'first-packet') / 1000:.3f}"
    assert events["Connection closed"] == f"{after_us(report, 'connection-closed') / 1000:.3f}"

    # No session was lost, as the traffic sees it: each is translated as before.
    assert work.make_sessions(2000)["changed_peers"] == 0
    assert work.wait_for_download()["checksum_ok"]


def loss_of_one_kill(lab):
    """Kills the master under new flows, and compares what its report says of the loss with what both ends of the flows have
    heard. Returns (flows lost, most sessions at risk by the last word, flows heard of after that)."""
    master, standby = lab.wait_for_redundancy()
    began_us = time.monotonic() * 1e6
    before = lab.session_count(master)
    number = max([report["number"] for report in reports(lab, standby)], default=0) + 1
    flows = Flows(lab)
    try:
        wait_until(lambda: len(flows.heard) > RATE // 2, 10, "flows")
        killed_us = int(lab.kill_chassis(master) * 1e6)
        heard = flows.end()
        report = wait_for_report(lab, standby, number, lambda each: True)
        table = sessions(lab, standby)
    finally:
        flows.end()
        flows.close()
    risk = report["risk"]
    print("killed", killed_us, "report", json.dumps(report))
    assert report["kind"] == "takeover" and report["hot"] is True
    assert report["sessions-at-risk"] is not None
    assert (risk["gap"], risk["lacking-records"], risk["merge"]) == (False, 0, None)
    late_us = AGREEMENT_US + report["detector"]["own-late-us"] + report["detector"]["peer-says-us"]
    # Its last word came before it died, and no longer ago than a heartbeat.
    word_us = when_us(report, "last-word")
    closed_us = when_us(report, "connection-closed")
    assert word_us <= closed_us and risk["unseen-us"] == closed_us - word_us
    assert killed_us - word_us < 20_000 + late_us
    assert when_us(report, "last-change") <= word_us + AGREEMENT_US

    told_us = {flow: at * 1e6 for flow, (at, _) in heard.items() if at * 1e6 >= began_us}
    lost = [flow for flow in told_us if flow not in table]
    # What was heard of before the last word was at risk only as far as the report says.
    at_risk = [flow for flow in lost if told_us[flow] < word_us]
    assert len(at_risk) <= report["sessions-at-risk"], (at_risk, report)
    # Everything else was lost while nobody saw the former master any more.
    late = [flow for flow in lost if flow[0] == "UDP" and told_us[flow] > closed_us + AGREEMENT_US]
    assert not late, (late, report)
    unseen = [flow for flow, at in told_us.items() if word_us <= at and (flow[0] == "TCP" or at <= closed_us + AGREEMENT_US)]
    assert len(lost) <= report["sessions-at-risk"] + len(unseen), (lost, report)
    # The number of sessions that it had at its last heartbeat is right within 5 ms of new flows, apart from what either
    # thread was late. Of the sessions of the kill before, some may have ended.
    heartbeat_us = when_us(report, "last-heartbeat")
    least = sum(1 for at in told_us.values() if at <= heartbeat_us - late_us)
    most = before + sum(1 for at in told_us.values() if at <= heartbeat_us + late_us)
    assert least <= risk["former-sessions"] <= most, (least, most, report)
    lab.start_chassis(master)
    return len(lost), report["sessions-at-risk"], len(unseen)


def test_report_of_what_was_lost_agrees_with_the_traffic(lab):
    figures = [loss_of_one_kill(lab) for _ in range(4)]
    print("lost, at risk, heard of unseen:", figures)
    # A master that sends within a millisecond what it sets up takes little with it, and its report does not say otherwise.
    assert all(at_risk <= 64 for _, at_risk, _ in figures), figures


def test_nothing_is_at_risk_when_the_master_was_quiet(lab, work):
    work.start_sink()
    work.make_sessions(500)
    master, standby = lab.wait_for_redundancy()
    wait_until(lambda: lab.session_count(standby) == lab.session_count(master) >= 500, 10, "all sessions at the standby")
    time.sleep(1)  # the master is quiet for as long as the promise says
    count = lab.session_count(master)
    lab.kill_chassis(master)
    report = wait_for_report(lab, standby, 1, lambda each: True)
    assert (report["sessions-at-risk"], report["risk"]["former-sessions"], report["sessions"]) == (0, count, count)
    assert (report["risk"]["not-sent"], report["risk"]["not-acknowledged"], report["risk"]["missing-messages"]) == (0, 0, 0)
    block, _ = shown(lab)
    assert f"   Sessions at risk: 0, former master: {count}, unseen for (ms): " in block
    told = re.findall(r"failover.*set=rs1 .*", lab.log_text(standby))
    wait_until(lambda: re.search(f"At most 0 of the {count} sessions of {master} are at risk", lab.log_text(standby)), 15, told)


def test_reports_survive_a_restart(lab, work):
    probe = Probe(lab)
    master = lab.master()
    standby = other(master)
    lab.kill_chassis(master)
    before = wait_for_report(lab, standby, 1)
    assert probe.of(standby)
    # The process of the reporting member ends and another one begins.
    lab.kill_chassis(standby)
    for name in CHASSIS:
        lab.start_chassis(name)
    lab.wait_for_redundancy()
    assert reports(lab, standby)[0]["events"]["first-packet"] == before["events"]["first-packet"]
    block, events = shown(lab)
    assert f"takeover by {standby} from {master}, term {before['term']}, report 1" in block
    assert events["First packet of a session"] == f"{after_us(before, 'first-packet') / 1000:.3f}"
