"""Checks of the sources: layout, floors, clang-tidy."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import sys
import time

from runner.command import MUCH_MEMORY, name_thread, run, say
from runner.count import ROOT, Count, one

CODE_FOLDERS = ("model", "transport", "replication", "storage", "node", "cli", "tests")
# Targets that make headers.
GENERATED = ("icr_record_schemas", "icr_query_schemas", "icr_replication_schemas", "icr_storage_schemas")


def sources(*suffixes):
    return sorted(
        path.relative_to(ROOT) for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes
    )


def timed(name, *command):
    start = time.monotonic()
    return one(run(*command), name, time.monotonic() - start)


def check_format():
    count = timed("clang-format", "clang-format-14", "--dry-run", "-Werror", *sources(".h", ".cpp"))
    count.add(timed("flake8", "/usr/bin/python3", "-m", "flake8", "lab", "tests"))
    count.add(timed("black", "black", "--check", "--quiet", "--diff", "lab", "tests"))
    return count


def check_floors():
    count = timed("floors", sys.executable, "tests/check_floors.py")
    count.add(timed("floors_test", sys.executable, "tests/floors_test.py"))
    count.add(timed("count_test", sys.executable, "tests/count_test.py"))
    count.add(timed("golden_files_test", sys.executable, "tests/golden_files_test.py"))
    return count


class Includes:
    """Finds the files of the project that a source includes, directly or not. Every include is a path from the root of the
    project or of the generated headers (check_floors.py enforces this)."""

    _LINE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)

    def __init__(self, *roots):
        self._roots, self._direct, self._digests = roots, {}, {}

    def direct(self, path):
        if path not in self._direct:
            raw = path.read_bytes()
            self._digests[path] = hashlib.sha256(raw).digest()
            names = self._LINE.findall(raw.decode(errors="replace"))
            places = [root / name for name in names for root in self._roots]
            self._direct[path] = [place for place in places if place.exists()]
        return self._direct[path]

    def digest(self, path):
        """Returns a hash of the contents of the source and of all files that it includes."""
        seen, waiting = {path}, [path]
        while waiting:
            for included in self.direct(waiting.pop()):
                if included not in seen:
                    seen.add(included)
                    waiting.append(included)
        whole = hashlib.sha256()
        for one_of_them in sorted(seen):
            self.direct(one_of_them)
            whole.update(str(one_of_them.relative_to(ROOT)).encode() + b"\0" + self._digests[one_of_them])
        return whole


def read_as_one(unit):
    """Returns the names of the sources that an entry of the compile commands compiles: the one that it names, or those that
    a unity build includes in it."""
    joined = re.findall(r'^#include "([^"]+)"', unit.read_text(encoding="utf-8"), re.M) if "Unity" in unit.parts else []
    return [str(pathlib.Path(path).relative_to(ROOT)) for path in joined or [unit]]


def tidy(jobs):
    """clang-tidy over the programs' sources (tests would double the time), several of them as one, and over the benchmarks,
    which no other part compiles, for what a compiler refuses. Needs the generated headers and the list of compile
    commands, no objects. What was clean is read again only when it, or what it includes, changed."""
    if run("lab/build", "tidy", *GENERATED, background=True) != 0:
        return Count(failed=1)
    build = ROOT / "build" / "tidy"
    clean = ROOT / "build" / "tidy-clean"
    clean.mkdir(parents=True, exist_ok=True)
    settings = (ROOT / ".clang-tidy").read_bytes()
    includes = Includes(ROOT, build / "generated")
    known = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        unit = pathlib.Path(entry["file"])
        first = read_as_one(unit)[0]
        if first.startswith("tests/") and not first.startswith("tests/bench/"):
            continue
        digest = includes.digest(unit)
        digest.update(settings + entry["command"].encode())
        known[unit] = clean / digest.hexdigest()

    def check(item):
        unit, stamp = item
        sources_of_it = read_as_one(unit)
        if stamp.exists():
            return Count(passed=len(sources_of_it))
        start = time.monotonic()
        checks = ["--checks=-*,clang-diagnostic-*,bugprone-use-after-move"] if sources_of_it[0].startswith("tests/") else []
        code = run("clang-tidy-14", "--quiet", "--warnings-as-errors=*", *checks, "-p", "build/tidy", unit,
                   background=True, quiet=True, env={**os.environ, **MUCH_MEMORY})  # fmt: skip
        count = one(code, " ".join(sources_of_it), time.monotonic() - start)
        if code == 0:
            stamp.touch()
            count.passed = len(sources_of_it)
        return count

    count = Count()
    with concurrent.futures.ThreadPoolExecutor(jobs, initializer=name_thread, initargs=("tidy",)) as pool:
        for result in pool.map(check, known.items()):
            count.add(result)
    say(f"{len(known)} groups of sources, {len(count.times)} of them read")
    return count
