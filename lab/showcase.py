#!/usr/bin/env python3
"""What ./quickstart shows: traffic through the cluster, the master chassis killed in the middle of it, and what that cost.

Leaves the cluster up. Ends with 1, and says why, if anything was not as promised.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab.netlab import CHASSIS, LabError, Lab, wait_until  # noqa: E402
from lab.workload import Workload  # noqa: E402

DOWNLOAD = 200_000_000  # bytes
SECONDS = 15  # that the download takes
IDLE_SESSIONS = 10_000
KILL_AFTER = 0.35  # of the download
LONGEST_GAP_MS = 1000

_start = time.monotonic()


def say(text=""):
    print(f"[{time.monotonic() - _start:5.1f} s] {text}" if text else "", flush=True)


def show(text):
    print("".join(f"          {line}\n" for line in text.rstrip().splitlines()), flush=True)


def bring_up(lab):
    say("network: namespaces client, server, left, right and the switches between them")
    lab.up()
    say("chassis: starting left and right")
    for name in CHASSIS:
        lab.start_chassis(name)
    master, standby = lab.wait_for_redundancy()
    say(f"cluster: {master} is master, {standby} is hot standby")
    show(lab.icr("show services redundancy-group brief").stdout)
    return master, standby


def start_traffic(work):
    work.start_servers()
    work.start_sink()
    work.start_ping()
    say("traffic: ping, 20 packets a second, runs")
    work.start_udp()
    say("traffic: UDP echo, 100 packets a second, runs")
    work.start_download(DOWNLOAD, SECONDS)
    say(f"traffic: HTTP download of {DOWNLOAD // 1_000_000} MB runs (paced to take {SECONDS} s)")


def watch_download(work, until):
    """Prints how far the download is, once a second, until a share of it is there."""
    next_line = 0.0
    while work.download_runs() and work.download_progress()["bytes"] < until * DOWNLOAD:
        now = time.monotonic()
        if now >= next_line:
            progress, udp = work.download_progress(), work.udp_progress()
            say(
                f"download {progress['bytes'] // 1_000_000:3d} MB, longest gap {progress['longest_gap_ms']:.0f} ms; "
                f"UDP {udp['received']} of {udp['sent']} came back, longest gap {udp['longest_gap_ms']:.0f} ms"
            )
            next_line = now + 1
        time.sleep(0.02)


def main():
    lab = Lab(os.environ.get("ICR_LAB", "icr"))
    work = Workload(lab)
    master, standby = bring_up(lab)
    start_traffic(work)

    say("$ icr show services sessions")
    show(lab.icr("show services sessions").stdout)
    work.make_sessions(IDLE_SESSIONS, rate=10_000)
    wait_until(lambda: lab.session_count(standby) == lab.session_count(master), 10, "both chassis to count the same")
    before = lab.session_count()
    say(f"{IDLE_SESSIONS} more sessions made; $ icr show services sessions count")
    show(lab.icr("show services sessions count").stdout)
    watch_download(work, KILL_AFTER)

    tcp_before, udp_before = work.http_peers(), work.echo_peers()
    say(f"KILL -9 of the master, chassis {master}")
    lab.kill_chassis(master)
    killed = time.monotonic()
    wait_until(lambda: lab.roles().get(standby) and lab.roles()[standby].role == "master", 10, f"{standby} to be master")
    say(f"{standby} says that it is master (asked until {1000 * (time.monotonic() - killed):.0f} ms after the kill)")
    after = lab.session_count()
    idle = work.make_sessions(IDLE_SESSIONS, rate=10_000)
    watch_download(work, 1)

    download = work.wait_for_download()
    ping, udp = work.stop_ping(), work.stop_udp()
    tcp_after, udp_after = work.http_peers(), work.echo_peers()
    say("the download is complete")

    wrong = []

    def row(what, value, good=True):
        print(f"    {what:<44} {value}{'' if good else '     <-- not as promised'}")
        if not good:
            wrong.append(what)

    print(f"\n  What the loss of chassis {master} cost\n")
    row("download: checksum", "right" if download["checksum_ok"] else "WRONG", download["checksum_ok"])
    row("download: TCP connections used", download["connections"], download["connections"] == 1)
    same = tcp_before == tcp_after and len(tcp_after) == 1
    row("download: client as the server sees it, before", ", ".join(tcp_before), same)
    row("                                        after", ", ".join(tcp_after), same)
    same = udp_before == udp_after and len(udp_after) == 1
    row("UDP: client as the server sees it, before", ", ".join(udp_before), same)
    row("                                   after", ", ".join(udp_after), same)
    for name, figures in (("download", download), ("UDP", udp), ("ping", ping)):
        gap = figures["longest_gap_ms"]
        row(f"{name}: longest gap", f"{gap:.0f} ms", gap <= LONGEST_GAP_MS)
    row("UDP: packets lost", f"{udp['lost']} of {udp['sent']}")
    row("ping: packets lost", f"{ping['lost']} of {ping['sent']}")
    row("sessions before, after", f"{before}, {after}", after >= before)
    changed = idle["changed_peers"]
    row("idle sessions given another address or port", f"{changed} of {IDLE_SESSIONS}", changed == 0)
    row("master before, now", f"{master}, {lab.master()}", lab.master() == standby)
    print()
    if wrong:
        raise LabError("not as promised: " + "; ".join(wrong))

    say("done; the cluster stays up. Ask it:")
    print(
        f"""
    lab/icr show services sessions limit 5
    lab/icr show services sessions application-protocol http extensive
    lab/icr show services sessions count
    lab/icr show services redundancy-group
    lab/netlab.py start {master}        # bring the killed chassis back: it becomes hot standby by itself
    lab/icr request services redundancy-set rs1 switchover

  ./quickstart --down takes it all down.
"""
    )


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"\nquickstart: {error}")
