"""What attacks on a running chassis share: the chassis itself, and somebody who reaches its sockets."""

import os

import pytest
import wire
import zmq
from conftest import PREFIX
from host import CONTROL, DATA, FAKE_CONTROL, QUERY, SANITIZER, Chassis, namespace

from lab.netlab import wait_until

ROUNDS = 400
LEFT, RIGHT = 0, 1  # members
PEER_NAME = f"{wire.SET_ID:08x}/{wire.CHASSIS_IDS[1]:08x}/0".encode()  # of right, as left expects it: the last part is any
SOCKETS = {"control": CONTROL, "data": DATA, "query": QUERY}


@pytest.fixture(scope="module")
def host():
    if os.geteuid() != 0:
        pytest.fail("network namespaces need root: ./run-tests uses sudo")
    with namespace(f"{PREFIX}-hostile"):
        yield


@pytest.fixture
def elsewhere(host):
    """A namespace beside the one in which the attacked chassis runs."""
    with namespace(f"{PREFIX}-hostile2"):
        yield


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
        # A test that failed left sockets open, for which term() would wait without end.
        self.context.destroy(linger=0)


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


@pytest.fixture
def digest(chassis, attacker):
    """Of what peers must have alike in the cluster file: the chassis says it with every heartbeat."""
    router = attacker.router(FAKE_CONTROL)
    found = wire.Envelope(router.recv_multipart()[1]).digest
    attacker.sockets.remove(router)
    router.close()
    return found
