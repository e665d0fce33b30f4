"""Whoever speaks on the sockets of the inter-chassis peer: strangers, and a peer that says what cannot be."""

import contextlib
import socket
import time

import pytest
import wire
from attack import LEFT, PEER_NAME, RIGHT, ROUNDS, mutated
from host import CONTROL, DATA, FAKE_CONTROL, FAKE_DATA, Grown

from lab.netlab import wait_until

pytestmark = pytest.mark.sanitized

pytest_plugins = ["attack"]


class FakePeer:
    """Chassis right, as far as chassis left can tell."""

    def __init__(self, attacker, boot):
        self.boot, self.number, self.term, self.role, self.sync = boot, 0, 0, wire.ROLE_INITIALIZING, 0
        self.state_term, self.stream = 0, (0, 0, 0)
        self.heard, self.digest, self.their_term = 0, 0, 0
        self.beaten_at = 0.0
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
        self.beaten_at = time.monotonic()
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

    def keep_leading(self):
        """Lets the chassis hear that its master lives, if it has not heard that for a while."""
        if time.monotonic() - self.beaten_at > 0.2:
            self.control.send(self.beat())

    def say(self, kind, *rest):
        """The next message of the stream that the chassis asked for. To make many of them takes longer than a peer may be
        silent on a busy machine, so heartbeats go with them."""
        self.keep_leading()
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
    own_set, right = f"{wire.SET_ID:08x}".encode(), f"{wire.CHASSIS_IDS[RIGHT]:08x}".encode()
    others = (f"{wire.CHASSIS_IDS[LEFT]:08x}".encode(), right + b"1", right[:4])
    names = (None, *(b"/".join((own_set, other, b"0")) for other in others), b"00000001/" + right + b"/0", own_set,
             own_set + b"/" + right, own_set + b"/" + right + b"/", b"0/1/0", b"\xff" * 255)  # fmt: skip
    for port in (CONTROL, DATA):
        for name in names:
            dealer = attacker.dealer(port, name)
            dealer.send(sound)
            dealer.send(b"")
            dealer.send_multipart([b"", sound])
    grown = grown.wait_for(link_refused_strangers=2 * 2 * len(names), link_refused_parts=2 * len(names))
    assert grown["link-refused-strangers"] == 2 * 2 * len(names)
    assert "control-messages-received" not in grown and "met-another-master" not in grown


def test_the_name_of_a_former_release(chassis, attacker, digest):
    """Somebody at the peer's address claims to be of commit 39ebb76. Nothing of it is believed but that it lives, and the
    chassis makes one connection to it, as often as it says so."""
    leads = wire.heartbeat(1000, role=wire.ROLE_MASTER)
    old = wire.envelope("Heartbeat", leads, digest, 7, 1 << 40, RIGHT, cluster=0, set_id=0, sender=0)
    new = wire.envelope("Heartbeat", leads, digest, 7, 1 << 40, RIGHT)
    grown = Grown(chassis)
    router, name = attacker.router(FAKE_CONTROL), b"0/1/0123456789abcdef"
    dealer = attacker.dealer(CONTROL, name)
    names, former, beats = set(), [], 0
    while len(former) < 10:
        for message in (old, new, old[:20]):
            dealer.send(message)
        heard, message = router.recv_multipart()
        names.add(heard)
        if heard.startswith(b"0/0/"):
            former.append(wire.Envelope(message).kind)
        beats += 1
        assert beats < 300, f"heartbeats under {names} only"
    assert len(names) == 2 and set(former) == {"Heartbeat"}
    attacker.dealer(DATA, name).send(new)
    grown = grown.wait_for(link_refused_strangers=1, refused_former_name=beats, refused_malformed=beats)
    assert (grown["refused-wrong-cluster"], grown["refused-former-name"], grown["refused-malformed"]) == (beats,) * 3
    assert (grown["link-former-received"], grown["link-refused-strangers"]) == (3 * beats, 1)
    assert chassis.status() == "MASTER" and "met-another-master" not in grown and "became-standby" not in grown


PING = b"\x04\x07\x04PING\x00\x01"  # gives the connection up unless more comes within a tenth of a second


@pytest.mark.parametrize("port", [FAKE_CONTROL, FAKE_DATA])
def test_answers_that_nobody_reads(chassis, dice, port):
    """Whoever listens at the peer's port fills no memory with what he sends back, and his pings, with which libzmq 4.3.4
    can be made to abort where a full queue is read, end nothing but his connections."""
    memory = chassis.memory()[0]
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(20)
        for _ in range(30):
            stream, _ = server.accept()  # the chassis connects again, whatever it was told
            stream.settimeout(1)
            with stream, contextlib.suppress(OSError):
                stream.sendall(wire.greeting(version=b"\x03\x01") + wire.ready(b"ROUTER"))
                for _ in range(dice.randrange(8)):
                    few, many = dice.randrange(4), dice.randrange(2000)
                    stream.sendall(b"\x00\xc8" + bytes(200)) if few else stream.sendall((b"\x00\xc8" + bytes(200)) * many)
                    stream.sendall(PING * dice.randrange(3))
                until = time.monotonic() + dice.choice((0, 0.05, 0.3))
                while time.monotonic() < until and stream.recv(65536):
                    pass
        # One that sends as much as is taken.
        stream, _ = server.accept()
        with stream, contextlib.suppress(OSError):
            stream.sendall(wire.greeting(version=b"\x03\x01") + wire.ready(b"ROUTER"))
            stream.settimeout(2)
            for _ in range(2000):
                stream.sendall((b"\x00\xc8" + bytes(200)) * 1000)
            pytest.fail("400 MB were taken")
    assert chassis.status() == "MASTER"
    assert chassis.memory()[0] < memory + 64 * 1024, "KiB of memory grew"


REFUSED = {
    "refused-wrong-cluster": [{"cluster": 0}, {"cluster": 1}],
    "refused-wrong-set": [{"set_id": 0}, {"set_id": 1}],
    "refused-wrong-member": [{"member": LEFT}, {"member": 2}, {"member": 255}, {"sender": wire.CHASSIS_IDS[LEFT]}],
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
        ("Compared", wire.numbers(1, 1, 1)),
        ("RelayedPacket", wire.Table(("I", 1), ("B", 1))),
    ]
    streamed = [
        ("StreamBegin", wire.numbers(1, 0, 1)),
        ("StreamBegin", wire.numbers(1, 2, 1)),
        ("StreamBegin", wire.Table(("Q", 1), ("Q", 1), ("Q", 1), ("I", 2**32 - 1))),
        ("Batch", wire.numbers(1, 1, 1)),
        ("BulkEnd", wire.numbers(1, 1, big)),
        ("Audit", wire.Table(("Q", 1), ("Q", 1), ("Q", 1), ("I", 0), ("I", 4097))),
        ("Audit", wire.Table(("Q", 1), ("Q", 1), ("Q", 1), ("I", 2**32 - 1), ("I", 4096))),
        ("Digests", wire.Table(("I", 0), ("I", 4))),
    ]
    unknown = [(0, wire.numbers(1)), (len(wire.BODIES), wire.numbers(1)), (255, wire.numbers(1)), ("Ack", None)]
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
    taken = grown.wait_for(peer.keep_leading, batches_received=1)
    assert taken["twin-sessions-created"] == 20 and chassis.sessions() == 20
    peer.control.send(peer.beat())

    # Slots and service sets that the verifier cannot know of: refused one by one.
    peer.say("Batch", [wire.session4(1024), wire.session4((1 << 26) - 1), wire.session4(30, service_set=3),
                       wire.session4(31, service_set=0)], [(1024, 1), ((1 << 26) - 1, 5)])  # fmt: skip
    grown.wait_for(peer.keep_leading, twin_refused_slot=2, twin_refused_service_set=2)
    peer.control.send(peer.beat())
    # Values that a later release may know: a session without its protocol or an unknown column is taken, one of an unknown
    # state or kind of translation is skipped.
    peer.say("Batch", [wire.session4(40, host=1, port=2040, alg=255), wire.session4(41, host=1, port=2041, parts=0x8000),
                       wire.session4(42, tcp_state=200), wire.session4(43, nat=0xFF)])  # fmt: skip
    grown.wait_for(peer.keep_leading, records_reduced=2, records_unknown=2)
    peer.control.send(peer.beat())
    # Values out of range, columns that do not belong to their sessions, too many rows: the whole batch is refused.
    wrong = [
        [wire.session4(1 << 31)],
        [wire.session4(1, generation=0)],
        [wire.session4(1, parts=1)],
        [wire.session4(1, service_set=4)],
        [wire.session4(1, service_set=65535)],
        [wire.session4(1, parts=2)],
        [wire.session4(number % 1000) for number in range(4097)],
    ]
    epoch, base, sequence = peer.stream
    for rows in wrong:
        peer.data.send(peer.make("Batch", wire.batch(epoch, base, sequence + 1, rows)))
    peer.data.send(peer.make("Batch", wire.batch(epoch, base, sequence + 1, (), [(1, 1)] * 4097)))
    grown.wait_for(peer.keep_leading, invalid_batches=len(wrong) + 1)
    assert chassis.sessions() == 22
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
    grown.wait_for(peer.keep_leading, batches_received=40, copies_completed=1, twin_sessions_displaced=1)
    epoch, base, sequence = peer.stream
    for jump in (5, 1000, 1 << 61):
        peer.data.send(peer.make("BulkEnd", wire.numbers(epoch, base, sequence + jump)))
        peer.control.send(peer.beat())
    peer.data.send(peer.make("BulkEnd", wire.numbers(epoch, base, 1)))
    peer.data.send(peer.make("BulkEnd", wire.numbers(epoch + 9, base, sequence + 1)))
    grown.wait_for(peer.keep_leading, gaps=3, duplicate_messages=1, other_stream=1)
    peer.say("Audit", ("I", 0), ("I", 1024), ("I", 3), ("Q", 12345))
    grown = grown.wait_for(peer.keep_leading, audits_failed=1, streams_restarted=1)
    assert chassis.sessions() <= 1024
    assert chassis.process.poll() is None
