#!/usr/bin/env python3
"""Makes sessions: one UDP packet for each of many (source address, source port) pairs, at a bounded rate.

The packets are Ethernet frames made here and handed to the kernel in large batches (sendmmsg), so that a hundred
thousand take a few seconds. Session number N is (FIRST_SOURCE + N / 25000, 1024 + N % 25000); the number travels in the
payload, and sink.py collects it.
"""

import argparse
import ctypes
import ipaddress
import json
import os
import socket
import struct
import sys
import time

FIRST_SOURCE = int(ipaddress.IPv4Address("198.18.0.100"))
PORTS_PER_SOURCE = 25000
FIRST_PORT = 1024
PAYLOAD = 4
FRAME = 14 + 20 + 8 + PAYLOAD
BATCH = 256


class IoVector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class MessageHeader(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.POINTER(IoVector)),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class Message(ctypes.Structure):
    _fields_ = [("header", MessageHeader), ("length", ctypes.c_uint)]


def folded(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def words(data):
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def gateway_mac(gateway):
    """The gateway's address on the wire, as the kernel learns it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.sendto(b"", (gateway, 9))
        with open("/proc/thread-self/net/arp", encoding="ascii") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                if fields[0] == gateway and fields[2] != "0x0":
                    return bytes.fromhex(fields[3].replace(":", ""))
        time.sleep(0.05)
    raise SystemExit(f"session_generator: nobody answers for the gateway {gateway}")


def frames(numbers, ethernet, destination, port):
    """All frames, one after the other, FRAME bytes each."""
    out = bytearray(FRAME * len(numbers))
    target = ipaddress.IPv4Address(destination).packed
    constant = words(target) + 17 + (8 + PAYLOAD) + (8 + PAYLOAD) + port
    starts, layout = {}, struct.Struct("!HHHHI")
    for place, number in enumerate(numbers):
        source = FIRST_SOURCE + number // PORTS_PER_SOURCE
        if source not in starts:
            address = source.to_bytes(4, "big")
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, FRAME - 14, 0, 0x4000, 64, 17, 0, address, target)
            head = head[:10] + struct.pack("!H", folded(words(head))) + head[12:]
            starts[source] = (ethernet + head, constant + words(address))
        start, total = starts[source]
        source_port = FIRST_PORT + number % PORTS_PER_SOURCE
        checksum = folded(total + source_port + (number >> 16) + (number & 0xFFFF)) or 0xFFFF
        at = place * FRAME
        out[at : at + 34] = start
        layout.pack_into(out, at + 34, source_port, port, 8 + PAYLOAD, checksum, number)
    return out


def send(link, data, count, rate):
    """Sends the frames at `rate` packets per second. Returns how many the kernel took."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = (ctypes.c_char * len(data)).from_buffer(data)
    base = ctypes.addressof(memory)
    vectors = (IoVector * count)()
    messages = (Message * count)()
    for place in range(count):
        vectors[place].base = base + place * FRAME
        vectors[place].length = FRAME
        messages[place].header.vector = ctypes.pointer(vectors[place])
        messages[place].header.vector_length = 1
    size = ctypes.sizeof(Message)
    start, sent = time.monotonic(), 0
    while sent < count:
        ahead = sent / rate - (time.monotonic() - start)
        if ahead > 0.001:
            time.sleep(ahead)
        taken = libc.sendmmsg(
            link.fileno(), ctypes.byref(messages, sent * size), min(BATCH, count - sent, max(1, int(rate / 500))), 0
        )
        if taken < 0:
            if ctypes.get_errno() in (11, 105):  # the queue of the interface is full: a moment later it is not
                time.sleep(0.001)
                continue
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        sent += taken
    return sent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--only", help="file with a JSON list of session numbers to send instead of all")
    parser.add_argument("--rate", type=float, default=20_000, help="packets per second")
    parser.add_argument("--interface", default="eth0")
    parser.add_argument("--gateway", default="198.18.0.1")
    parser.add_argument("--destination", default="198.19.0.11")
    parser.add_argument("--port", type=int, default=7)
    options = parser.parse_args()
    if options.only:
        with open(options.only, encoding="ascii") as only:
            numbers = json.load(only)
    else:
        numbers = range(options.count)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((options.interface, 0))
    ethernet = gateway_mac(options.gateway) + link.getsockname()[4][:6] + b"\x08\x00"
    data = frames(numbers, ethernet, options.destination, options.port)
    start = time.monotonic()
    sent = send(link, data, len(numbers), options.rate)
    json.dump({"sent": sent, "seconds": round(time.monotonic() - start, 3)}, sys.stdout)
    print(flush=True)


if __name__ == "__main__":
    main()
