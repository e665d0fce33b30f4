"""Runs the parts of ./run-tests, and sums up what they counted (docs/testing.md).

Work is a graph of jobs. A job begins when those that it needs have ended. Jobs that compute run one at a time, since each
uses every core; jobs that wait (labs, containers) run beside them, and come first when both want a processor; jobs that
assert times of milliseconds run when nothing else does.
"""

import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from model.run import DAILY, FAULTS, LONG, models  # noqa: E402
from mutations.run import mutations  # noqa: E402
from runner import checks, suites  # noqa: E402
from runner.command import end_all, name_thread, processor_seconds, say  # noqa: E402
from runner.count import Count, failures_told, write_times  # noqa: E402

CORES = os.cpu_count() or 2
FUZZ_RUNS, LONG_FUZZ_RUNS = 2000, 50_000
# Schedules of the simulator: the first and the last, as the release tree compiles them; and how many under sanitizers,
# where each takes much longer.
SCHEDULES = (1, 2000)
SANITIZED_SCHEDULES = {"ICR_SIM_SEEDS": os.environ.get("ICR_SIM_SEEDS", "40")}
HOSTILE_FROM = 5  # the numbers of the workers of pytest: integration has 0 to 4

FEW = 5  # if no more cases than these failed, they are tried again

CPU, WAIT, ALONE = "cpu", "wait", "alone"


class Job:
    """`function` returns a Count, or the exit code of a command that only prepares. The count is added to that of `part`."""

    def __init__(self, name, part, kind, function, *needs):
        self.name, self.part, self.kind, self.function, self.needs = name, part, kind, function, needs
        self.count, self.start, self.seconds, self.state = Count(), 0.0, 0.0, "waits"

    @property
    def broken(self):
        return self.state == "ended" and self.count.failed > 0

    def run(self):
        name_thread(self.name)
        self.start = time.monotonic()
        try:
            result = self.function()
            self.count = result if isinstance(result, Count) else Count(failed=0 if result == 0 else 1)
        except Exception as error:  # the other jobs go on, and this one counts as failed
            say(f"{type(error).__name__}: {error}")
            self.count = Count(failed=1, failures=[(self.name, f"{type(error).__name__}: {error}")])
        self.seconds = time.monotonic() - self.start
        if self.count.failed and not self.count.failures:
            self.count.failures.append((self.name, "Its output above says why."))
        say(f"ended: {self.count}, {self.seconds:.1f} s, {processor_seconds(self.name):.1f} s of processors")


def daily_jobs(seeds=SCHEDULES):
    """Returns the jobs in the order in which those that compute begin. Jobs that others wait for come first. `seeds`: the
    first and the last schedule of the simulator."""
    names = [path for path in suites.integration_files()]
    return [
        Job("format", "format", CPU, checks.check_format),
        Job("floors", "floors", CPU, checks.check_floors),
        Job("model", "model", CPU, lambda: models(CORES, DAILY)),
        Job("build-release", "build", CPU, lambda: suites.build("release", "icrd", "icr")),
        Job("integration", "integration", WAIT,
            lambda: suites.pytest("integration", "not sanitized and not quiet", suites.LABS, files=names),
            "build-release"),
        Job("compose", "compose", WAIT,
            lambda: suites.pytest("compose", "", files=["tests/integration/test_compose.py"]),
            "build-release"),
        Job("build-sanitize-programs", "build", CPU, lambda: suites.build("sanitize", "icrd", "icr")),
        Job("hostile", "integration", WAIT,
            lambda: suites.pytest("hostile", "sanitized and not quiet", suites.HOSTILE_LABS, HOSTILE_FROM, files=names),
            "build-release", "build-sanitize-programs"),
        Job("build-sanitize", "build", CPU, lambda: suites.build("sanitize")),
        Job("unit", "unit", CPU, lambda: suites.ctest("sanitize", CORES, environment=SANITIZED_SCHEDULES), "build-sanitize"),
        Job("fuzz", "fuzz", CPU, lambda: suites.fuzz(CORES, FUZZ_RUNS), "build-sanitize"),
        Job("build-optimized", "build", CPU, lambda: suites.build("release", "icr_optimized_tests", "icr_sim_test")),
        Job("optimized", "unit", CPU, lambda: suites.ctest("release", CORES, label="optimized"), "build-optimized"),
        Job("simulation", "simulation", CPU, lambda: suites.simulation(CORES, *seeds, seeds == SCHEDULES), "build-optimized"),
        Job("tidy", "tidy", CPU, lambda: checks.tidy(CORES)),
        Job("quiet", "integration", ALONE, lambda: suites.pytest("quiet", "quiet", files=names),
            "build-release", "build-sanitize-programs"),
    ]  # fmt: skip


def long_jobs():
    """Returns the jobs of ./run-tests long, which a person runs before a change is called done."""
    names = suites.integration_files()
    return [
        Job("build-release", "build", CPU, lambda: suites.build("release")),
        Job("build-tsan", "build", CPU, lambda: suites.build("tsan", "icrd", "icr", *suites.THREADED)),
        Job("tsan", "tsan", CPU, lambda: suites.ctest(
            "tsan", CORES, patterns=suites.THREADED, environment=suites.TSAN,
            seconds=suites.LONG_SECONDS), "build-tsan"),
        Job("tsan-lab", "tsan", CPU, lambda: suites.pytest("tsan", "tsan", files=names, long=True), "build-tsan"),
        Job("unit-release", "unit-release", CPU, lambda: suites.ctest(
            "release", CORES, seconds=suites.LONG_SECONDS), "build-release"),
        Job("seeds", "seeds", CPU, lambda: suites.ctest(
            "release", CORES, patterns=["icr_sim_test", "icr_nat_model_test"],
            environment={"ICR_SIM_SEEDS": "1000", "ICR_TEST_RUNS": "1000"},
            seconds=suites.LONG_SECONDS), "build-release", "unit-release"),
        Job("benchmarks", "benchmarks", CPU, suites.benchmarks, "build-release"),
        Job("build-sanitize", "build", CPU, lambda: suites.build("sanitize")),
        Job("fuzz-long", "fuzz-long", CPU, lambda: suites.fuzz(CORES, LONG_FUZZ_RUNS), "build-sanitize"),
        Job("model-faults", "model-faults", CPU, lambda: models(CORES, (*LONG, *FAULTS))),
        Job("mutations", "mutations", CPU, mutations),
        Job("image", "image", CPU, lambda: suites.pytest(
            "image", "image", files=["tests/integration/test_compose.py"], long=True)),
        Job("long-labs", "long-labs", ALONE, lambda: suites.pytest("long", "long", files=names, long=True),
            "build-release", "build-sanitize"),
    ]  # fmt: skip


def named_jobs(patterns):
    """Returns jobs for tests whose names contain a text: programs as with ctest -R, labs as with pytest -k."""
    programs = suites.programs_of("sanitize", patterns)
    labs = ["tests/integration"]
    jobs = [
        Job("build-release", "build", CPU, lambda: suites.build("release", "icrd", "icr")),
        Job("build-sanitize", "build", CPU, lambda: suites.build("sanitize", "icrd", "icr", *programs)),
        Job("integration", "integration", ALONE,
            lambda: suites.pytest("integration", "", patterns=patterns, files=labs, long=True),
            "build-release", "build-sanitize"),
    ]  # fmt: skip
    if programs:
        unit = Job("unit", "unit", CPU, lambda: suites.ctest("sanitize", CORES, patterns=patterns), "build-sanitize")
        jobs.append(unit)
    return jobs


ONLY_BY_NAME = ("tidy",)  # takes minutes from cold, so only CI runs it by default
OTHER_NAMES = {"asan": "unit"}  # what parts were called before


def select(jobs, parts):
    """Returns the jobs of these parts, and the jobs that they need."""
    wanted = {job.name for job in jobs if job.part in parts}
    while True:
        more = {name for job in jobs if job.name in wanted for name in job.needs} - wanted
        if not more:
            return [job for job in jobs if job.name in wanted]
        wanted |= more


def seeds_of(text):
    """Returns the first and the last seed of A-B."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last)):
        raise SystemExit(f"run-tests: --seeds takes A-B, two whole numbers of which the first is not the greater, not '{text}'")
    return int(first), int(last)


def jobs_for(names):
    seeds = SCHEDULES
    if names[1:2] == ["--seeds"]:
        if names[0] != "simulation" or len(names) != 3:
            raise SystemExit("run-tests: --seeds is of the part simulation: ./run-tests simulation --seeds A-B")
        names, seeds = names[:1], seeds_of(names[2])
    daily, long = daily_jobs(seeds), long_jobs()
    names = [OTHER_NAMES.get(name, name) for name in names]
    if names == ["long"]:
        return long
    parts = {job.part for job in daily}
    long_parts = {job.part for job in long} - {"build"}
    if not names or names == ["ci"]:
        return select(daily, {part for part in parts if names or part not in ONLY_BY_NAME})
    if all(name in parts for name in names):
        return select(daily, names)
    if all(name in long_parts for name in names):
        return select(long, names)
    return named_jobs(names)


def carry_out(jobs):
    """Runs the graph."""
    changed = threading.Condition()
    by_name = {job.name: job for job in jobs}

    def work(job):
        job.run()
        with changed:
            job.state = "ended"
            changed.notify_all()

    def may_begin(job):
        if any(by_name[name].state != "ended" for name in job.needs if name in by_name):
            return False
        running = [other for other in jobs if other.state == "runs"]
        if any(other.kind == ALONE for other in running):
            return False
        if job.kind == CPU:
            return all(other.kind != CPU for other in running)
        return job.kind == WAIT or all(other.kind == ALONE or other.state == "ended" for other in jobs) and not running

    with changed:
        while any(job.state != "ended" for job in jobs):
            begun = False
            for job in (job for job in jobs if job.state == "waits" and may_begin(job)):
                begun = True
                if any(by_name[name].broken for name in job.needs if name in by_name):
                    say(f"{job.name}: not run, what it needs failed")
                    job.state = "ended"
                    job.count = Count(failed=1, failures=[(job.name, "It was not run, since what it needs failed.")])
                    continue
                job.state = "runs"
                threading.Thread(target=work, args=(job,), daemon=True).start()
            if not begun:
                changed.wait()


def try_again(jobs):
    """Runs the cases that failed once more, each alone, if all that failed are few and of the kinds that may be tried again
    (runner/suites.py). Returns the names of those that pass then. They stay failed: that a case passes alone says that it
    depends on the load of the machine or on chance, and not that nothing is wrong."""
    name_thread("again")
    if sum(job.count.failed for job in jobs) > FEW:
        return []
    unsteady = []
    for job in jobs:
        for name, _ in job.count.failures:
            if name not in job.count.again:
                continue
            result = job.count.again[name]()
            if (result.passed, result.total) == (1, 1):
                unsteady.append(name)
    return unsteady


def main(names):
    start = time.monotonic()
    jobs = jobs_for(names)
    try:
        carry_out(jobs)
    except KeyboardInterrupt:
        end_all()
        return 130
    unsteady = try_again(jobs)
    parts = {}
    for job in jobs:
        count, seconds, processor = parts.setdefault(job.part, (Count(), 0.0, 0.0))
        count.add(job.count)
        if job.part == "build":
            count.times.append((job.seconds, job.name))
        parts[job.part] = count, seconds + job.seconds, processor + processor_seconds(job.name)
    write_times(parts, unsteady)
    total = Count()
    for name, (count, seconds, processor) in parts.items():
        total.add(count)
        print(f"\n{name:12} {str(count):40} {seconds:6.1f} s, {processor:6.1f} s of processors")
        for time_of_case, case in count.slowest:
            print(f"    {time_of_case:7.1f} s  {case}")
    print(f"\n{time.monotonic() - start:.0f} s from begin to end, times of every part in build/test-results/times.json")
    if total.total == 0:
        print(f"no test is called {' or '.join(names)}")
        return 1
    for line in failures_told(total.failures, unsteady):
        print(line)
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
