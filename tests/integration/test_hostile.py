"""Whoever reaches a chassis' sockets, its disk or its command line: each is refused with its reason and a counter, and the
chassis goes on. The programs are the sanitized build where there is one (build/asan)."""

import contextlib
import os
import random
import re
import socket
import struct
import time

import pytest
import wire
import zmq
from host import (CLUSTER, CONTROL, DATA, FAKE_CONTROL, FAKE_DATA, QUERY, SANITIZER, Chassis, Grown, namespace,
                  write_cluster)  # fmt: skip

from lab import netns
from lab.netlab import wait_until

ROUNDS = 400
LEFT, RIGHT = 0, 1  # members
PEER_NAME = b"0/1/0"  # of chassis right, as chassis left expects it: the last part is any
SOCKETS = {"control": CONTROL, "data": DATA, "query": QUERY}


@pytest.fixture(scope="module")
def host():
    if os.geteuid() != 0:
        pytest.fail("network namespaces need root: ./run-tests uses sudo")
    with namespace("icrhostile"):
        yield


@pytest.fixture
def elsewhere(host):
    """A namespace beside the one in which the attacked chassis runs."""
    with namespace("icrhostile2"):
        yield


@pytest.fixture
def dice(record_property):
    seed = int(os.environ.get("ICR_SEED") or random.SystemRandom().randrange(1 << 32))
    record_property("seed", seed)
    print(f"repeat with ICR_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def running(host, tmp_path_factory):
    """Chassis left, alone: its peer is whoever says so. All attacks on sockets are made on this one process."""
    chassis = Chassis(tmp_path_factory.mktemp("left")).wait_until_ready()
    yield chassis
    assert chassis.stop() == 0, chassis.log[-4000:]


@pytest.fixture
def chassis(running):
    """The running chassis, master before and after; what an attack held of it is given back."""
    wait_until(lambda: running.status() == "MASTER", 20, "the chassis to be master")
    memory, descriptors = running.memory()
    yield running
    assert running.process.poll() is None, running.log[-8000:]
    assert not SANITIZER.search(running.log), running.log[-8000:]
    wait_until(lambda: running.status() == "MASTER", 20, "the chassis to be master again")
    wait_until(lambda: running.memory()[1] <= descriptors + 2, 20, f"descriptors to be given back, {descriptors} before")
    assert running.memory()[0] < memory + 64 * 1024, "KiB of memory grew"


class Attacker:
    """ZeroMQ sockets in the namespace."""

    def __init__(self):
        self.context = zmq.Context()
        self.sockets = []

    def dealer(self, port, name=None):
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger, dealer.sndhwm, dealer.rcvtimeo, dealer.sndtimeo = 5000, 0, 10_000, 10_000
        if name is not None:
            dealer.routing_id = name
        dealer.connect(f"tcp://127.0.0.1:{port}")
        self.sockets.append(dealer)
        return dealer

    def router(self, port):
        router = self.context.socket(zmq.ROUTER)
        router.linger, router.rcvtimeo, router.router_handover = 0, 10_000, 1
        router.bind(f"tcp://127.0.0.1:{port}")
        self.sockets.append(router)
        return router

    def close(self):
        for each in self.sockets:
            each.close()
        self.context.term()


@pytest.fixture
def attacker(host):
    attacker = Attacker()
    yield attacker
    attacker.close()


def mutated(dice, raw, changes=4):
    raw = bytearray(raw)
    for _ in range(dice.randrange(1, changes + 1)):
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    return bytes(raw)


# --- the query socket --------------------------------------------------------------------------------------------------


@pytest.fixture
def digest(chassis, attacker):
    """Of the cluster file: the chassis says it with every heartbeat."""
    router = attacker.router(FAKE_CONTROL)
    found = wire.Envelope(router.recv_multipart()[1]).digest
    attacker.sockets.remove(router)
    router.close()
    return found


def test_questions_that_are_none(chassis, attacker, dice):
    dealer = attacker.dealer(QUERY)
    grown = Grown(chassis)
    whole = wire.question(1, 1)
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


def test_questions_out_of_range(chassis, attacker, digest):
    dealer = attacker.dealer(QUERY)
    grown = Grown(chassis)
    malformed, wrong_cluster, unknown_kind, unknown_target = 1, 2, 3, 4
    asked = {
        1: (wire.question(digest + 1, 1), wrong_cluster),
        2: (wire.question(0, 2), wrong_cluster),
        3: (wire.question(digest, 3, kind=0), unknown_kind),
        4: (wire.question(digest, 4, kind=16), unknown_kind),
        5: (wire.question(digest, 5, kind=255), unknown_kind),
        6: (wire.question(digest, 6, card=1), unknown_target),
        7: (wire.question(digest, 7, card=65535), unknown_target),
        8: (wire.question(digest, 8, wire.QUERY_PAGE, set_index=1, limit=1), unknown_target),
        9: (wire.question(digest, 9, wire.QUERY_CLEAR, set_index=65535), unknown_target),
        10: (wire.question(digest, 10, wire.QUERY_PAGE, limit=0), malformed),
        11: (wire.question(digest, 11, wire.QUERY_PAGE, limit=1025), malformed),
        12: (wire.question(digest, 12, wire.QUERY_PAGE, limit=2**32 - 1), malformed),
        13: (wire.question(digest, 13, wire.QUERY_PAGE, cursor=2**32 - 1, limit=1), 0),
        14: (wire.question(digest, 14), 0),
    }
    for raw, _ in asked.values():
        dealer.send(raw)
    answers = dict(wire.answer(dealer.recv()) for _ in asked)
    assert answers == {number: error for number, (_, error) in asked.items()}
    grown = grown.wait_for(query_refused_malformed=3)
    assert [grown[f"query-refused-{what}"] for what in ("malformed", "wrong-cluster", "unknown-kind", "unknown-target")] == [3, 2, 3, 4]  # fmt: skip


def test_mutated_questions(chassis, attacker, digest, dice):
    """Some are still questions, and are answered; then it is asked in good order."""
    dealer = attacker.dealer(QUERY)
    whole = [wire.question(digest, 5, kind, limit=3) for kind in (wire.QUERY_STATUS, wire.QUERY_PAGE, wire.QUERY_COUNT)]
    grown = Grown(chassis)
    for _ in range(ROUNDS):
        dealer.send(mutated(dice, dice.choice(whole)))
    grown.wait_for(query_requests=ROUNDS, query_refused_malformed=1)


def test_a_flood_of_questions(chassis, attacker, digest):
    """What waits for a card, and for a client that does not read, is bounded; then there is room for others again."""
    deaf = attacker.context.socket(zmq.DEALER)
    deaf.linger, deaf.sndhwm, deaf.rcvhwm, deaf.rcvbuf = 0, 0, 1, 4096
    deaf.connect(f"tcp://127.0.0.1:{QUERY}")
    rounds = 20_000
    grown = Grown(chassis)
    for number in range(rounds):
        deaf.send(wire.question(digest, number, wire.QUERY_COUNTERS))
    # Asked by a client that reads, until it has its turn.
    reader = attacker.dealer(QUERY)

    def all_received():
        reader.send(wire.question(digest, 1, wire.QUERY_SERVER_COUNTERS))
        return wire.counters(reader.recv())["query-requests"] >= grown.before["query-requests"] + rounds

    wait_until(all_received, 30, "all questions to be received", interval=0.2)
    deaf.close()
    wait_until(lambda: chassis.ask("show services sessions count").returncode == 0, 20, "an answer to others")
    grown = grown.now()
    refused = [grown.get(f"query-{what}", 0) for what in ("refused-busy", "replies-undeliverable")]
    assert sum(refused) > rounds // 2, grown


def test_oversized_messages_close_their_connection(chassis, attacker):
    grown = Grown(chassis)
    for port, size in ((QUERY, 32 * 1024 + 1), (QUERY, 20_000_000), (CONTROL, (1 << 20) + 1), (DATA, 8_000_000)):
        dealer = attacker.dealer(port, PEER_NAME if port != QUERY else None)
        monitor = dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        monitor.rcvtimeo = 10_000
        dealer.send(bytes(size))
        monitor.recv_multipart()
        dealer.disable_monitor()
        dealer.close(linger=0)
        attacker.sockets.remove(dealer)
    assert "control-messages-received" not in grown.now()


# --- the sockets of the peer -------------------------------------------------------------------------------------------


class FakePeer:
    """Chassis right, as far as chassis left can tell."""

    def __init__(self, attacker, boot):
        self.boot, self.number, self.term, self.role, self.sync = boot, 0, 0, wire.ROLE_INITIALIZING, 0
        self.state_term, self.stream = 0, (0, 0, 0)
        self.heard, self.digest, self.their_term = 0, 0, 0
        self.control, self.data = attacker.dealer(CONTROL, PEER_NAME), attacker.dealer(DATA, PEER_NAME)
        self.control_in, self.data_in = attacker.router(FAKE_CONTROL), attacker.router(FAKE_DATA)

    def hear(self, router=None, kind=None):
        """The next message of the chassis (of that kind)."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            raw = (router or self.control_in).recv_multipart()[1]
            seen = wire.Envelope(raw)
            self.heard, self.digest, self.their_term = seen.boot, seen.digest, seen.term
            if kind in (None, seen.kind):
                return seen, raw
        raise AssertionError(f"no {kind} was heard")

    def make(self, kind, body, **changes):
        header = {"digest": self.digest, "boot": self.boot, "term": self.term, "member": RIGHT, **changes}
        return wire.envelope(kind, body, **header)

    def beat(self, **changes):
        self.number += 1
        body = {"heard": self.heard, "role": self.role, "sync": self.sync, "state_term": self.state_term,
                "stream": self.stream, **changes}  # fmt: skip
        return self.make("Heartbeat", wire.heartbeat(self.number, **body))

    def follow(self):
        """Becomes a standby that has been heard."""
        self.hear()
        self.term, self.role, self.sync = self.their_term, wire.ROLE_STANDBY, 1
        self.control.send(self.beat())

    def lead(self):
        """Becomes a master in a higher term, which the chassis has to yield to."""
        self.hear()
        self.term = self.their_term + 1 + self.their_term % 2  # odd: of member 1
        self.state_term, self.role, self.sync = self.term, wire.ROLE_MASTER, 0
        self.control.send(self.beat())
        request, _ = self.hear(kind="SyncRequest")
        self.stream = (request.body.number(0, "Q"), 1, 0)

    def say(self, kind, *rest):
        """The next message of the stream that the chassis asked for."""
        epoch, base, sequence = self.stream
        self.stream = (epoch, base, sequence + 1)
        if kind == "Batch":
            body = wire.batch(epoch, base, sequence + 1, *rest)
        else:
            body = wire.Table(("Q", epoch), ("Q", base), ("Q", sequence + 1), *rest)
        self.data.send(self.make(kind, body))


@pytest.fixture
def peer(chassis, attacker, dice):
    """Ends before the chassis is looked at again: by its silence it loses every role it had."""
    return FakePeer(attacker, dice.randrange(1, 1 << 64))


def test_strangers_at_the_inter_chassis_link(chassis, attacker, digest):
    sound = wire.envelope("Heartbeat", wire.heartbeat(1), digest, 7, 0, RIGHT)
    grown = Grown(chassis)
    names = (None, b"0/0/0", b"1/1/0", b"0/11/0", b"0", b"0/1", b"0/1/", b"\xff" * 255)
    for port in (CONTROL, DATA):
        for name in names:
            dealer = attacker.dealer(port, name)
            dealer.send(sound)
            dealer.send(b"")
            dealer.send_multipart([b"", sound])
    grown = grown.wait_for(link_refused_strangers=2 * 2 * len(names), link_refused_parts=2 * len(names))
    assert grown["link-refused-strangers"] == 2 * 2 * len(names)
    assert "control-messages-received" not in grown and "met-another-master" not in grown


REFUSED = {
    "refused-wrong-cluster": [{"digest": 0}, {"digest": 1}],
    "refused-wrong-set": [{"set_index": 1}, {"set_index": 65535}],
    "refused-wrong-member": [{"member": LEFT}, {"member": 2}, {"member": 255}],
    "refused-bad-value": [{"boot": 0}, {"term": 1 << 62}, {"term": (1 << 64) - 1}],
}


@pytest.mark.parametrize("counter", REFUSED)
def test_headers_of_others(chassis, peer, counter):
    """In the name of the peer, but of another cluster file, set or member."""
    peer.hear()
    grown = Grown(chassis)
    for change in REFUSED[counter]:
        peer.control.send(peer.make("Heartbeat", wire.heartbeat(1000, role=2), **change))
        peer.data.send(peer.make("BulkEnd", wire.numbers(1, 1, 1), **change))
    grown = grown.wait_for(**{counter.replace("-", "_"): 2 * len(REFUSED[counter])})
    assert grown[counter] == 2 * len(REFUSED[counter])
    assert chassis.status() == "MASTER" and "became-standby" not in grown


def test_bodies_out_of_range(chassis, peer):
    peer.follow()
    beat, big = wire.heartbeat, 1 << 62
    values = [
        ("Heartbeat", beat(0)),
        ("Heartbeat", beat(99, role=3)),
        ("Heartbeat", beat(99, sync=3)),
        ("Heartbeat", beat(99, state_term=peer.term + 2)),
        ("Heartbeat", beat(99, stream=(1, big, 1))),
        ("Heartbeat", beat(99, stream=(1, 1, big))),
        ("Handover", wire.numbers(0, 1)),
        ("Handover", wire.numbers(1, big)),
        ("SyncRequest", wire.numbers(0)),
        ("Ack", wire.numbers(0, 1, 1)),
        ("Ack", wire.numbers(1, big, 1)),
        ("Ack", wire.numbers(1, 1, big)),
        ("Nack", wire.numbers(1, 1, 0)),
        ("Nack", wire.numbers(1, 1, big)),
    ]
    streamed = [
        ("StreamBegin", wire.numbers(1, 0, 1)),
        ("StreamBegin", wire.numbers(1, 2, 1)),
        ("StreamBegin", wire.Table(("Q", 1), ("Q", 1), ("Q", 1), ("I", 2**32 - 1))),
        ("Batch", wire.numbers(1, 1, 1)),
        ("BulkEnd", wire.numbers(1, 1, big)),
        ("Audit", wire.Table(("Q", 1), ("Q", 1), ("Q", 1), ("I", 0), ("I", 4097))),
        ("Audit", wire.Table(("Q", 1), ("Q", 1), ("Q", 1), ("I", 2**32 - 1), ("I", 4096))),
    ]
    unknown = [(0, wire.numbers(1)), (10, wire.numbers(1)), (255, wire.numbers(1)), ("Ack", None)]
    crossed = [("BulkEnd", wire.numbers(1, 1, 1)), ("Batch", wire.batch(1, 1, 1))]
    grown = Grown(chassis)
    for kind, body in values + unknown + crossed:
        peer.control.send(peer.make(kind, body))
    for kind, body in streamed:
        peer.data.send(peer.make(kind, body))
    peer.data.send(peer.make("Ack", wire.numbers(1, 1, 1)))
    grown = grown.wait_for(refused_bad_value=len(values) + len(streamed), refused_unknown_kind=4, refused_wrong_link=3)
    assert grown["refused-bad-value"] == len(values) + len(streamed)
    assert (grown["refused-unknown-kind"], grown["refused-wrong-link"]) == (4, 3)
    assert chassis.status() == "MASTER"


def test_messages_cut_and_garbled(chassis, peer, dice):
    """Every message of a recorded conversation, cut at each length; then with bits flipped behind the header of the
    envelope; and noise."""
    peer.follow()
    peer.control.send(peer.make("SyncRequest", wire.numbers(1 << 40)))
    recorded = [peer.hear(peer.data_in, kind)[1] for kind in ("StreamBegin", "BulkEnd")]
    recorded += [peer.hear()[1], peer.beat(), peer.make("Batch", wire.batch(1, 1, 1, [wire.session4(1)], [(2, 1)]))]
    grown = Grown(chassis)
    cut = [raw[:length] for raw in recorded for length in range(len(raw) - 8)]
    noise = [dice.randbytes(dice.randrange(1, 2000)) for _ in range(ROUNDS)] + [b"", bytes(1 << 20)]
    for each in cut + noise:
        dice.choice((peer.control, peer.data)).send(each)
    grown.wait_for(refused_malformed=len(noise))
    for _ in range(ROUNDS):
        dice.choice((peer.control, peer.data)).send(mutated(dice, dice.choice(recorded)))
    sent = len(cut) + len(noise) + ROUNDS
    wait_until(
        lambda: sum(grown.now().get(f"{link}-messages-received", 0) for link in ("control", "data")) >= sent, 20,
        "all of them to be received",
    )  # fmt: skip
    assert chassis.process.poll() is None


def test_other_boots_and_terms(chassis, peer):
    peer.follow()
    grown = Grown(chassis)
    for number in range(50):
        peer.control.send(peer.make("Ack", wire.numbers(1, 1, 1), boot=peer.boot ^ 1 + number))
        peer.control.send(peer.make("Ack", wire.numbers(1, 1, 1), term=peer.term - 2))
        peer.control.send(peer.make("Ack", wire.numbers(1, 1, 1), term=peer.term + 2))
        peer.data.send(peer.make("BulkEnd", wire.numbers(1, 1, 1)))  # only a master says that
        peer.control.send(peer.make("Handover", wire.numbers(1, 1)))
        peer.control.send(peer.make("Nack", wire.numbers(1, 1, 99)))
    names = "refused-other-boot refused-lower-term refused-higher-term refused-wrong-role offers-too-early".split()
    grown = grown.wait_for(**{name.replace("-", "_"): 50 for name in names}, negative_acknowledgements_ignored=50)
    assert [grown[name] for name in names] == [50] * len(names)
    assert chassis.status() == "MASTER"


def test_acknowledgements_of_what_was_never_sent(chassis, peer):
    peer.follow()
    epoch = 1 << 40
    peer.control.send(peer.make("SyncRequest", wire.numbers(epoch)))
    peer.hear(peer.data_in, "BulkEnd")
    grown = Grown(chassis)
    for number in (3, 1000, (1 << 62) - 1):
        peer.control.send(peer.make("Ack", wire.numbers(epoch, 1, number + 1000)))
        peer.control.send(peer.make("Nack", wire.numbers(epoch, 1, number + 1000 if number < 1 << 61 else number)))
        peer.control.send(peer.make("Ack", wire.numbers(epoch + 1, 1, 1)))
        peer.control.send(peer.make("SyncRequest", wire.numbers(epoch - number % 7)))
    grown.wait_for(acknowledgements_ignored=3, negative_acknowledgements_ignored=3, refused_late_request=3)
    assert chassis.status() == "MASTER"


def test_a_master_that_sends_sessions_that_cannot_be(chassis, peer):
    """The chassis yields to a higher term: it must. It takes no session that is not one, and it is warned by them."""
    peer.lead()
    wait_until(lambda: chassis.status().startswith("STANDBY"), 10, "the chassis to yield")
    grown = Grown(chassis)
    peer.say("StreamBegin", ("I", 1024))
    peer.say("Batch", [wire.session4(number, host=1, port=2000 + number) for number in range(20)])
    taken = grown.wait_for(batches_received=1)
    assert taken["twin-sessions-created"] == 20 and chassis.sessions() == 20
    peer.control.send(peer.beat())

    # Slots and service sets that the verifier cannot know of: refused one by one.
    peer.say("Batch", [wire.session4(1024), wire.session4((1 << 26) - 1), wire.session4(30, service_set=7),
                       wire.session4(31, service_set=65535)], [(1024, 1), ((1 << 26) - 1, 5)])  # fmt: skip
    grown.wait_for(twin_refused_slot=2, twin_refused_service_set=2)
    peer.control.send(peer.beat())
    # Values out of range, columns that do not belong to their sessions, too many rows: the whole batch is refused.
    wrong = [
        [wire.session4(1 << 31)],
        [wire.session4(1, generation=0)],
        [wire.session4(1, alg=255)],
        [wire.session4(1, tcp_state=200)],
        [wire.session4(1, nat=0xFF)],
        [wire.session4(1, parts=0x8000)],
        [wire.session4(1, parts=1)],
        [wire.session4(1, parts=2)],
        [wire.session4(number % 1000) for number in range(4097)],
    ]
    epoch, base, sequence = peer.stream
    for rows in wrong:
        peer.data.send(peer.make("Batch", wire.batch(epoch, base, sequence + 1, rows)))
    peer.data.send(peer.make("Batch", wire.batch(epoch, base, sequence + 1, (), [(1, 1)] * 4097)))
    grown.wait_for(invalid_batches=len(wrong) + 1)
    assert chassis.sessions() == 20
    assert chassis.process.poll() is None


def test_a_master_that_contradicts_itself(chassis, peer, dice):
    """Numbers that jump, attempts that go back, digests that are wrong, a flood of sessions for few slots."""
    peer.lead()
    grown = Grown(chassis)
    peer.say("StreamBegin", ("I", 1024))
    for _ in range(40):
        rows = [wire.session4(dice.randrange(1100), dice.randrange(1, 5), dice.choice((1, 6, 17, 47)), host=dice.randrange(4),
                              port=dice.randrange(1024, 1100)) for _ in range(200)]  # fmt: skip
        peer.say("Batch", rows, [(dice.randrange(1100), dice.randrange(5)) for _ in range(50)])
    peer.say("BulkEnd")
    grown.wait_for(batches_received=40, copies_completed=1, twin_sessions_displaced=1)
    assert chassis.sessions() <= 1024
    epoch, base, sequence = peer.stream
    for jump in (5, 1000, 1 << 61):
        peer.data.send(peer.make("BulkEnd", wire.numbers(epoch, base, sequence + jump)))
        peer.control.send(peer.beat())
    peer.data.send(peer.make("BulkEnd", wire.numbers(epoch, base, 1)))
    peer.data.send(peer.make("BulkEnd", wire.numbers(epoch + 9, base, sequence + 1)))
    grown.wait_for(gaps=3, duplicate_messages=1, other_stream=1)
    peer.say("Audit", ("I", 0), ("I", 1024), ("I", 3), ("Q", 12345))
    grown = grown.wait_for(audits_failed=1, streams_restarted=1)
    assert chassis.process.poll() is None


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


@pytest.mark.parametrize("port,reason", [(QUERY, "query server: cannot listen on tcp://127.0.0.1:7300: Address already in use"), (CONTROL, "inter-chassis link, 127.0.0.1:7400: Address already in use"), (DATA, "inter-chassis link, 127.0.0.1:7401: Address already in use")])  # fmt: skip
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
        for name in (b"0/1", b"0/1/", b"0/1/0", b"0/1/ffffffffffffffff", b"0/0/0"):
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
    """The one that starts beside a master says so, and does not become a second master; nor does the master yield."""
    left = Chassis(tmp_path, "left").wait_until_ready()
    wait_until(lambda: left.status() == "MASTER", 20, "left to be master")
    other = write_cluster(tmp_path, CLUSTER.replace("high: 65535", "high: 65534"), "other.yaml")
    right = Chassis(tmp_path, "right", other).wait_until_ready()
    try:
        wait_until(lambda: right.counters()["refused-wrong-cluster"] > 15, 20, "1.5 s of refused heartbeats, of 0.3 s hold time")
        assert (left.status(), right.status()) == ("MASTER", "INITIALIZING")
        for chassis in (left, right):
            assert chassis.log.count("peer runs another cluster file: its messages are refused") == 1, chassis.log
        left.stop()
        wait_until(lambda: right.status() == "MASTER", 20, "right to be master once it is alone")
    finally:
        assert [left.stop(), right.stop()] == [0, 0]


def test_two_of_the_same_chassis(chassis):
    """The second one says why it does not start; the first one does not notice."""
    refused_start(chassis.folder, r"left: cannot be locked, is it in use by another process\?", cluster=chassis.cluster)
    other = write_cluster(chassis.folder, CLUSTER.replace("{folder}/left", "{folder}/elsewhere"), "elsewhere.yaml")
    refused_start(chassis.folder, r"(device ms000\.1: |Address already in use)", cluster=other)
