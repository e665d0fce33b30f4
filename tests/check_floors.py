#!/usr/bin/env python3
"""The floors of the house (docs/architecture.md): an include points down only, and a library stays in its rooms."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOOR = {"model": 1, "replication": 2, "storage": 2, "node": 3, "cli": 4}
FORBIDDEN = {"cli": {"node"}, "replication": {"storage"}, "storage": {"replication"}}
ROOMS_OF_LIBRARY = {
    "zmq": ("replication/zmq", "node/query", "cli/client"),
    "rocksdb": ("storage/rocks",),
    "netlink": ("node/kernel",),
    "nftables": ("node/kernel",),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def faults_of(path):
    """(line, what is wrong) of one file, by its path from the root."""
    floor = path.parts[0]
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), start=1):
        include = INCLUDE.match(line)
        if not include:
            continue
        own, system = include.groups()
        if own:
            target = own.split("/")[0]
            if target not in FLOOR:
                yield number, f'"{own}" is not written from the root of the project'
            elif FLOOR[target] > FLOOR[floor] or target in FORBIDDEN.get(floor, ()):
                yield number, f'{floor}/ must not include "{own}"'
        else:
            library = re.split(r"[/._]", system)[0]
            rooms = ROOMS_OF_LIBRARY.get(library)
            if rooms and not path.as_posix().startswith(rooms):
                yield number, f"<{system}> belongs in {', '.join(rooms)} only"


def main():
    faults = files = 0
    for floor in FLOOR:
        for path in sorted((ROOT / floor).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                files += 1
                for number, what in faults_of(path.relative_to(ROOT)):
                    print(f"{path.relative_to(ROOT)}:{number}: {what}")
                    faults += 1
    print(f"floors: {files} files, {faults} includes that are not allowed")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
