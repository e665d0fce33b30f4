"""Tests of runner/count.py: what failed is counted, and told at the end of a run."""

import pathlib
import tempfile
import unittest

from runner.count import COLUMNS, FAILURES, LINES, Count, failures_told, one, read_junit

RESULTS = """<testsuites><testsuite>
<testcase classname="Lab" name="passes" time="1.5"/>
<testcase classname="Lab" name="fails" time="2"><failure message="short">first line
E  late by 80 ms</failure></testcase>
<testcase classname="Lab" name="cannot_begin"><error message="no device"/></testcase>
<testcase classname="Lab" name="is_left_out"><skipped/></testcase>
<testcase classname="Lab" name="ended" status="fail"/>
</testsuite></testsuites>"""


class Counts(unittest.TestCase):
    def read(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.xml"
            path.write_text(RESULTS, encoding="utf-8")
            return read_junit(path)

    def test_each_case_is_counted_once(self):
        self.assertEqual(str(self.read()), "1 passed, 3 failed, 1 skipped")

    def test_a_failure_keeps_its_name_and_what_it_said(self):
        self.assertEqual(
            self.read().failures,
            [("Lab.fails", "first line\nE  late by 80 ms"), ("Lab.cannot_begin", "no device"), ("Lab.ended", "")],
        )

    def test_a_case_that_passes_alone_stays_failed_and_says_so(self):
        count = Count()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.xml"
            path.write_text(RESULTS, encoding="utf-8")
            count.add(read_junit(path, lambda group, case: (lambda: Count(passed=1)) if case == "fails" else None))
        self.assertEqual(list(count.again), ["Lab.fails"])
        self.assertEqual(str(count), "1 passed, 3 failed, 1 skipped")
        told = failures_told(count.failures, ["Lab.fails"])
        self.assertEqual(told[0], "FAILED Lab.fails (it passed alone afterwards)")
        self.assertIn("FAILED Lab.cannot_begin", told)

    def test_sums_keep_the_failures(self):
        sum_of_two = Count()
        sum_of_two.add(one(2, "black"))
        sum_of_two.add(one(0, "flake8"))
        self.assertEqual(str(sum_of_two), "1 passed, 1 failed, 0 skipped")
        self.assertEqual(failures_told(sum_of_two.failures), ["FAILED black", "    It ended with code 2."])

    def test_what_is_told_is_bounded(self):
        text = "\n".join(["x" * 2 * COLUMNS] * 2 * LINES)
        told = failures_told([("case", text)] * (FAILURES + 3))
        self.assertEqual(len(told), FAILURES * (LINES + 1) + 1)
        self.assertEqual(max(len(line) for line in told), COLUMNS + 4)
        self.assertEqual(told[-1], "... and 3 more")

    def test_nothing_is_told_of_a_run_that_passed(self):
        self.assertEqual(failures_told([]), [])


if __name__ == "__main__":
    unittest.main()
