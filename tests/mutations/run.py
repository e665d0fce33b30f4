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
Everything happens in copies of the sources below build/, two at a time: compiling and linking one fault, and waiting for
a test, leave processors idle. By hand: tests/mutations/run.py [TEXT IN A NAME...]
"""

import collections
import concurrent.futures
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from runner.command import name_thread, run, say  # noqa: E402
from runner.count import ROOT, Count, one  # noqa: E402

COPIES = ROOT / "build" / "mutations"
WORKERS = 2
PATCHES = ROOT / "tests" / "mutations"
LIMIT = 300  # seconds of one test; one that hangs has noticed something, too


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


class Copy:
    """A copy of the sources, in which one fault at a time is planted. Thread: one."""

    def __init__(self, folder):
        self.folder = folder
        self.sound = {}  # whether each trial passes without a fault: a test that fails then finds nothing

    def restore(self):
        """Makes the copy equal to the sources. Files that are equal keep their time, so that little is built again."""
        names = sources()
        for name in sorted(names):
            source, target = ROOT / name, self.folder / name
            if target.is_file() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            shutil.copymode(source, target)
        for target in self.folder.rglob("*"):
            inside = target.relative_to(self.folder)
            if target.is_file() and inside.parts[0] != "build" and inside.as_posix() not in names:
                target.unlink()

    def build(self, test, preset):
        return run("lab/build", preset, test, background=True, quiet=True, folder=self.folder)

    def passes(self, test, cases, environment):
        """Returns whether the test passes. Its output is shown by whoever needs it: output.txt in the copy's build/."""
        variables = dict(pair.split("=", 1) for pair in shlex.split(environment))
        program = self.folder / "build" / "release" / "bin" / test
        shown = self.folder / "build" / "output.txt"
        with open(shown, "wb") as output:
            try:
                ended = subprocess.run(
                    [program, f"--gtest_filter={cases}", "--gtest_brief=1"], cwd=self.folder, timeout=LIMIT,
                    check=False, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return False
        text = shown.read_text(encoding="utf-8", errors="replace")
        if "ran 0 tests" in text or " 0 tests from" in text:
            raise ValueError(f"{test} has no test {cases}")
        return ended.returncode == 0

    def is_sound(self, fault):
        """Returns whether the test passes (or the target compiles) without the fault."""
        if fault.trial not in self.sound:
            built = self.build(fault.test, fault.preset) == 0
            self.sound[fault.trial] = built and (fault.refused is not None or self.passes(*fault.trial))
        return self.sound[fault.trial]

    def expect_error(self, fault):
        """Returns 0 if the compiler finds the fault, and says what happened."""
        built = subprocess.run(
            ["lab/build", fault.preset, fault.refused],
            cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if built.returncode != 0 and fault.error in built.stdout:
            say(f"{fault.name}: found")
            return 0
        if built.returncode != 0:
            say(f"{fault.name}: does not compile, for another reason:\n{built.stdout}{built.stderr}")
        else:
            say(f"{fault.name}: NOT FOUND by the compiler of {fault.refused}: {fault.what}")
        return 1

    def plant(self, fault):
        """Returns 0 if the fault is found, and says what happened."""
        self.restore()
        if not self.is_sound(fault):
            say(f"{fault.name}: {fault.test} {fault.filter} fails without it")
            return 1
        applied = subprocess.run(
            ["patch", "-p1", "-F3", "--no-backup-if-mismatch", "--force", "-i", fault.path],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if applied.returncode != 0:
            say(f"{fault.name}: the patch does not apply:\n{applied.stdout}")
            return 1
        if fault.refused:
            return self.expect_error(fault)
        if self.build(fault.test, fault.preset) != 0:
            say(f"{fault.name}: cannot be built")
            return 1
        if self.passes(*fault.trial):
            say(f"{fault.name}: NOT FOUND by {fault.test} {fault.filter}: {fault.what}")
            return 1
        say(f"{fault.name}: found")
        return 0


def sources():
    """Returns the names of the files that git knows, or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}


def mutations(texts=()):
    """Plants each fault whose name contains one of the texts (all without texts), and counts it as a test."""
    faults = [Fault(path) for path in sorted(PATCHES.glob("*.patch"))]
    groups = collections.defaultdict(list)  # faults of one program follow each other in one copy
    for fault in faults:
        if not texts or any(text in fault.name for text in texts):
            groups[fault.test].append(fault)
    waiting = sorted(groups.values(), key=len)  # the largest group is last, and is taken first
    lock = threading.Lock()
    count = Count()

    def work(copy):
        while True:
            with lock:
                if not waiting:
                    break
                group = waiting.pop()
            for fault in group:
                start = time.monotonic()
                code = copy.plant(fault)
                with lock:
                    count.add(one(code, fault.name, time.monotonic() - start))
        copy.restore()

    copies = [Copy(COPIES / str(i)) for i in range(min(WORKERS, len(waiting)))]
    with concurrent.futures.ThreadPoolExecutor(WORKERS, initializer=name_thread, initargs=("mutations",)) as pool:
        for _ in pool.map(work, copies):
            pass
    return count


if __name__ == "__main__":
    result = mutations(sys.argv[1:])
    print(result)
    sys.exit(1 if result.failed or not result.total else 0)
