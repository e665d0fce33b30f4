"""Runs the parts of ./run-tests, and sums up what they counted."""

import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "test-results"
JOBS = os.cpu_count() or 2
FUZZ_RUNS = 2000  # a smoke test; tests/fuzz/run.sh by hand takes more
CODE_FOLDERS = ("model", "replication", "storage", "node", "cli", "tests")


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    @property
    def total(self):
        return self.passed + self.failed + self.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], cwd=ROOT, check=False, **options).returncode


def one(code):
    """A check that is one test."""
    return Count(passed=1) if code == 0 else Count(failed=1)


def sources(*suffixes):
    return sorted(
        path.relative_to(ROOT)
        for folder in CODE_FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes
    )


def read_junit(path):
    """Counts the test cases of a JUnit file, as CTest, GoogleTest and pytest write it."""
    count = Count()
    for case in xml.parse(path).getroot().iter("testcase"):
        state = case.get("status", "")
        if case.find("failure") is not None or case.find("error") is not None or state == "fail":
            count.failed += 1
        elif case.find("skipped") is not None or state in ("notrun", "disabled"):
            count.skipped += 1
        else:
            count.passed += 1
    return count


# --- parts -----------------------------------------------------------------------------------------------------------


def check_format(_patterns):
    return one(run("clang-format-14", "--dry-run", "-Werror", *sources(".h", ".cpp")))


def check_floors(_patterns):
    return one(run(sys.executable, "tests/check_floors.py"))


def headers_of(preset):
    """{source file: files of the project that it includes}, as the compiler told ninja."""
    told = subprocess.run(
        ["ninja", "-C", f"build/{preset}", "-t", "deps"], cwd=ROOT, text=True, capture_output=True, check=True
    ).stdout
    result, names = {}, []
    for line in [*told.splitlines(), ""]:
        if line.startswith("    "):
            name = os.path.normpath(os.path.join(ROOT, "build", preset, line.strip()))
            if name.startswith(str(ROOT)):
                names.append(name)
        elif not line and names:
            result[names[0]] = names
            names = []
    return result


def tidy(_patterns):
    """clang-tidy over the programs' sources (tests would double the time). A file that was clean is read again only when
    it, or what it includes, changed."""
    if build("release") != 0:
        return Count(failed=1)
    clean = ROOT / "build" / "tidy-clean"
    clean.mkdir(parents=True, exist_ok=True)
    settings = (ROOT / ".clang-tidy").read_bytes()

    def check(item):
        source, included = item
        digest = hashlib.sha256(settings)
        for name in included:
            digest.update(name.encode() + b"\0" + pathlib.Path(name).read_bytes())
        stamp = clean / digest.hexdigest()
        if stamp.exists():
            return Count(passed=1)
        done = subprocess.run(
            ["clang-tidy-14", "--quiet", "--warnings-as-errors=*", "-p", "build/release", source],
            cwd=ROOT, text=True, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="", flush=True)
            return Count(failed=1)
        stamp.touch()
        return Count(passed=1)

    count = Count()
    others = (str(ROOT / "build"), str(ROOT / "tests"))
    known = [item for item in headers_of("release").items() if not item[0].startswith(others)]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for result in pool.map(check, known):
            count.add(result)
    return count


def build(preset, *targets):
    return run("lab/build", preset, *targets)


def ctest(preset, patterns):
    if build(preset) != 0:
        return Count(failed=1)
    results = OUT / preset
    results.mkdir(parents=True, exist_ok=True)
    for old in results.glob("*.xml"):
        old.unlink()
    command = ["ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "-j", JOBS, "--timeout", 600,
               "--output-junit", results / "ctest.xml"]  # fmt: skip
    if patterns:
        command += ["-R", "|".join(patterns)]
    code = run(*command, env={**os.environ, "GTEST_OUTPUT": f"xml:{results}/", "GTEST_BRIEF": "1"})
    count = Count()
    # A program of GoogleTest counts as many tests as it holds; one that died or failed counts one failure at least.
    for case in xml.parse(results / "ctest.xml").getroot().iter("testcase"):
        inside = results / f"{case.get('name')}.xml"
        bad = case.get("status") == "fail" or case.find("failure") is not None
        part = read_junit(inside) if inside.exists() else Count(passed=0 if bad else 1)
        if bad and part.failed == 0:
            part.failed = 1
        count.add(part)
    if code != 0 and count.failed == 0 and count.total:
        count.failed = 1
    return count


def unit(patterns):
    return ctest("release", patterns)


def asan(patterns):
    return ctest("asan", patterns)


def fuzz(_patterns):
    """Every fuzz target with a fixed number of inputs; each is one test."""
    targets = len(list((ROOT / "tests" / "fuzz").glob("*_fuzz.cpp")))
    return Count(passed=targets) if run("tests/fuzz/run.sh", FUZZ_RUNS) == 0 else Count(failed=1)


def pytest(patterns, files, name):
    if build("release") != 0:
        return Count(failed=1)
    OUT.mkdir(parents=True, exist_ok=True)
    junit = OUT / f"{name}.xml"
    junit.unlink(missing_ok=True)
    as_root = [] if os.geteuid() == 0 else ["sudo", "--"]
    command = [*as_root, "/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rs", "--durations=5",
               f"--junit-xml={junit}", *files]  # fmt: skip
    if patterns:
        command += ["-k", " or ".join(patterns)]
    code = run(*command)
    if not junit.exists():
        return Count(failed=1)
    count = read_junit(junit)
    if code not in (0, 5) and count.failed == 0:  # 5: nothing selected
        count.failed = 1
    return count


def integration(patterns):
    # What the network may send is tried against programs under sanitizers.
    if build("asan", "icrd", "icr") != 0:
        return Count(failed=1)
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "integration").glob("test_*.py"))
    return pytest(patterns, [path for path in files if not path.endswith("test_compose.py")], "integration")


def compose(patterns):
    return pytest(patterns, ["tests/integration/test_compose.py"], "compose")


PARTS = {
    "format": check_format,
    "floors": check_floors,
    "unit": unit,
    "integration": integration,
    "compose": compose,
    "asan": asan,
    "fuzz": fuzz,
    "tidy": tidy,
}
ONLY_BY_NAME = ("tidy",)  # takes minutes from cold, and tells nothing that a build would not survive: CI calls it by name
BY_NAME = ("unit", "asan", "integration", "compose")  # parts that hold tests with names


def main(names):
    patterns = [name for name in names if name not in PARTS]
    parts = [name for name in PARTS if name in names] or list(
        BY_NAME if patterns else (name for name in PARTS if name not in ONLY_BY_NAME)
    )
    if patterns:
        parts = [name for name in parts if name in BY_NAME] or list(BY_NAME)
    total, lines = Count(), []
    for name in parts:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        count = PARTS[name](patterns)
        total.add(count)
        lines.append(f"{name:12} {str(count):40} {time.monotonic() - start:6.1f} s")
        print(f"== {lines[-1]}", flush=True)
    print("\n" + "\n".join(lines))
    if total.total == 0:
        print(f"no test is called {' or '.join(names)}")
        return 1
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
