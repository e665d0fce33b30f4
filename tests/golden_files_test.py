"""The XML and JSON of tests/golden can be read by the parsers of Python, and say the same."""

import json
import pathlib
import unittest
from xml.etree import ElementTree

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"


def plain(name):
    """Returns the name of an element without its namespace."""
    return name.rpartition("}")[2]


def leaves_of_xml(element):
    for child in element:
        if len(child):
            yield from leaves_of_xml(child)
        elif (child.text or "").strip() or child.text is None or not child.text.startswith("\n"):
            yield plain(child.tag), child.text or ""


def leaves_of_json(value):
    for name, array in value.items():
        if name == "attributes":
            continue
        for each in array:
            if "data" in each:
                yield name, each["data"] or ""
            else:
                yield from leaves_of_json(each)


class Forms(unittest.TestCase):
    def test_both_forms_can_be_read_and_say_the_same(self):
        files = sorted(GOLDEN.glob("*.json"))
        self.assertGreater(len(files), 10)
        for path in files:
            with self.subTest(path.name):
                reply = ElementTree.parse(path.with_suffix(".xml")).getroot()
                self.assertEqual(reply.tag, "rpc-reply")
                banner = reply.find("cli")
                reply.remove(banner)
                self.assertEqual(list(leaves_of_xml(reply)), list(leaves_of_json(json.loads(path.read_text(encoding="utf-8")))))

    def test_calls_can_be_read(self):
        files = sorted(GOLDEN.glob("*.rpc.xml"))
        self.assertGreater(len(files), 10)
        for path in files:
            with self.subTest(path.name):
                rpc = ElementTree.parse(path).getroot().find("rpc")
                self.assertEqual(len(rpc), 1)
                self.assertRegex(rpc[0].tag, r"^(get|retrieve|clear|request)-[a-z-]+$")


if __name__ == "__main__":
    unittest.main()
