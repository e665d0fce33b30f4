"""How many tests passed, failed and were skipped, and how long each took."""

import json
import pathlib
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "test-results"
SHOWN = 10  # slowest cases of a part
FAILURES, LINES, COLUMNS = 10, 40, 300  # what is shown of failures: so many, of each the last lines, of each line the begin


class Count:
    """Sums of test cases, [(seconds, name)] of those whose time is known, and [(name, what it said)] of those that failed.
    `again`: {name: a function that runs this case alone, and returns its Count}, of cases that failed and may be tried again.
    """

    def __init__(self, passed=0, failed=0, skipped=0, times=(), failures=()):
        self.passed, self.failed, self.skipped = passed, failed, skipped
        self.times, self.failures, self.again = list(times), list(failures), {}

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.times += other.times
        self.failures += other.failures
        self.again.update(other.again)

    @property
    def total(self):
        return self.passed + self.failed + self.skipped

    @property
    def slowest(self):
        return sorted(self.times, reverse=True)[:SHOWN]

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def one(code, name, seconds=0.0):
    """Counts a check as one test."""
    failures = [] if code == 0 else [(name, f"It ended with code {code}.")]
    return Count(passed=int(code == 0), failed=int(code != 0), times=[(seconds, name)], failures=failures)


def read_junit(path, again=None, program=""):
    """Counts the test cases of a JUnit file, as CTest, GoogleTest and pytest write it. `again` takes the class and the name of
    a case, and returns a function that runs it alone, or None. The names of cases begin with the `program`, if there is
    one."""
    count = Count()
    for case in xml.parse(path).getroot().iter("testcase"):
        state = case.get("status", "")
        name = f"{program}{case.get('classname', '')}.{case.get('name')}"
        failures = [*case.iter("failure"), *case.iter("error")]
        if failures or state == "fail":
            count.failed += 1
            texts = [failure.text or failure.get("message") or "" for failure in failures]
            count.failures.append((name, "\n".join(texts)))
            alone = again(case.get("classname", ""), case.get("name")) if again else None
            if alone:
                count.again[name] = alone
        elif case.find("skipped") is not None or state in ("notrun", "disabled"):
            count.skipped += 1
        else:
            count.passed += 1
        count.times.append((float(case.get("time") or 0), name))
    return count


def failures_told(failures, unsteady=()):
    """Returns the lines that end a run in which cases failed. `unsteady`: names of those that passed alone afterwards. What the cases said comes last, so that it is also in a log of which
    only the end was kept."""
    lines = []
    for name, text in failures[:FAILURES]:
        lines.append(f"FAILED {name}" + (" (it passed alone afterwards)" if name in unsteady else ""))
        lines += [f"    {line[:COLUMNS]}" for line in text.strip().splitlines()[-LINES:]]
    if len(failures) > FAILURES:
        lines.append(f"... and {len(failures) - FAILURES} more")
    return lines


def write_times(parts, unsteady):
    """Leaves build/test-results/times.json: {part: its sums and its slowest cases}. `parts`: {name: (Count, seconds,
    seconds of processors)}. `unsteady`: names of cases that failed, and passed alone."""
    OUT.mkdir(parents=True, exist_ok=True)
    told = {
        name: {
            "seconds": round(seconds, 1),
            "processor_seconds": round(processor, 1),
            "passed": count.passed,
            "failed": count.failed,
            "skipped": count.skipped,
            "slowest": [{"name": case, "seconds": round(time, 2)} for time, case in count.slowest],
        }
        for name, (count, seconds, processor) in parts.items()
    }
    told["failed-and-passed-alone"] = sorted(unsteady)
    (OUT / "times.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
