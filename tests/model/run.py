"""Checks the Promela models of the protocols with spin, and that spin finds each fault that is planted in them.

    tests/model/run.py                  all checks and all faults
    tests/model/run.py NAME ...         only these
"""

import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from runner.command import name_thread, say  # noqa: E402
from runner.count import Count  # noqa: E402

MODEL = ROOT / "tests" / "model" / "roles.pml"
BUILD = ROOT / "build" / "model"
SECONDS = 120  # the longest check takes a tenth of that
MEBIBYTES = 1500
DEPTH = 1_000_000

# Name: (what is defined; whether it is about progress). Each is small enough for all of its states to be visited.
CHECKS = {
    "late-heartbeats": ("CRASHES=0 LOSSES=1 LATE EVER", False),
    "crash": ("CRASHES=1 LOSSES=1 REQUESTS=0", False),
    "crash-and-switchover": ("CRASHES=1 LOSSES=0", False),
    "crash-and-late-heartbeats": ("CRASHES=1 LOSSES=0 REQUESTS=0 LATE", False),
    "disks-that-forget": ("CRASHES=1 LOSSES=0 FORGETS EVER", False),
    "two-crashes": ("CRASHES=2 LOSSES=0 REQUESTS=0", False),
    "ill-members": ("CRASHES=1 LOSSES=0 REQUESTS=0 ILLNESSES=1", False),
    "progress-after-losses": ("CRASHES=0 LOSSES=2 QUIET", True),
    "progress-after-a-crash": ("CRASHES=1 LOSSES=1 REQUESTS=0 FORGETS QUIET", True),
    "progress-after-late-heartbeats": ("CRASHES=0 LOSSES=1 LATE QUIET", True),
    "progress-of-ill-members": ("CRASHES=0 LOSSES=1 REQUESTS=0 ILLNESSES=2 QUIET", True),
    "witness": ("WITNESS CRASHES=0 LOSSES=1", False),
    "witness-and-late-heartbeats": ("WITNESS CRASHES=0 LOSSES=1 REQUESTS=0 LATE", False),
    "witness-and-crash": ("WITNESS CRASHES=1 LOSSES=0 REQUESTS=0 WHOLE", False),
    "witness-and-ill-members": ("WITNESS CRASHES=0 LOSSES=0 REQUESTS=0 ILLNESSES=1", False),
    "progress-with-witness": ("WITNESS CRASHES=0 LOSSES=1 REQUESTS=0 QUIET", True),
    "progress-of-switchovers-with-witness": ("WITNESS CRASHES=0 LOSSES=0 QUIET", True),
    "progress-without-the-witness": ("WITNESS CRASHES=0 LOSSES=1 REQUESTS=0 QUIET AWAY", True),
    "progress-of-switchovers-without-the-witness": ("WITNESS CRASHES=0 LOSSES=0 QUIET AWAY", True),
}
# The two that take longest; the others reach every line without them. They run in ./run-tests long.
LONG = ("two-crashes", "witness-and-late-heartbeats")
DAILY = tuple(name for name in CHECKS if name not in LONG)
TWO_ACT = "gave[0]==0"  # part of: never do two members act
# A check with more states than a daily run has time for. A fault is found early in it.
ONLY_FOR_FAULTS = {"witness-and-a-late-heartbeat-of-a-former-life": ("WITNESS CRASHES=1 LOSSES=0 REQUESTS=0 LATE WHOLE", False)}
# What is wrong: the check that must find it, and the property.
FAULTS = {
    "TERMS_WITHOUT_PARITY": ("late-heartbeats", "mterm"),
    "CLAIM_NOT_REPLACED": ("two-crashes", "t>highest"),
    "CLAIM_NOT_KEPT": ("crash", "t>acted"),
    "NOBODY_ELECTED": ("progress-after-losses", "acceptance cycle"),
    "MASTER_DOES_NOT_YIELD": ("progress-after-losses", "acceptance cycle"),
    "TERM_NOT_HEARD": ("progress-after-losses", "acceptance cycle"),
    "STANDBY_WAITS": ("progress-after-a-crash", "acceptance cycle"),
    "HIGHER_TERM_IGNORED": ("progress-after-a-crash", "acceptance cycle"),
    "WITNESS_NOT_ASKED": ("witness", TWO_ACT),
    "KEY_TAKEN_FROM_ITS_HOLDER": ("witness", TWO_ACT),
    "LEASE_RENEWED_BY_THE_OTHER": ("witness", TWO_ACT),
    "LEASE_OUTLIVED": ("witness", TWO_ACT),
    "KEY_USED_AFTER_GIVEN_BACK": ("witness", TWO_ACT),
    "MASTER_PROMISES": ("witness", TWO_ACT),
    "PROMISE_COUNTED_FROM_ITS_ARRIVAL": ("witness", TWO_ACT),
    "OLD_PROMISES_COUNT": ("witness", TWO_ACT),
    "PROMISE_FORGOTTEN": ("witness-and-crash", TWO_ACT),
    "FREED_BY_ANOTHER_PROCESS": ("witness-and-a-late-heartbeat-of-a-former-life", TWO_ACT),
    "START_FORGOTTEN_AT_A_WORD": ("witness-and-a-late-heartbeat-of-a-former-life", TWO_ACT),
}


def compiled(name, definitions, progress):
    """Returns the folder with the program that visits all states of the model with these definitions."""
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    defined = [f"-D{word if '=' in word else word + '=1'}" for word in definitions.split()]
    kind = ["-DNOFAIR"] if progress else ["-DSAFETY", "-DNOCLAIM"]
    shutil.copy(MODEL, folder)
    for command in (
        ["spin", *defined, "-a", MODEL.name],
        # clang takes half of gcc's time, and optimizing takes about as long as it saves, with millions of states as well.
        ["clang-14", "-O0", "-w", f"-DMEMLIM={MEBIBYTES}", *kind, "-o", "pan", "pan.c"],
    ):
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(f"{name}: {done.stdout}{done.stderr}")
    return folder


def lines_in(folder, said):
    """Returns the lines with statements that were reached, and those with some that were not. A line of an inline has as many
    statements as places that use it."""
    missed = re.findall(rf"^\s+{MODEL.name}:(\d+), state (\d+), \"(?!-end-)", said, re.M)
    listed = subprocess.run(["./pan", "-d", "-d"], cwd=folder, capture_output=True, text=True, check=True).stdout
    there = re.findall(rf"^\s+state\s+(\d+) -.* {MODEL.name}:(\d+) =>", listed, re.M)
    states = {state for _, state in missed}
    return {int(line) for state, line in there if state not in states}, {int(line) for line, _ in missed}


def visit(name, definitions, progress):
    """Returns what the program said, and the folder in which it is."""
    folder = compiled(name, definitions, progress)
    done = subprocess.run(
        ["./pan", f"-m{DEPTH}", *(["-a"] if progress else [])],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    (folder / "output.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.stdout, folder


def states(said):
    found = re.search(r"^\s*(\S+) states, stored", said, re.M)
    return found.group(1) if found else "no"


def check(name):
    """Returns a failure or None, and which lines were reached and which were not."""
    said, folder = visit(name, *CHECKS[name])
    whole = "errors: 0" in said and "Search not completed" not in said and "max search depth too small" not in said
    say(f"{name}: {states(said)} states, {'nothing found' if whole else 'NOT PROVED'}")
    return (None if whole else (name, said)), lines_in(folder, said)


def plant(fault):
    name, words = FAULTS[fault]
    definitions, progress = {**CHECKS, **ONLY_FOR_FAULTS}[name]
    said, _ = visit(fault, f"{definitions} FAULT_{fault}", progress)
    found = "errors: 0" not in said and any(line.startswith("pan:") and words in line for line in said.splitlines())
    say(f"{fault}: {'found' if found else 'NOT FOUND'} by {name}")
    return None if found else (fault, f"spin does not find it with {name}:\n{said}")


def models(jobs, names=()):
    """Counts each check and each fault of these names (none: all) as one test. With all daily checks, one more: that
    together they reach every line of the model."""
    count = Count()

    def one(item):
        name, function = item
        start = time.monotonic()
        try:
            failure, lines = function(name) if name in CHECKS else (function(name), None)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            failure, lines = (name, str(error)), None
        return name, failure, lines, time.monotonic() - start

    work = [(name, check) for name in CHECKS] + [(name, plant) for name in FAULTS]
    work = [item for item in work if not names or item[0] in names]
    reached, missed = set(), set()
    with concurrent.futures.ThreadPoolExecutor(jobs, initializer=name_thread, initargs=("model",)) as pool:
        for name, failure, lines, seconds in pool.map(one, work):
            count.times.append((seconds, name))
            count.passed += failure is None
            count.failed += failure is not None
            count.failures += [failure] if failure else []
            if lines is not None:
                reached |= lines[0]
                missed |= lines[1]
    if not names or set(DAILY) <= set(names):
        text = MODEL.read_text(encoding="utf-8").splitlines()
        never = [f"{line}: {text[line - 1]}" for line in sorted(missed - reached)]
        count.passed += not never
        count.failed += bool(never)
        count.failures += [("lines that no check reaches", "\n".join(never))] if never else []
    return count


if __name__ == "__main__":
    RESULT = models(2, sys.argv[1:])
    for NAME, TEXT in RESULT.failures:
        print(f"FAILED {NAME}\n{TEXT[-3000:]}")
    print(RESULT)
    sys.exit(1 if RESULT.failed else 0)
