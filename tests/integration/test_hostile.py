"""Whoever reaches a chassis' query socket, its ports below ZeroMQ, or its command line: each is refused with its reason and a
counter, and the chassis goes on. What the peer's sockets are told is in test_hostile_peer.py."""

import contextlib
import re
import socket
import struct

import pytest
import wire
import zmq
from attack import PEER_NAME, ROUNDS, SOCKETS, mutated
from host import CLUSTER, CONTROL, DATA, FAKE_CONTROL, FAKE_DATA, QUERY, SANITIZER, Chassis, Grown, write_cluster

from lab import netns
from lab.netlab import wait_until

pytestmark = pytest.mark.sanitized

pytest_plugins = ["attack"]

# --- the query socket --------------------------------------------------------------------------------------------------


def test_questions_that_are_none(chassis, attacker, dice):
    dealer = attacker.dealer(QUERY)
    grown = Grown(chassis)
    whole = wire.question(1)
    bad = [b"", b"\0", b"ICRQ", bytes(12), bytes(16 * 1024), whole[:8] + b"ICRM" + whole[12:]]
    bad += [whole[:length] for length in range(0, len(whole) - 8)]
    bad += [dice.randbytes(dice.randrange(1, 300)) for _ in range(ROUNDS)]
    for one in bad:
        dealer.send(one)
    many = [[b"", whole], [whole, whole], [b""] * 3, [b"x"] * 200]
    for parts in many:
        dealer.send_multipart(parts)
    grown = grown.wait_for(query_refused_malformed=len(bad) + len(many))
    assert grown["query-refused-malformed"] == len(bad) + len(many)


def test_questions_out_of_range(chassis, attacker):
    dealer = attacker.dealer(QUERY)
    grown = Grown(chassis)
    malformed, wrong_cluster, unknown_kind, unknown_target = 1, 2, 3, 4
    asked = {
        1: (wire.question(1, cluster=wire.CLUSTER_ID + 1), wrong_cluster),
        2: (wire.question(2, cluster=0), wrong_cluster),
        3: (wire.question(3, kind=0), unknown_kind),
        4: (wire.question(4, kind=200), unknown_kind),  # of a later release
        5: (wire.question(5, kind=255), unknown_kind),
        6: (wire.question(6, card=1), unknown_target),
        7: (wire.question(7, card=0), unknown_target),
        8: (wire.question(8, wire.QUERY_PAGE, set_id=1, limit=1), unknown_target),
        9: (wire.question(9, wire.QUERY_CLEAR, set_id=0), unknown_target),
        10: (wire.question(10, wire.QUERY_PAGE, limit=0), malformed),
        11: (wire.question(11, wire.QUERY_PAGE, limit=1025), malformed),
        12: (wire.question(12, wire.QUERY_PAGE, limit=2**32 - 1), malformed),
        13: (wire.question(13, wire.QUERY_PAGE, cursor=2**32 - 1, limit=1), 0),
        14: (wire.question(14), 0),
    }
    for raw, _ in asked.values():
        dealer.send(raw)
    answers = dict(wire.answer(dealer.recv()) for _ in asked)
    assert answers == {number: error for number, (_, error) in asked.items()}
    grown = grown.wait_for(query_refused_malformed=3)
    assert [grown[f"query-refused-{what}"] for what in ("malformed", "wrong-cluster", "unknown-kind", "unknown-target")] == [3, 2, 3, 4]  # fmt: skip


def test_mutated_questions(chassis, attacker, dice):
    """Some are still questions, and are answered; then it is asked in good order."""
    dealer = attacker.dealer(QUERY)
    whole = [wire.question(5, kind, limit=3) for kind in (wire.QUERY_STATUS, wire.QUERY_PAGE, wire.QUERY_COUNT)]
    grown = Grown(chassis)
    for _ in range(ROUNDS):
        dealer.send(mutated(dice, dice.choice(whole)))
    grown.wait_for(query_requests=ROUNDS, query_refused_malformed=1)


def test_a_flood_of_questions(chassis, attacker):
    """What waits for a card, and for a client that does not read, is bounded; then there is room for others again."""
    deaf = attacker.context.socket(zmq.DEALER)
    deaf.linger, deaf.sndhwm, deaf.rcvhwm, deaf.rcvbuf = 0, 0, 1, 4096
    deaf.connect(f"tcp://127.0.0.1:{QUERY}")
    rounds = 4000
    grown = Grown(chassis)
    for number in range(rounds):
        deaf.send(wire.question(number, wire.QUERY_COUNTERS))
    # Asked by a client that reads, until it has its turn.
    reader = attacker.dealer(QUERY)

    def all_received():
        reader.send(wire.question(1, wire.QUERY_SERVER_COUNTERS))
        return wire.counters(reader.recv())["query-requests"] >= grown.before["query-requests"] + rounds

    wait_until(all_received, 300, "all questions to be received", interval=0.2)
    deaf.close()
    wait_until(lambda: chassis.ask("show services sessions count").returncode == 0, 60, "an answer to others")
    grown = grown.now()
    refused = [grown.get(f"query-{what}", 0) for what in ("refused-busy", "replies-undeliverable")]
    assert sum(refused) > rounds // 2, grown


def test_oversized_messages_close_their_connection(chassis, attacker):
    grown = Grown(chassis)
    for port, size in ((QUERY, 64 * 1024 + 1), (QUERY, 20_000_000), (CONTROL, (1 << 20) + 1), (DATA, 8_000_000)):
        dealer = attacker.dealer(port, PEER_NAME if port != QUERY else None)
        with dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            monitor.rcvtimeo = 10_000
            dealer.send(bytes(size))
            monitor.recv_multipart()
        dealer.disable_monitor()
        dealer.close(linger=0)
        attacker.sockets.remove(dealer)
    assert "control-messages-received" not in grown.now()


# --- below ZeroMQ ------------------------------------------------------------------------------------------------------


def connection(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def closed_by_the_other(stream, timeout=10):
    """Waits until the other side has closed."""
    stream.settimeout(timeout)
    with contextlib.suppress(ConnectionResetError):
        while stream.recv(65536):
            pass


NOT_ZMTP = {
    "http": b"GET / HTTP/1.1\r\nHost: chassis\r\n\r\n" * 4,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "mechanism": wire.greeting(b"CURVE") + bytes(200),
    "plain": wire.greeting(b"PLAIN", as_server=1) + b"\x04\x10\x05HELLO" + bytes(20),
    "not-ready": wire.greeting() + b"\x04\x05\x04NOPE",
    "error-command": wire.greeting() + b"\x04\x08\x05ERROR\x01x",
    "huge-command": wire.greeting() + b"\x06" + b"\x7f" + b"\xff" * 7 + bytes(100),
    "huge-property": wire.greeting() + b"\x04\x1a\x05READY\x0bSocket-Type\xff\xff\xff\xff" + bytes(5),
    "wrong-type": wire.greeting() + wire.ready(b"SUB"),
    "message-first": wire.greeting() + b"\x00\x05hello",
    "huge-message": wire.greeting() + wire.ready() + b"\x02\x7f" + b"\xff" * 7 + bytes(100),
    "negative-message": wire.greeting() + wire.ready() + b"\x02" + b"\xff" * 8 + bytes(100),
    "reserved-flags": wire.greeting() + wire.ready() + b"\xf8\x05hello",
}


@pytest.mark.parametrize("what", NOT_ZMTP)
@pytest.mark.parametrize("name", SOCKETS)
def test_what_is_not_zmtp(chassis, name, what):
    grown = Grown(chassis)
    with connection(SOCKETS[name]) as stream:
        with contextlib.suppress(OSError):
            stream.sendall(NOT_ZMTP[what])
            stream.shutdown(socket.SHUT_WR)
        closed_by_the_other(stream)
    prefix = "query" if name == "query" else "link"
    grown = grown.wait_for(**{f"{prefix}_connections_accepted": 1, f"{prefix}_connections_closed": 1})
    assert "control-messages-received" not in grown and "query-refused-malformed" not in grown


@pytest.mark.parametrize("name", SOCKETS)
def test_failed_handshakes_are_counted(chassis, name):
    grown = Grown(chassis)
    for _ in range(20):
        with connection(SOCKETS[name]) as stream:
            stream.sendall(NOT_ZMTP["mechanism"])
            closed_by_the_other(stream)
    counter = "query_failed_handshakes" if name == "query" else "link_failed_handshakes"
    grown.wait_for(**{counter: 20})


def test_connections_that_never_speak(chassis):
    """They are closed after the time for a handshake; questions are answered beside them."""
    silent = [connection(port) for port in SOCKETS.values() for _ in range(60)]
    try:
        for stream in silent[::2]:
            stream.sendall(wire.greeting()[:11])
        assert chassis.status() == "MASTER"
        for stream in silent:
            closed_by_the_other(stream)
    finally:
        for stream in silent:
            stream.close()


def test_port_scans(chassis):
    for number in range(600):
        stream = socket.socket()
        stream.connect(("127.0.0.1", list(SOCKETS.values())[number % 3]))
        if number % 2:  # a reset instead of an end
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()
    assert chassis.status() == "MASTER"


def test_noise_of_every_kind(chassis, dice):
    for _ in range(ROUNDS // 4):
        with connection(dice.choice(list(SOCKETS.values()))) as stream, contextlib.suppress(ConnectionError):
            start = dice.choice([b"", wire.greeting(), wire.greeting() + wire.ready(), b"\xff" + bytes(8) + b"\x7f\x01"])
            stream.sendall(start + dice.randbytes(dice.randrange(3000)))


def test_more_connections_than_descriptors(elsewhere, tmp_path):
    """A chassis with few descriptors is flooded with connections: it refuses some, goes on, and recovers."""
    limited = Chassis(tmp_path, launcher=["prlimit", "--nofile=160"]).wait_until_ready()
    try:
        wait_until(lambda: limited.status() == "MASTER", 20, "the chassis to be master")
        # UBSan looks at the type of an object when a place calls it for the first time, and it needs descriptors for that
        # (a pipe); without them it takes a sound object for a broken one. So the engine has sent a packet before.
        wait_until(lambda: limited.counters()["self-tests-forwarded"] > 0, 20, "a packet of the chassis' own to pass")
        flood = []
        with contextlib.suppress(OSError):
            for number in range(400):
                stream = socket.socket()
                flood.append(stream)
                stream.settimeout(0.5)
                stream.connect(("127.0.0.1", list(SOCKETS.values())[number % 3]))
        assert limited.process.poll() is None, limited.log[-4000:]
        for stream in flood:
            stream.close()
        wait_until(lambda: limited.status() == "MASTER", 20, "the chassis to answer again")
    finally:
        code = limited.stop()
    assert code == 0, limited.log[-4000:]


# --- how it is started -------------------------------------------------------------------------------------------------


def refused_start(folder, *expected, code=1, **options):
    """Starts a chassis that cannot start: its exit code, and what it says."""
    chassis = Chassis(folder, **options)
    try:
        assert chassis.wait_for_end() == code, chassis.log
    finally:
        chassis.process.kill()
    assert not SANITIZER.search(chassis.log), chassis.log
    assert "chassis ready" not in chassis.log
    for text in expected:
        assert re.search(text, chassis.log), f"'{text}' is not in:\n{chassis.log}"
    return chassis


def test_unknown_chassis(elsewhere, tmp_path):
    refused_start(tmp_path, r"cluster\.yaml: there is no chassis 'middle' in it", name="middle", code=2)


@pytest.mark.parametrize("port,reason", [(QUERY, "query server: cannot listen on tcp://127.0.0.1:7300: Address already in use"), (CONTROL, "inter-chassis link: cannot listen on tcp://127.0.0.1:7400: Address already in use"), (DATA, "inter-chassis link: cannot listen on tcp://127.0.0.1:7401: Address already in use")])  # fmt: skip
def test_port_taken(elsewhere, tmp_path, port, reason):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        refused_start(tmp_path, re.escape(reason))


def test_device_name_taken(elsewhere, tmp_path):
    netns.ip_batch(None, ["link add ms000.2 type bridge"])
    refused_start(tmp_path, r"card ms-0/0/0: port unit 2 device ms000\.2: .*(name|exists|taken|use)")


def test_without_the_right_to_make_devices(elsewhere, tmp_path):
    refused_start(tmp_path, r"card ms-0/0/0: port unit 1 device ms000\.1: .*(permi|privilege|CAP_NET_ADMIN)",
                  launcher=["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"])  # fmt: skip


def test_without_a_tun_device(elsewhere, tmp_path):
    hide = 'mount -t tmpfs none /dev/net && exec "$@"'
    refused_start(tmp_path, r"port unit 1 device ms000\.1: .*/dev/net/tun", launcher=["unshare", "-m", "sh", "-c", hide, "sh"])


def test_connections_in_the_name_of_the_peer(elsewhere, attacker, tmp_path):
    """They come and go beside the peer's own: neither side loses the other."""
    pair = [Chassis(tmp_path, name).wait_until_ready() for name in ("left", "right")]
    try:
        wait_until(lambda: [one.status() for one in pair] == ["MASTER", "STANDBY"], 20, "master and standby")
        grown = [Grown(one) for one in pair]
        left, right = (f"{wire.SET_ID:08x}/{each:08x}" for each in wire.CHASSIS_IDS)
        names = [name.encode() for name in (right, f"{right}/", f"{right}/0", f"{right}/ffffffffffffffff", f"{left}/0")]
        for name in names:
            for port in (CONTROL, DATA, FAKE_CONTROL, FAKE_DATA):
                attacker.dealer(port, name).send(b"x")
        grown[0].wait_for(control_messages_received=15, refused_malformed=4)
        for each in attacker.sockets:
            each.close()
        for each in grown:
            after = each.wait_for(control_messages_received=each.now()["control-messages-received"] + 15)
            assert not {"peer-silences", "peer-disconnects", "became-master", "became-standby"} & set(after), after
        assert [one.status() for one in pair] == ["MASTER", "STANDBY"]
    finally:
        assert [one.stop() for one in pair] == [0, 0]


def test_peers_with_different_cluster_files(elsewhere, tmp_path):
    """They are a pair all the same, and both name the key that differs."""
    left = Chassis(tmp_path, "left").wait_until_ready()
    wait_until(lambda: left.status() == "MASTER", 20, "left to be master")
    other = write_cluster(tmp_path, CLUSTER.replace("high: 65535", "high: 65534"), "other.yaml")
    right = Chassis(tmp_path, "right", other).wait_until_ready()
    try:
        wait_until(lambda: (left.status(), right.status()) == ("MASTER", "STANDBY"), 20, "right to be standby")
        for chassis in (left, right):
            wait_until(lambda: ".port.range.high (" in chassis.log, 10, "the key that differs to be named")
            assert chassis.log.count("the cluster file differs from that of the peer") == 1, chassis.log
            told = chassis.ask("show services redundancy-group extensive").stdout
            assert "the cluster file differs from that of the peer: service sets: " in told, told
            assert chassis.counters()["heartbeats-of-another-configuration"] > 0
        left.stop()
        wait_until(lambda: right.status() == "MASTER", 20, "right to be master once it is alone")
    finally:
        assert [left.stop(), right.stop()] == [0, 0]


def test_a_peer_of_another_cluster(elsewhere, tmp_path):
    """The one that starts beside a master says so, and does not become a second master; nor does the master yield."""
    left = Chassis(tmp_path, "left").wait_until_ready()
    wait_until(lambda: left.status() == "MASTER", 20, "left to be master")
    other = write_cluster(tmp_path, CLUSTER.replace("cluster: hostile", "cluster: other"), "other.yaml")
    right = Chassis(tmp_path, "right", other).wait_until_ready()
    try:
        wait_until(lambda: "peer belongs to another cluster: its messages are refused" in left.log, 20, "left to say why")
        wait_until(lambda: "peer belongs to another cluster: its messages are refused" in right.log, 20, "right to say why")
        assert left.status() == "MASTER"
    finally:
        assert [left.stop(), right.stop()] == [0, 0]


def test_two_of_the_same_chassis(chassis):
    """The second one says why it does not start; the first one does not notice."""
    refused_start(chassis.folder, r"left: cannot be locked, is it in use by another process\?", cluster=chassis.cluster)
    other = write_cluster(chassis.folder, CLUSTER.replace("{folder}/left", "{folder}/elsewhere"), "elsewhere.yaml")
    refused_start(chassis.folder, r"(device ms000\.1: |Address already in use)", cluster=other)
