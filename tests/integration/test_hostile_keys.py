"""Strangers at the sockets of a chassis with keys: each is refused and counted, and whoever has a key is answered meanwhile."""

import re
import socket
import subprocess
import time

import pytest
import wire
import zmq
from captures import program
from host import CONTROL, DATA, QUERY, Chassis, Grown, write_cluster

from lab.netlab import wait_until

pytestmark = pytest.mark.sanitized

pytest_plugins = ["attack"]

HELLO_BYTES = 200
SILENT, ROUNDS, STRANGERS = 40, 60, 30


@pytest.fixture(scope="module")
def running(host, tmp_path_factory):
    """Chassis left, alone, with keys."""
    folder = tmp_path_factory.mktemp("keys")
    cluster = write_cluster(folder)
    subprocess.run([str(program("icr", sanitized=True)), "keys", "generate", str(cluster)], check=True, capture_output=True)
    chassis = Chassis(folder, cluster=cluster).wait_until_ready()
    yield chassis
    assert chassis.stop() == 0, chassis.log[-4000:]


def public_key(chassis, name):
    text = chassis.cluster.read_text(encoding="utf-8")
    return re.search(rf'name: {name}\b.*?public-keys: \["(.{{40}})"\]', text, re.S).group(1).encode()


def hello(short_term_key, nonce, box):
    """The first command of a client with a key."""
    body = b"\x05HELLO\x01\x00" + bytes(72) + short_term_key + nonce + box
    assert len(body) == HELLO_BYTES
    return wire.greeting(b"CURVE") + bytes([4, len(body)]) + body


def connection(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def stranger(attacker, server, key):
    """A socket that has yet to connect."""
    dealer = attacker.context.socket(zmq.DEALER)
    dealer.linger = 0
    dealer.curve_serverkey, dealer.curve_publickey, dealer.curve_secretkey = server, *key
    attacker.sockets.append(dealer)
    return dealer


def address(port):
    return f"tcp://127.0.0.1:{port}"


def test_a_flood_of_strangers_keeps_nobody_out(chassis, attacker, dice):
    left = public_key(chassis, "left")
    grown = Grown(chassis)
    begun = time.monotonic()
    silent = []
    for port in (QUERY, CONTROL, DATA):
        for _ in range(SILENT):  # their handshakes are never finished
            silent.append(connection(port))
            silent[-1].sendall(wire.greeting(b"CURVE")[: dice.randrange(1, 65)])
        for _ in range(ROUNDS):
            with connection(port) as stream:
                stream.sendall(wire.greeting(b"NULL") + b"\x04\x05\x04NOPE")
        for _ in range(ROUNDS):
            with connection(port) as stream:
                key = dice.choice((bytes(32), b"\x01" + bytes(31), dice.randbytes(32)))
                stream.sendall(hello(key, dice.randbytes(8), dice.randbytes(80)))
                stream.settimeout(20)
                while stream.recv(4096):  # until it is closed
                    pass
        for _ in range(STRANGERS):
            stranger(attacker, left, zmq.curve_keypair()).connect(address(port))
            stranger(attacker, zmq.curve_keypair()[0], zmq.curve_keypair()).connect(address(port))
        # Somebody who belongs here is answered at once.
        assert "ms-0/0/0" in chassis.icr("show services sessions count")
    each = 2 * ROUNDS + 2 * STRANGERS
    grown = grown.wait_for(query_refused_keys=each, link_refused_keys=2 * each)
    lines = re.findall(r"warning security: (the .+?) refused .+ \(and (\d+) others\)", chassis.log)
    assert {socket for socket, _ in lines} == {"the query server", "the link of redundancy set rs1"}, chassis.log
    seconds = time.monotonic() - begun
    assert len(lines) <= 2 * (seconds + 1), f"{len(lines)} lines in {seconds:.1f} s: each socket says it once a second"
    for stream in silent:
        stream.close()


def test_a_message_of_a_stranger_never_arrives(chassis, attacker):
    """Not even with the name of the peer, and the key of a client or of the chassis itself."""
    left = public_key(chassis, "left")
    secret = (chassis.folder / "keys" / "admin.key").read_text(encoding="ascii").splitlines()[-1].encode()
    grown = Grown(chassis)
    said = f"the link of redundancy set rs1 refused the key {zmq.curve_public(secret).decode()} from 127.0.0.1"

    def refused_and_named():
        for port in (CONTROL, DATA):
            dealer = stranger(attacker, left, (zmq.curve_public(secret), secret))
            # It is refused once, and does not try again.
            with dealer.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH) as monitor:
                dealer.connect(address(port))
                dealer.send(b"x")
                assert monitor.poll(20_000), "a client of the query port is not refused on the link"
            dealer.disable_monitor()
        return said in chassis.log

    # The log tells of one refusal in a second, which may have been another one.
    wait_until(refused_and_named, 20, "the log to name the key and the address", interval=0.2)
    assert grown.now()["link-refused-keys"] >= 2
    assert "link-refused-strangers" not in grown.now()
