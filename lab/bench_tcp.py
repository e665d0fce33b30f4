#!/usr/bin/env python3
"""Benchmark port.tcp_ratio: one TCP stream of iperf3 through a chassis, against the kernel's own NAT.

One lab, two ways from the client to the server over the same links: `left` is a chassis with NAPT44; `right` runs no
icrd, its kernel forwards and masquerades (nftables). They are measured in turn, so that whatever else the machine does
meets both; the figures are medians of the rounds, the ratio is the median of the rounds' ratios.
"""

import argparse
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab.netlab import SERVER, Lab, LabError, wait_until  # noqa: E402

# The next hop of the client for the server: the cluster's virtual address, or the own address of `right`.
WAYS = {"chassis": "198.18.0.1", "kernel": "198.18.0.3"}
SEEN_AS = {"chassis": "203.0.113.", "kernel": "198.19.0.3"}
MASQUERADE = """
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr 198.18.0.0/24 oifname outside0 masquerade
  }
}
"""


def prepare(lab):
    """One chassis, a kernel that translates, and iperf3's server."""
    lab.up()
    lab.start_chassis("left")
    wait_until(lambda: lab.master() == "left", 20, "left to be master")
    rules = os.path.join(lab.folder, "masquerade.nft")
    with open(rules, "w", encoding="ascii") as out:
        out.write(MASQUERADE)
    lab.run("right", "nft", "-f", rules)
    lab.start("iperf3-server", "server", "iperf3", "--server", "--interval", "0")
    wait_until(lambda: ":5201 " in lab.run("server", "ss", "-Hlnt").stdout, 10, "iperf3 to listen")


def measure(lab, way, seconds, streams=1, reverse=False):
    """Gbit/s that arrive, and who the server took for its client."""
    lab.run("client", "ip", "route", "replace", f"{SERVER}/32", "via", WAYS[way])
    command = ["iperf3", "--client", SERVER, "--time", seconds, "--omit", 1, "--json", "--parallel", streams]
    command += ["--reverse"] if reverse else []
    with_peer = lab.run("client", *command, timeout=seconds + 30, check=False)
    if with_peer.returncode != 0:
        raise LabError(f"iperf3 by the {way}: {with_peer.stdout[-500:]}{with_peer.stderr}")
    return json.loads(with_peer.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9


def check_translation(lab, way):
    """The server must see a translated address: else the figure would be that of a plain router."""
    lab.run("client", "ip", "route", "replace", f"{SERVER}/32", "via", WAYS[way])
    lab.start("probe", "client", "iperf3", "--client", SERVER, "--time", 5)
    try:
        wait_until(
            lambda: SEEN_AS[way] in lab.run("server", "ss", "-Htn", "state", "established", "sport = :5201").stdout,
            10,
            f"the {way} to translate",
        )
    finally:
        lab.processes.end("probe")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--reverse", action="store_true", help="the server sends")
    options = parser.parse_args()
    lab = Lab("icrtcp")
    rates = {way: [] for way in WAYS}
    try:
        prepare(lab)
        for way in WAYS:
            check_translation(lab, way)
        for turn in range(options.rounds):
            for way in sorted(WAYS, reverse=turn % 2 == 1):
                rates[way].append(measure(lab, way, options.seconds, options.streams, options.reverse))
            now = ", ".join(f"{way} {rates[way][-1]:.2f} Gbit/s" for way in WAYS)
            print(f"round {turn + 1}: {now}", file=sys.stderr, flush=True)
    finally:
        lab.down()
    ratios = [ours / theirs for ours, theirs in zip(rates["chassis"], rates["kernel"])]
    print(f"port.tcp_ratio {statistics.median(ratios):.3f} x")
    for way in WAYS:
        print(f"port.tcp_ratio.{way} {statistics.median(rates[way]):.2f} Gbit/s")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"bench_tcp: {error}")
