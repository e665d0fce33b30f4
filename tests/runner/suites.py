"""Suites of tests: programs of GoogleTest by CTest, fuzz targets, labs by pytest."""

import concurrent.futures
import functools
import json
import os
import pathlib
import re
import subprocess
import time
import xml.etree.ElementTree as xml

from runner.command import name_thread, run
from runner.count import OUT, ROOT, Count, one, read_junit

LABS = 3  # workers of part integration; they wait most of the time
HOSTILE_LABS = 2  # workers of the tests with sanitized programs, at the same time

# Something that hangs ends as a failure, and the other jobs go on.
CASE_SECONDS = 600  # one test of a lab, one program of unit tests
PART_SECONDS = 1800  # all labs of a part
LONG_SECONDS = 3600  # either, in the parts of ./run-tests long

# Test programs that start threads, and the suppressions of ThreadSanitizer (tests/tsan.supp gives the reasons).
THREADED = (
    "icr_card_test",
    "icr_cli_end_to_end_test",
    "icr_link_test",
    "icr_transport_test",
    "icr_storage_test",
    "icr_storage_rocks_test",
)
# A case that failed is tried again alone, to learn whether it depends on load, where it works with devices of the kernel and
# with real time: in these programs, and in the labs of these parts. It stays failed.
WITH_DEVICES = ("icr_kernel_test", "icr_ports_test")
BESIDE_OTHERS = ("integration", "compose", "quiet")
AGAIN = OUT / "again.xml"

TSAN = {"TSAN_OPTIONS": f"suppressions={ROOT / 'tests' / 'tsan.supp'} die_after_fork=0 exitcode=66"}


# The cases of icr_sim_test that live through one schedule for each seed.
SCHEDULES = "Part/Simulation.*:Witnessed.NeverDoTwoMembersActUnderEverySeed"
SEEDS_OF_SCENARIOS = 300  # some scenarios take a part of them
SEEDS_OF_A_PIECE = 1000  # the rarest events that the cases ask for happen in so many


def build(preset, *targets):
    return run("lab/build", preset, *targets, background=True)


def ctest(preset, jobs, label=None, patterns=(), environment=None, seconds=CASE_SECONDS):
    """Runs the programs of a build folder that carry the label, or whose names match a pattern."""
    folder = ROOT / "build" / preset
    results = folder / "test-results"  # GoogleTest writes here (cmake/IcrTargets.cmake)
    results.mkdir(parents=True, exist_ok=True)
    for old in results.glob("*.xml"):
        old.unlink()
    command = ["ctest", "--test-dir", folder, "--output-on-failure", "-j", jobs, "--timeout", seconds,
               "--output-junit", results / "ctest.xml"]  # fmt: skip
    command += ["-L", label] if label else []
    command += ["-R", "|".join(patterns)] if patterns else []
    code = run(*command, background=True, env={**os.environ, "GTEST_BRIEF": "1", **(environment or {})})

    def again(program, group, case):
        if program not in WITH_DEVICES:
            return None
        variables = {**os.environ, **(environment or {}), "GTEST_OUTPUT": f"xml:{AGAIN}"}
        command = ["timeout", seconds, folder / "bin" / program, f"--gtest_filter={group}.{case}"]
        return lambda: result_of(command, variables)

    count = Count()
    # A program counts as many tests as it contains. One that died or failed counts as at least one failure.
    for case in xml.parse(results / "ctest.xml").getroot().iter("testcase"):
        inside = results / f"{case.get('name')}.xml"
        program = re.sub(r"\.\d+$", "", case.get("name"))
        bad = case.get("status") == "fail" or case.find("failure") is not None
        part = Count(passed=0 if bad else 1)
        if inside.exists():
            part = read_junit(inside, functools.partial(again, program), f"{program}: ")
        if bad and part.failed == 0:
            part.failed = 1
            part.failures.append((case.get("name"), case.findtext("system-out") or ""))
        count.add(part)
    if code != 0 and count.failed == 0 and count.total:
        count.failed = 1
    return count


def result_of(command, variables):
    """Runs one case, which leaves its result in the file AGAIN, and counts it."""
    AGAIN.unlink(missing_ok=True)
    code = run(*command, env=variables)
    return read_junit(AGAIN) if code == 0 and AGAIN.exists() else Count(failed=1)


def programs_of(preset, patterns):
    """Returns the targets of the tests whose names match, so that only these are built."""
    if subprocess.run(["lab/build", preset, "help"], cwd=ROOT, capture_output=True, check=False).returncode != 0:
        return []
    listed = subprocess.run(
        ["ctest", "--test-dir", f"build/{preset}", "--show-only=json-v1", "-R", "|".join(patterns)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted({re.sub(r"\.\d+$", "", test["name"]) for test in json.loads(listed.stdout)["tests"]})


def fuzz(jobs, runs):
    """Runs every fuzz target with a fixed number of inputs, and counts each as one test."""
    targets = [path.stem for path in sorted((ROOT / "tests" / "fuzz").glob("*_fuzz.cpp"))]

    def feed(target):
        start = time.monotonic()
        return one(run("tests/fuzz/run.sh", runs, f"icr_{target}", background=True), target, time.monotonic() - start)

    count = Count()
    with concurrent.futures.ThreadPoolExecutor(jobs, initializer=name_thread, initargs=("fuzz",)) as pool:
        for result in pool.map(feed, targets):
            count.add(result)
    return count


def simulation(jobs, first, last, scenarios=True):
    """Lives through the random schedules of these seeds, as the release tree compiles them, some hundreds at a time, and
    through the `scenarios`, which are all other cases. Counts each such piece, and the scenarios, as one test."""
    program = ROOT / "build" / "release" / "bin" / "icr_sim_test"
    pieces = [(at, min(SEEDS_OF_A_PIECE, last + 1 - at)) for at in range(first, last + 1, SEEDS_OF_A_PIECE)]

    def live(piece):
        at, number = piece
        start = time.monotonic()
        variables = {"ICR_SIM_FIRST": str(at), "ICR_SIM_SEEDS": str(number), "GTEST_BRIEF": "1"}
        code = run(program, f"--gtest_filter={SCHEDULES}", background=True, env={**os.environ, **variables})
        return one(code, f"seeds {at} to {at + number - 1}", time.monotonic() - start)

    def live_scenarios():
        start = time.monotonic()
        variables = {"ICR_SIM_SEEDS": str(SEEDS_OF_SCENARIOS), "GTEST_BRIEF": "1"}
        code = run(program, f"--gtest_filter=-{SCHEDULES}", background=True, env={**os.environ, **variables})
        return one(code, "scenarios", time.monotonic() - start)

    count = Count()
    with concurrent.futures.ThreadPoolExecutor(jobs, initializer=name_thread, initargs=("simulation",)) as pool:
        other = pool.submit(live_scenarios) if scenarios else None
        for result in pool.map(live, pieces):
            count.add(result)
        if other:
            count.add(other.result())
    return count


def benchmarks():
    """Runs each program of ./run-bench once, and counts it as one test: it must end well. What it measured counts for
    nothing."""
    programs = sorted((ROOT / "build" / "release" / "bin").glob("icr_*_bench"))
    if not programs:
        return Count(failed=1, failures=[("benchmarks", "The release tree has none.")])
    count = Count()
    for program in programs:
        start = time.monotonic()
        count.add(one(run("timeout", LONG_SECONDS, program), program.stem, time.monotonic() - start))
    return count


def pytest(name, markers, workers=0, first=0, patterns=(), files=("tests/integration",), environment=None, long=False):
    """Runs tests of labs with this number of `workers` (0: without workers). `first` is the number of the first worker, so
    that two runs at the same time share nothing. A worker whose test hangs is ended, also inside a call of a library."""
    OUT.mkdir(parents=True, exist_ok=True)
    junit = OUT / f"{name}.xml"
    junit.unlink(missing_ok=True)
    as_root = [] if os.geteuid() == 0 else ["sudo", "--preserve-env=" + ",".join(KEPT)]
    case, part = (LONG_SECONDS, LONG_SECONDS) if long else (CASE_SECONDS, PART_SECONDS)
    common = [*as_root, "timeout", "--kill-after=30", part, "/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider",
              "-v", "-rs", f"--timeout={case}", "--timeout-method=thread"]  # fmt: skip
    command = [*common, "--durations=10", f"--junit-xml={junit}", "-m", markers, *files]
    command += ["-n", workers] if workers else []
    command += ["-k", " or ".join(patterns)] if patterns else []
    variables = {**os.environ, **(environment or {}), "ICR_TEST_FIRST_WORKER": str(first)}
    code = run(*command, env=variables)
    if not junit.exists():
        return Count(failed=1)

    def again(module, test):
        file = pathlib.Path(*module.split(".")).with_suffix(".py")
        if name not in BESIDE_OTHERS or not (ROOT / file).is_file():
            return None
        return lambda: result_of([*common, f"--junit-xml={AGAIN}", f"{file}::{test}"], variables)

    count = read_junit(junit, again)
    if code not in (0, 5) and count.failed == 0:  # 5: nothing selected
        count.failed = 1
    return count


KEPT = ("ICR_TEST_LAB", "ICR_TEST_FIRST_WORKER", "ICR_SEED", "ICR_BIN", "ICR_IMAGE_FROM")


def integration_files():
    files = (ROOT / "tests" / "integration").glob("test_*.py")
    return [str(path.relative_to(ROOT)) for path in sorted(files) if path.name != "test_compose.py"]
