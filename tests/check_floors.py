#!/usr/bin/env python3
"""The rooms of the house (docs/architecture.md): which room may include which, and which library stays in which room."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("model", "transport", "replication", "storage", "node", "cli")

MODEL = {"model/base", "model/record", "model/config", "model/query"}
# Each room, and the rooms that it may include. A room comes after those that it includes, so the table has no circle.
ROOMS = {
    # floor 1
    "model/base": set(),
    "model/record": {"model/base"},
    "model/config": {"model/base", "model/record"},
    "model/query": {"model/base", "model/record"},
    # floor 2
    "transport": {"model/base", "model/record"},
    "replication": {"model/base", "model/record"},
    "replication/zmq": {"model/base", "model/record", "model/config", "transport", "replication"},
    "storage": {"model/base", "model/record"},
    "storage/rocks": {"model/base", "model/record", "storage"},
    # floor 3
    "node/packet": {"model/base", "model/record"},
    "node/nat": MODEL,
    "node/service": {"model/base", "model/record", "model/config", "node/packet"},
    "node/flow": MODEL | {"node/packet", "node/nat", "node/service"},
    "node/kernel": {"model/base", "model/record", "model/config", "node/packet"},
    "node/ports": {"model/base", "model/record", "model/config", "node/packet", "node/kernel"},
    "node/redundancy": {"model/base", "model/record", "model/config", "replication"},
    "node/witness": {"model/base", "model/config", "model/record", "node/redundancy"},
    "node/query": MODEL | {"transport"},
    "node/history": MODEL | {"storage", "node/query"},
    "node/commit": MODEL | {"transport", "node/redundancy"},
    "node/set": MODEL
    | {"transport", "replication", "replication/zmq", "storage", "node/packet", "node/nat", "node/service", "node/flow"}
    | {"node/kernel", "node/redundancy", "node/query"},
    "node/card": MODEL
    | {"transport", "storage", "storage/rocks", "node/packet", "node/nat", "node/service", "node/flow", "node/kernel"}
    | {"node/ports", "node/redundancy", "node/witness", "node/query", "node/history", "node/commit"}
    | {"node/set"},
    "node": {"model/base", "model/config", "node/card"},
    # floor 4
    "cli/client": MODEL | {"transport"},
    "cli/grammar": MODEL,
    "cli/pipes": {"model/base", "model/record", "cli/grammar"},
    "cli/merge": MODEL | {"cli/client", "cli/grammar"},
    "cli/result": {"model/base"},
    "cli/faces": {"model/base", "cli/result"},
    "cli/builders": MODEL | {"cli/grammar", "cli/merge", "cli/result"},
    "cli/render": MODEL | {"cli/grammar", "cli/merge", "cli/result", "cli/faces", "cli/builders"},
    # The commands, and above them the program and its shell.
    "cli": MODEL
    | {"transport", "cli/client", "cli/grammar", "cli/merge", "cli/pipes", "cli/result", "cli/faces", "cli/builders"}
    | {"cli/render"},
    "cli/monitor": MODEL | {"cli", "cli/client", "cli/grammar", "cli/merge", "cli/result", "cli/faces", "cli/builders"},
    "cli/netconf": MODEL | {"cli", "cli/client", "cli/grammar", "cli/merge", "cli/result", "cli/faces", "cli/render"},
    "cli/http": MODEL | {"cli", "cli/client", "cli/grammar", "cli/merge", "cli/result", "cli/faces", "cli/netconf"},
    "cli/shell": MODEL
    | {
        "transport",
        "cli",
        "cli/client",
        "cli/grammar",
        "cli/http",
        "cli/merge",
        "cli/monitor",
        "cli/netconf",
        "cli/pipes",
        "cli/render",
    },
}
# Folders that only one room may include: the inside of that room.
PRIVATE = {"model/config/reader": "model/config"}
# Libraries that stay in one room or two, by the first part of the names of their headers.
ROOM_OF_LIBRARY = {
    "boost": "cli/http",
    "histedit.h": "cli/shell",
    "pugixml": "cli/netconf",
    "zmq": "transport",
    "rocksdb": "storage/rocks",
    "netlink": "node/kernel",
    "nftables": "node/kernel",
    "spdlog": "model/base",
    "yaml-cpp": "model/config",
    "nlohmann": ("node/set", "node/witness"),
    "curl": "node/witness",
    # clang cannot check the use of the standard library's mutexes and condition variables (model/base/mutex.h).
    "mutex": "model/base",
    "shared_mutex": "model/base",
    "condition_variable": "model/base",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
USING = re.compile(r"^\s*using\s+(?:\w*::)+(\w+)\s*;")  # a using declaration, and the name that it brings


def room_of(path):
    """Returns the room of a file, given as a path from the root, or None if the table does not know its folder."""
    folder = pathlib.PurePosixPath(path).parent.as_posix()
    folder = PRIVATE.get(folder, folder)
    return folder if folder in ROOMS else None


def faults_of(path, text):
    """Yields (line, what is wrong) for a file: its path from the root, and its text."""
    path = pathlib.PurePosixPath(path)
    room = room_of(path)
    if room is None:
        yield 1, f"{path.parent} is no room: add it to the table of tests/check_floors.py"
        return
    for number, line in enumerate(text.splitlines(), start=1):
        include = INCLUDE.match(line)
        if not include:
            continue
        own, system = include.groups()
        if (own or system).endswith(".cpp"):
            yield number, f"{own or system} is a source, and is compiled by itself"
        if system:
            home = ROOM_OF_LIBRARY.get(system) or ROOM_OF_LIBRARY.get(re.split(r"[/._]", system)[0])
            homes = home if isinstance(home, tuple) else (home,)
            if home and room not in homes:
                yield number, f"<{system}> belongs in {' and '.join(homes)} only"
            continue
        target = room_of(own)
        if target is None:
            yield number, f'"{own}" is in no room, or not written from the root of the project'
        elif target != room and target not in ROOMS[room]:
            yield number, f'{room} must not include "{own}"'
        elif PRIVATE.get(pathlib.PurePosixPath(own).parent.as_posix(), room) != room:
            yield number, f'"{own}" is not for other rooms than {target}'


def unused_names(text):
    """Yields (line, what is wrong) for the using declarations of a file that does not use their names. clang-tidy has this
    check too, but not for sources that are read as one."""
    for number, line in enumerate(text.splitlines(), start=1):
        using = USING.match(line)
        if using and len(re.findall(rf"\b{using[1]}\b", text)) == 1:
            yield number, f"nothing uses {using[1]}"


def faults_of_table(rooms):
    """Yields what is wrong with a table: a room that includes one that comes later, or that does not exist."""
    before = set()
    for room, allowed in rooms.items():
        for other in sorted(allowed - before):
            yield f"{room} may include {other}, which {'comes later' if other in rooms else 'is no room'}"
        before.add(room)


def main():
    faults = list(faults_of_table(ROOMS))
    files = 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                files += 1
                name = path.relative_to(ROOT).as_posix()
                text = path.read_text(encoding="utf-8")
                found = [*faults_of(name, text), *unused_names(text)]
                faults += [f"{name}:{number}: {what}" for number, what in found]
    for fault in faults:
        print(fault)
    print(f"floors: {files} files in {len(ROOMS)} rooms, {len(faults)} lines that are not allowed")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
