"""A pair with a witness: a real etcd beside the client. Never do two chassis act at once, whatever is cut (docs/witness.md)."""

import os
import pathlib
import shutil
import signal
import time

import pytest

from lab.netlab import CHASSIS, CLIENT, DEFAULT_CLUSTER, wait_until

ETCD = f"http://{CLIENT}:2379"
VIRTUAL = "198.18.0.1/24"


@pytest.fixture
def cluster_file(tmp_path):
    text = pathlib.Path(DEFAULT_CLUSTER).read_text(encoding="utf-8")
    text += f"\nwitness:\n  type: etcd\n  endpoints: [{ETCD}]\n  lease: 2\n"
    path = tmp_path / "witness.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


class Etcd:
    def __init__(self, lab, folder):
        self.lab, self.folder = lab, folder

    def start(self):
        self.lab.start(
            "etcd", "client", "etcd", "--data-dir", self.folder, "--listen-client-urls", ETCD, "--advertise-client-urls", ETCD,
            "--listen-peer-urls", "http://127.0.0.1:2380",
        )  # fmt: skip

    def kill(self):
        self.lab.processes.signal("etcd", signal.SIGKILL)
        self.lab.processes.wait("etcd", 10)


@pytest.fixture
def etcd(network, tmp_path):
    one = Etcd(network, str(tmp_path / "etcd"))
    one.start()
    yield one
    shutil.rmtree(one.folder, ignore_errors=True)


@pytest.fixture
def pair(etcd, network):
    """Both chassis run, one of them is master by the promise of the other one, and the key is free."""
    for name in CHASSIS:
        network.start_chassis(name)
    network.wait_for_redundancy()
    wait_until(lambda: holder(network) is None, 30, "the key to be given back")
    return network


def other(chassis):
    return next(name for name in CHASSIS if name != chassis)


def holder(lab):
    """Returns who has the key, as etcd says it."""
    asked = lab.run("client", "curl", "-s", "-m", "2", f"{ETCD}/v3/kv/range", "-d", '{"key":"L2lj","range_end":"L2lk"}')
    return None if '"kvs"' not in asked.stdout else asked.stdout


def acts(lab, chassis):
    """Returns whether the chassis draws the traffic. A master that may not act lets go of its addresses."""
    return VIRTUAL in lab.run(chassis, "ip", "-4", "address", "show", "dev", "inside0").stdout


def only_one_acts(lab, chassis):
    return acts(lab, chassis) and not acts(lab, other(chassis))


def cut_witness(lab, chassis, command="-A"):
    lab.run(chassis, "iptables", command, "OUTPUT", "-p", "tcp", "--dport", "2379", "-j", "DROP")


def test_a_chassis_that_starts_alone_takes_the_key(etcd, network):
    network.start_chassis("left")
    wait_until(lambda: acts(network, "left"), 20, "the chassis to act")
    assert '"lease"' in holder(network)


def test_losing_the_witness_alone_changes_nothing(pair, etcd, work):
    work.start_download(size=40_000_000, seconds=8)
    master = pair.master()
    etcd.kill()
    time.sleep(4)  # two leases: whatever depends on the witness has noticed by now
    assert only_one_acts(pair, master)
    assert pair.master() == master
    assert pair.card_counters(master)["masters-fenced"] == 0
    # A planned switchover needs the two members alone.
    pair.icr(*"request services redundancy-set rs1 switchover".split())
    wait_until(lambda: only_one_acts(pair, other(master)), 5, "the other one to act")
    result = work.wait_for_download()
    assert result["checksum_ok"] and result["connections"] == 1


def test_when_the_master_is_killed_its_peer_takes_the_key(pair, work):
    work.start_download(size=40_000_000, seconds=8)
    master = pair.master()
    pair.kill_chassis(master)
    wait_until(lambda: acts(pair, other(master)), 5, "the takeover")
    assert holder(pair) is not None
    result = work.wait_for_download()
    assert result["checksum_ok"] and result["connections"] == 1
    pair.start_chassis(master)
    assert pair.wait_for_redundancy(20)[0] == other(master)
    wait_until(lambda: holder(pair) is None, 10, "the key to be given back")


@pytest.mark.parametrize("reached_by", ["both", "the master", "the standby"])
def test_when_the_link_is_cut_one_acts(pair, reached_by):
    master = pair.master()
    standby = other(master)
    if reached_by != "both":
        cut_witness(pair, standby if reached_by == "the master" else master)
    pair.pull_cables(master, ["icl"])
    wait_until(lambda: holder(pair) is not None, 10, "one to take the key")
    if reached_by == "both":
        wait_until(lambda: only_one_acts(pair, master) or only_one_acts(pair, standby), 10, "one alone to act")
    else:
        wanted = master if reached_by == "the master" else standby
        wait_until(lambda: only_one_acts(pair, wanted), 10, "the one that reaches the witness to act alone")
        time.sleep(3)  # longer than a lease
        assert only_one_acts(pair, wanted)
        cut_witness(pair, other(wanted), "-D")
    pair.pull_cables(master, ["icl"], "up")
    acting = pair.wait_for_redundancy(20)[0]
    wait_until(lambda: only_one_acts(pair, acting), 5, "the master to act")


def test_without_peer_and_witness_nobody_acts(pair, etcd):
    master = pair.master()
    etcd.kill()
    pair.pull_cables(master, ["icl"])
    wait_until(lambda: not acts(pair, master) and not acts(pair, other(master)), 10, "both to let go of the traffic")
    etcd.start()
    wait_until(lambda: acts(pair, master) != acts(pair, other(master)), 10, "one to act when the witness is back")
    assert os.path.isdir(etcd.folder)
