"""How many tests passed, failed and were skipped, and how long each took."""

import json
import pathlib
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "test-results"
SHOWN = 10  # slowest cases of a part


class Count:
    """Sums of test cases, and [(seconds, name)] of those whose time is known."""

    def __init__(self, passed=0, failed=0, skipped=0, times=()):
        self.passed, self.failed, self.skipped, self.times = passed, failed, skipped, list(times)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.times += other.times

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
    return Count(passed=int(code == 0), failed=int(code != 0), times=[(seconds, name)])


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
        count.times.append((float(case.get("time") or 0), f"{case.get('classname', '')}.{case.get('name')}"))
    return count


def write_times(parts):
    """Leaves build/test-results/times.json: {part: its sums and its slowest cases}. `parts`: {name: (Count, seconds)}."""
    OUT.mkdir(parents=True, exist_ok=True)
    told = {
        name: {
            "seconds": round(seconds, 1),
            "passed": count.passed,
            "failed": count.failed,
            "skipped": count.skipped,
            "slowest": [{"name": case, "seconds": round(time, 2)} for time, case in count.slowest],
        }
        for name, (count, seconds) in parts.items()
    }
    (OUT / "times.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
