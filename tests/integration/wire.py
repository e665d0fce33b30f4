"""Messages to chassis made and read without our code: FlatBuffers by hand, and the first octets of ZMTP.

The layout is that of replication/protocol.fbs, model/record/session.fbs and model/query/query.fbs. Fields of a table are
given in the order of the schema, as (struct format, value) or as Table or Vector; None leaves a field out."""

import struct

ROLE_INITIALIZING, ROLE_STANDBY, ROLE_MASTER = range(3)
BODIES = "NONE Heartbeat Handover SyncRequest StreamBegin Batch BulkEnd Audit Ack Nack Adopt AdoptAck Configuration".split()
BODIES += "RelayedPacket Digests Compared".split()
NAMED_CLUSTER, NAMED_CHASSIS, NAMED_CARD, NAMED_SET, NAMED_SERVICE_SET, NAMED_TERM, NAMED_POOL = range(1, 8)
QUERY_STATUS, QUERY_PAGE, QUERY_COUNT, QUERY_CLEAR, QUERY_SWITCHOVER, QUERY_COUNTERS, QUERY_SERVER_COUNTERS = range(1, 8)


class Table:
    def __init__(self, *fields):
        self.fields = fields


class Vector:
    """A vector of structs, each packed already."""

    def __init__(self, rows, alignment=4):
        self.rows, self.alignment = rows, alignment


def _pad(out, alignment, ahead=0):
    while (len(out) + ahead) % alignment:
        out.append(0)


def _write_vector(out, vector):
    _pad(out, vector.alignment, ahead=4)
    start = len(out)
    out += struct.pack("<I", len(vector.rows)) + b"".join(vector.rows)
    return start


def _write_table(out, table):
    fields = table.fields
    _pad(out, 2)
    vtable = len(out)
    out += bytes(4 + 2 * len(fields))
    _pad(out, 8)
    start = len(out)
    out += struct.pack("<i", start - vtable)
    later = []
    for index, field in enumerate(fields):
        if field is None:
            continue
        inline = isinstance(field, tuple)
        size = struct.calcsize("<" + field[0]) if inline else 4
        _pad(out, size)
        struct.pack_into("<H", out, vtable + 4 + 2 * index, len(out) - start)
        if inline:
            out += struct.pack("<" + field[0], field[1])
        else:
            later.append((len(out), field))
            out += bytes(4)
    struct.pack_into("<HH", out, vtable, 4 + 2 * len(fields), len(out) - start)
    for place, child in later:
        at = _write_table(out, child) if isinstance(child, Table) else _write_vector(out, child)
        struct.pack_into("<I", out, place, at - place)
    return start


def message(root, identifier):
    out = bytearray(4) + identifier
    struct.pack_into("<I", out, 0, _write_table(out, root))
    _pad(out, 8)
    return bytes(out)


class Read:
    """A table in a message that is known to be sound."""

    def __init__(self, raw, at=None):
        self.raw, self.at = raw, struct.unpack_from("<I", raw)[0] if at is None else at

    def place(self, index):
        vtable = self.at - struct.unpack_from("<i", self.raw, self.at)[0]
        if 4 + 2 * index >= struct.unpack_from("<H", self.raw, vtable)[0]:
            return None
        offset = struct.unpack_from("<H", self.raw, vtable + 4 + 2 * index)[0]
        return self.at + offset if offset else None

    def number(self, index, form):
        place = self.place(index)
        return 0 if place is None else struct.unpack_from("<" + form, self.raw, place)[0]

    def table(self, index):
        place = self.place(index)
        return None if place is None else Read(self.raw, place + struct.unpack_from("<I", self.raw, place)[0])

    def tables(self, index):
        place = self.place(index)
        if place is None:
            return []
        place += struct.unpack_from("<I", self.raw, place)[0]
        spots = [place + 4 + 4 * i for i in range(struct.unpack_from("<I", self.raw, place)[0])]
        return [Read(self.raw, spot + struct.unpack_from("<I", self.raw, spot)[0]) for spot in spots]

    def text(self, index):
        place = self.place(index)
        place += struct.unpack_from("<I", self.raw, place)[0]
        length = struct.unpack_from("<I", self.raw, place)[0]
        return self.raw[place + 4 : place + 4 + length].decode()


def stable_id(kind, name, within=""):
    """The identity of a thing that a cluster file names (model/record/stable_id.h)."""
    state = 0xCBF29CE484222325
    for octet in bytes([kind]) + within.encode() + b"\0" + name.encode():
        state = (state ^ octet) * 0x100000001B3 % 2**64
    state ^= state >> 30
    return (state * 0xBF58476D1CE4E5B9 % 2**64 >> 32) or 1


CLUSTER_ID, SET_ID = stable_id(NAMED_CLUSTER, "hostile"), stable_id(NAMED_SET, "rs1")
CHASSIS_IDS = [stable_id(NAMED_CHASSIS, name) for name in ("left", "right")]
CARD_ID = stable_id(NAMED_CARD, "ms-0/0/0")


# --- between peers ---------------------------------------------------------------------------------------------------


class Envelope:
    """What a captured message says about its sender."""

    def __init__(self, raw):
        root = Read(raw)
        self.digest, self.boot, self.term = (root.number(i, "Q") for i in range(3))
        self.set, self.member = root.number(11, "I"), root.number(4, "B")
        self.kind = BODIES[root.number(5, "B")]
        self.body = root.table(6)


def envelope(kind, body, digest, boot, term, member, cluster=CLUSTER_ID, set_id=SET_ID, sender=CHASSIS_IDS[1]):
    number = BODIES.index(kind) if isinstance(kind, str) else kind
    root = Table(("Q", digest), ("Q", boot), ("Q", term), None, ("B", member), ("B", number), body, None, None, None,
                 ("I", cluster), ("I", set_id), ("I", sender))  # fmt: skip
    return message(root, b"ICRM")


def heartbeat(number, heard=0, role=ROLE_INITIALIZING, sync=0, priority=50, state_term=0, capacity=1024,
              stream=(0, 0, 0)):  # fmt: skip
    return Table(("Q", number), ("Q", heard), ("B", role), ("B", sync), ("I", priority), ("Q", state_term), ("H", 0),
                 ("B", 0), ("I", capacity), *(("Q", value) for value in stream))  # fmt: skip


def numbers(*values):
    """A body of 64-bit numbers only: Handover, SyncRequest, BulkEnd, Ack, Nack."""
    return Table(*(("Q", value) for value in values))


# What every batch names; rows name them from 1.
NAMES = [stable_id(NAMED_SERVICE_SET, "cgn"), stable_id(NAMED_POOL, "pool1"), stable_id(NAMED_SERVICE_SET, "nowhere")]


def session4(slot, generation=1, protocol=17, service_set=1, alg=0, tcp_state=0, nat=1, parts=0, host=10, port=5000):
    """A session of that inside host, translated to an address of the first pool by NAPT44 (nat 1)."""
    addresses = struct.pack("<4I", 0xC6120000 + host, 0xC6130001, 0xC6130001, 0xCB007101)
    core = struct.pack("<7I", slot, generation, 1, 30, 0, 0, 0)
    core += struct.pack("<8H", port, 7, 7, port, service_set, 0, 2, parts)
    return addresses + core + struct.pack("<4B", protocol, tcp_state, nat, alg)


def batch(epoch, base, sequence, sessions=(), tombstones=(), tcp=None):
    dead = Vector([struct.pack("<II", *each) for each in tombstones])
    names = Vector([struct.pack("<I", name) for name in NAMES])
    rows = Table(Vector(list(sessions)), None, tcp, None, dead, None, names)
    return Table(("Q", epoch), ("Q", base), ("Q", sequence), rows)


# --- questions -------------------------------------------------------------------------------------------------------


def question(number, kind=QUERY_STATUS, cluster=CLUSTER_ID, card=CARD_ID, set_id=SET_ID, cursor=0, limit=0, filters=None):
    root = Table(("Q", 0), ("Q", number), ("B", kind), None, None, ("I", cursor), ("I", limit), ("B", 0), filters, None,
                 None, None, None, None, ("I", cluster), ("I", card), ("I", set_id))  # fmt: skip
    return message(Table(root), b"ICRQ")


def answer(raw):
    """(request id, error) of an answer."""
    reply = Read(raw).table(1)
    return reply.number(0, "Q"), reply.number(1, "B")


def reason(raw):
    """Why a question was refused."""
    return Read(raw).table(1).text(2)


def counters(raw):
    """{name: value} of the first group of counters in an answer."""
    group = Read(raw).table(1).tables(9)[0]
    return {counter.text(0): counter.number(1, "Q") for counter in group.tables(1)}


# --- ZMTP ------------------------------------------------------------------------------------------------------------


def greeting(mechanism=b"NULL", version=b"\x03\x00", as_server=0):
    return b"\xff" + bytes(8) + b"\x7f" + version + mechanism.ljust(20, b"\0") + bytes([as_server]) + bytes(31)


def ready(socket_type=b"DEALER", identity=b""):
    def entry(name, value):
        return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value

    body = b"\x05READY" + entry(b"Socket-Type", socket_type) + entry(b"Identity", identity)
    return b"\x04" + bytes([len(body)]) + body
