"""Entering network namespaces from Python, and giving commands in them."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def path(name):
    return f"/run/netns/{name}"


def exists(name):
    return os.path.exists(path(name))


@contextlib.contextmanager
def entered(name):
    """The calling thread is in the namespace for the length of the `with` block. Sockets made there stay there."""

    def enter(descriptor):
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {name}")

    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(there)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(there)
        os.close(home)


def open_socket(name, *arguments):
    with entered(name):
        return socket.socket(*arguments)


def set_kernel_values(name, values):
    """Writes values under /proc/sys/net as that namespace sees it: {"ipv4/ip_forward": 1, ...}."""
    with entered(name):
        for key, value in values.items():
            with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as knob:
                knob.write(str(value))


def checksum_in_software(name, interface):
    """The interface takes no unfinished packets any more: what it sends is on the wire as it would be on a cable."""
    siocethtool, ethtool_stxcsum = 0x8946, 0x17
    value = ctypes.create_string_buffer(struct.pack("II", ethtool_stxcsum, 0))
    request = struct.pack("16sP8x", interface.encode(), ctypes.addressof(value))
    with open_socket(name, socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, siocethtool, request)


def ip_batch(name, lines):
    """Runs lines of `ip` in one process, in a namespace (None: in this one)."""
    command = ["ip"] + (["-n", name] if name else []) + ["-batch", "-"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n" + "\n".join(lines))
