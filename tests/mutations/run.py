"""Plants faults in the programs, one at a time, and expects a test to find each (docs/testing.md).

A fault is a patch tests/mutations/NNN-name.patch. The lines above the patch proper say what is wrong with it and which test
must fail:

    What: The member acts in a term that nobody has asked the disk to keep.
    Test: icr_sim_test
    Filter: Part/Simulation.*
    Environment: ICR_SIM_SEEDS=60

`Filter` (of GoogleTest) and `Environment` may be left out. A fault that clang finds has
`Refused: TARGET` and `Error: TEXT` in place of `Test`: the target is built in the tree `sanitize`, and must not compile,
with an error that contains the text. A patch changes a line or two, so that it goes on applying.
Everything happens in a copy of the sources below build/. By hand: tests/mutations/run.py [TEXT IN A NAME...]
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from runner.command import run, say  # noqa: E402
from runner.count import ROOT, Count, one  # noqa: E402

COPY = ROOT / "build" / "mutations"
PATCHES = ROOT / "tests" / "mutations"
LIMIT = 600  # seconds of one test; one that hangs has noticed something, too


class Fault:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        told = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("diff ", "--- ")):
                break
            key, colon, value = line.partition(": ")
            if colon:
                told[key] = value.strip()
        self.what, self.refused, self.error = told["What"], told.get("Refused"), told.get("Error")
        self.test = self.refused or told["Test"]
        self.filter, self.environment = told.get("Filter", "*"), told.get("Environment", "")

    @property
    def trial(self):
        return self.test, self.filter, self.environment

    @property
    def preset(self):
        return "sanitize" if self.refused else "release"

    def is_sound(self):
        """Returns whether the test passes (or the target compiles) as the copy is now."""
        return build(self.test, self.preset) == 0 and (self.refused is not None or passes(*self.trial))


def restore_copy():
    """Makes the copy equal to the sources. Files that are equal keep their time, so that little is built again."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for name in sorted(names):
        source, target = ROOT / name, COPY / name
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    for target in COPY.rglob("*"):
        inside = target.relative_to(COPY)
        if target.is_file() and inside.parts[0] != "build" and inside.as_posix() not in names:
            target.unlink()


def build(test, preset):
    return run("lab/build", preset, test, background=True, quiet=True, folder=COPY)


def passes(test, cases, environment):
    """Returns whether the test passes. Its output is shown by whoever needs it: build/mutations/build/output.txt."""
    variables = dict(pair.split("=", 1) for pair in shlex.split(environment))
    program = COPY / "build" / "release" / "bin" / test
    with open(COPY / "build" / "output.txt", "wb") as output:
        try:
            ended = subprocess.run(
                [program, f"--gtest_filter={cases}", "--gtest_brief=1"], cwd=COPY, timeout=LIMIT, check=False,
                env={**os.environ, **variables}, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
    text = (COPY / "build" / "output.txt").read_text(encoding="utf-8", errors="replace")
    if "ran 0 tests" in text or " 0 tests from" in text:
        raise ValueError(f"{test} has no test {cases}")
    return ended.returncode == 0


def expect_error(fault):
    """Returns 0 if the compiler finds the fault, and says what happened."""
    built = subprocess.run(
        ["lab/build", fault.preset, fault.refused],
        cwd=COPY, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if built.returncode != 0 and fault.error in built.stdout:
        say(f"{fault.name}: found")
        return 0
    if built.returncode != 0:
        say(f"{fault.name}: does not compile, for another reason:\n{built.stdout}{built.stderr}")
    else:
        say(f"{fault.name}: NOT FOUND by the compiler of {fault.refused}: {fault.what}")
    return 1


def plant(fault):
    """Returns 0 if the fault is found, and says what happened."""
    applied = subprocess.run(
        ["patch", "-p1", "-F3", "--no-backup-if-mismatch", "--force", "-i", fault.path],
        cwd=COPY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if applied.returncode != 0:
        say(f"{fault.name}: the patch does not apply:\n{applied.stdout}")
        return 1
    if fault.refused:
        return expect_error(fault)
    if build(fault.test, fault.preset) != 0:
        say(f"{fault.name}: cannot be built")
        return 1
    if passes(*fault.trial):
        say(f"{fault.name}: NOT FOUND by {fault.test} {fault.filter}: {fault.what}")
        return 1
    say(f"{fault.name}: found")
    return 0


def mutations(texts=()):
    """Plants each fault whose name contains one of the texts (all without texts), and counts it as a test."""
    faults = [Fault(path) for path in sorted(PATCHES.glob("*.patch"))]
    faults = [fault for fault in faults if not texts or any(text in fault.name for text in texts)]
    count = Count()
    sound = {}  # a test that fails without a fault finds nothing
    for fault in faults:
        start = time.monotonic()
        restore_copy()
        if fault.trial not in sound:
            sound[fault.trial] = fault.is_sound()
        if sound[fault.trial]:
            code = plant(fault)
        else:
            say(f"{fault.name}: {fault.test} {fault.filter} fails without it")
            code = 1
        count.add(one(code, fault.name, time.monotonic() - start))
    restore_copy()
    return count


if __name__ == "__main__":
    result = mutations(sys.argv[1:])
    print(result)
    sys.exit(1 if result.failed or not result.total else 0)
