"""Keys: an encrypted pair takes over, strangers are refused and named, classes hold, and keys are exchanged under traffic."""

import contextlib
import os
import re
import shutil
import socket
import subprocess

import pytest
from losses import assert_nothing_lost

from lab import netns
from lab.netlab import CHASSIS, OPERATOR, wait_until
from test_commit import SLOTS, TIMEOUT, Commits, assert_same_sessions, make_sessions, other

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00%s" + bytes(32)  # of ZMTP 3
MECHANISM = slice(12, 32)


@pytest.fixture
def commits(lab):
    return Commits(lab)


def key_file(lab, name):
    return os.path.join(lab.folder, "keys", f"{name}.key")


def keys(lab, *words):
    """`icr keys`: returns what it prints, a public key in each line."""
    done = subprocess.run([os.path.join(lab.programs, "icr"), "keys", *words], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def ask(lab, name, *words, cluster=None):
    """Asks as the owner of a key file, or without any."""
    command = [os.path.join(lab.programs, "icr"), "--cluster", cluster or lab.cluster_file]
    command += ["--secret-key", key_file(lab, name)] if name else []
    return lab.run("switch", *command, *words, check=False)


def connection(lab, place, port):
    with netns.entered(lab.namespace("switch")):
        return socket.create_connection((place, port), 5)


def greet(stream, mechanism):
    """Offers to speak so, and returns what the other side speaks; nothing if that is something else."""
    told = b""
    with contextlib.suppress(ConnectionResetError):
        stream.sendall(GREETING % mechanism.ljust(20, b"\x00"))
        while len(told) < 64 and (part := stream.recv(64 - len(told))):
            told += part
    return told[MECHANISM].rstrip(b"\x00")


def mechanism_at(lab, place, port):
    with connection(lab, place, port) as stream:
        return greet(stream, b"CURVE")


def test_an_encrypted_pair_takes_over(lab, work):
    make_sessions(lab, work, 1000)
    work.start_ping()
    work.start_udp(rate=100)
    for address in ("198.51.100.1", "198.51.100.2"):
        for port in (7300, 7400, 7401):
            assert mechanism_at(lab, address, port) == b"CURVE", (address, port)
    for name in CHASSIS:
        assert "neither encrypted nor authenticated" not in lab.log_text(name)
        assert lab.card_counters(name)["link-keys-refused-by-peer"] == 0
    master = lab.master()
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() == other(master), 10, "the standby to be master")
    assert_same_sessions(work, 1000)
    lab.start_chassis(master)
    lab.wait_for_redundancy()
    assert len(work.echo_peers()) == 1
    assert work.stop_udp()["longest_gap_ms"] <= 2000 and work.stop_ping()["longest_gap_ms"] <= 2000


def test_strangers_are_refused_counted_and_named(lab):
    stranger = keys(lab, "new", key_file(lab, "stranger"))[0]
    plain = os.path.join(lab.folder, "plain.yaml")
    with open(lab.cluster_file, encoding="utf-8") as file:
        text = file.read()
    with open(plain, "w", encoding="utf-8") as file:
        file.write(text + "security: none\n")
    for name in CHASSIS:
        before = lab.card_counters(name)["query-refused-keys"]
        refused = ask(lab, "stranger", "--chassis", name, "show", "services", "sessions")
        assert refused.returncode == 3 and f"does not allow the key of this client, {stranger}" in refused.stderr
        assert f"the query server refused the key {stranger} from {OPERATOR}" in lab.log_text(name)
        without = ask(lab, None, "--chassis", name, "show", "services", "sessions", cluster=plain)
        assert without.returncode == 3 and "it is encrypted" in without.stderr, without.stderr
        counted = lab.card_counters(name)["query-refused-keys"]
        assert counted >= before + 2
        accepted = lab.card_counters(name)["link-connections-accepted"]
        with connection(lab, f"198.51.100.{1 if name == 'left' else 2}", 7400) as stream:
            # The address of a connection that ends before the chassis has looked at it is not known.
            wait_until(lambda name=name, accepted=accepted: lab.card_counters(name)["link-connections-accepted"] > accepted,
                       10, "the connection to be seen")  # fmt: skip
            assert greet(stream, b"NULL") == b""
        wait_until(lambda name=name: lab.card_counters(name)["link-refused-keys"] >= 1, 10, "the link to count a stranger")
        said = rf"the link of redundancy set rs1 refused a connection from {OPERATOR} without a key"
        # It is counted first and logged then.
        wait_until(lambda name=name, said=said: re.search(said, lab.log_text(name)), 5, "the log to say so")
    assert lab.wait_for_redundancy()


def test_clients_may_do_what_their_class_permits(lab, work, commits):
    make_sessions(lab, work, 10)
    clients = "".join(
        f'  - {{ name: {name}, class: {name}, public-keys: ["{keys(lab, "new", key_file(lab, name))[0]}"] }}\n'
        for name in ("view", "clear", "operator")
    )
    commits.commit((r"\Z", lambda _: clients))
    path = commits.write(TIMEOUT)
    asked = {
        "view": (("show", "services", "sessions", "count"),),
        "clear": (("clear", "services", "sessions", "destination-port", "9"),),
        "operator": (("request", "services", "redundancy-set", "rs1", "switchover"),),
        "super-user": (("commit", path), ("rollback", "0")),
    }
    classes = list(asked)
    for held in classes[:-1]:
        for needed in classes:
            for words in asked[needed]:
                done = ask(lab, held, *words)
                told = f"client {held} is of class {held}, and this takes class {needed}"
                if classes.index(held) >= classes.index(needed):
                    assert done.returncode == 0, (held, words, done.stderr, done.stdout)
                    if needed == "operator":
                        lab.wait_for_redundancy()
                else:
                    assert done.returncode != 0 and told in done.stderr, (held, words, done.stderr, done.stdout)
    assert commits.numbers() == dict.fromkeys(CHASSIS, 2)
    # A client that is removed is refused at once.
    commits.commit((re.escape(clients), lambda _: ""))
    assert ask(lab, "view", "show", "services", "sessions", "count").returncode == 3


@pytest.mark.parametrize("chassis", ["left", "right"])
def test_the_key_of_a_chassis_is_exchanged_under_traffic(lab, work, commits, chassis):
    make_sessions(lab, work, 1000)
    work.start_ping()
    work.start_udp(rate=100)
    former = keys(lab, "show", key_file(lab, chassis))[0]
    fresh, still = keys(lab, "rotate", key_file(lab, chassis))
    assert still == former

    def listed(*wanted):
        return lambda _: "[" + ", ".join(f'"{key}"' for key in wanted) + "]"

    def pattern(*present):
        return re.escape("[" + ", ".join(f'"{key}"' for key in present) + "]")

    def commit(present, wanted):
        """Commits, and gives `icr` the same file."""
        commits.commit((pattern(*present), listed(*wanted)))
        shutil.copyfile(os.path.join(lab.folder, "new.yaml"), lab.cluster_file)

    # No chassis uses a key that the others do not know.
    refused = commits.commit((pattern(former), listed(fresh)), code=1)
    assert f"chassis {chassis} would use the key {fresh}, which the others do not know yet" in refused.stderr
    roles = lab.wait_for_redundancy()
    commit([former], [former, fresh])
    assert lab.wait_for_redundancy() == roles, "nobody needs to restart to know a key"
    # Nor do the others forget the key that it uses.
    refused = commits.commit((pattern(former, fresh), listed(fresh)), code=1)
    assert f"chassis {chassis} uses the key {former}, which the others would know no more" in refused.stderr
    commit([former, fresh], [fresh, former])
    lab.wait_for_redundancy()
    commit([fresh, former], [fresh])
    lab.wait_for_redundancy()
    assert keys(lab, "retire", key_file(lab, chassis)) == [fresh]
    udp, ping = work.stop_udp(), work.stop_ping()
    assert_nothing_lost(lab, udp, ping)
    assert_same_sessions(work, 1000)
    # The former key opens nothing any more, and the present one is in use: a restart needs no other one.
    for name in CHASSIS:
        assert lab.stop_chassis(name) == 0
        lab.start_chassis(name)
        lab.wait_for_redundancy()
    # A commit whose key nobody holds is refused by the chassis itself.
    lost = keys(lab, "new", key_file(lab, "lost"))[0]
    commit([fresh], [fresh, lost])
    nobody = commits.commit((pattern(fresh, lost), listed(lost, fresh)), code=1)
    assert f"{chassis}.key does not hold the secret key of {lost}" in nobody.stderr, nobody.stderr


def test_encryption_does_not_end_with_a_commit(lab, commits):
    done = commits.commit((r"\Z", "security: none\n"), code=1)
    assert "the cluster is encrypted and would then not be" in done.stderr, done.stderr
    commits.commit(SLOTS)  # and a commit that restarts the chassis leaves it encrypted
    lab.wait_for_redundancy(20)
    assert mechanism_at(lab, "198.51.100.1", 7400) == b"CURVE"


def test_a_chassis_does_not_start_unprotected(network):
    def end_of(*options):
        command = [os.path.join(network.programs, "icrd"), "--cluster", network.cluster_file, "--chassis", "left", *options]
        done = network.run("left", *command, check=False)
        assert done.returncode in (1, 2), done.stderr
        return done.stderr

    assert "no chassis has public-keys, and 198.51.100.1 of chassis left can be reached from other machines" in end_of()
    network.make_keys()
    file = key_file(network, "left")
    os.chmod(file, 0o640)
    assert f"{file}: other users may read or change it (mode 640)" in end_of()
    os.chmod(file, 0o600)
    assert "right.key does not hold the secret key of" in end_of("--secret-key", key_file(network, "right"))
    os.remove(file)
    assert f"{file}: cannot be read: No such file or directory" in end_of()


def test_labs_keep_their_secrets_to_themselves(network):
    network.make_keys()
    folder = os.path.join(network.folder, "keys")
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert sorted(os.listdir(folder)) == ["admin.key", "left.key", "right.key"]
    assert {os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in os.listdir(folder)} == {0o600}
    again = subprocess.run([os.path.join(network.programs, "icr"), "keys", "generate", network.cluster_file], text=True,
                           capture_output=True, check=False)  # fmt: skip
    assert again.returncode == 1 and "has clients already" in again.stderr, again.stderr
