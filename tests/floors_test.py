"""Tests of check_floors.py: each kind of include that is not allowed is found, and nothing else."""

import unittest

from check_floors import ROOMS, faults_of, faults_of_table, unused_names


def faults(path, include):
    return [what for _, what in faults_of(path, f"#pragma once\n#include {include}\n")]


class Floors(unittest.TestCase):
    def test_an_arrow_down_is_allowed(self):
        self.assertEqual(faults("node/flow/shard.h", '"node/nat/nat_state.h"'), [])
        self.assertEqual(faults("model/query/query.h", '"model/record/session_generated.h"'), [])

    def test_a_room_includes_itself(self):
        self.assertEqual(faults("model/base/log.cpp", '"model/base/log.h"'), [])

    def test_an_arrow_up_is_a_fault(self):
        self.assertEqual(faults("model/record/session.h", '"model/config/cluster.h"'),
                         ['model/record must not include "model/config/cluster.h"'])  # fmt: skip

    def test_an_arrow_between_neighbours_is_a_fault(self):
        self.assertEqual(len(faults("model/query/query.h", '"model/config/cluster.h"')), 1)
        self.assertEqual(len(faults("replication/sender.cpp", '"storage/store.h"')), 1)
        self.assertEqual(len(faults("cli/execute.cpp", '"node/flow/shard.h"')), 1)

    def test_a_source_is_not_included(self):
        self.assertEqual(
            faults("node/nat/a.cpp", '"node/nat/b.cpp"'), ["node/nat/b.cpp is a source, and is compiled by itself"]
        )

    def test_a_name_that_nothing_uses_is_a_fault(self):
        text = "using std::string;\nusing icr::node::Packet;\nusing namespace std::chrono;\nusing Name = int;\nstring name;\n"
        self.assertEqual(list(unused_names(text)), [(2, "nothing uses Packet")])

    def test_the_line_is_told(self):
        self.assertEqual(list(faults_of("node/nat/a.h", '\n\n  #  include "cli/execute.h"\n'))[0][0], 3)

    def test_a_room_that_the_table_does_not_know_is_a_fault(self):
        self.assertEqual(len(faults("node/new_room/a.h", '"model/base/result.h"')), 1)
        self.assertEqual(len(faults("node/flow/a.h", '"node/new_room/a.h"')), 1)

    def test_an_include_that_is_no_path_from_the_root_is_a_fault(self):
        self.assertEqual(len(faults("node/flow/shard.cpp", '"shard.h"')), 1)

    def test_the_inside_of_a_room_is_for_that_room(self):
        self.assertEqual(faults("model/config/cluster_file.cpp", '"model/config/reader/yaml_reader.h"'), [])
        self.assertEqual(faults("model/config/reader/yaml_tree.cpp", '"model/config/reader/yaml_reader.h"'), [])
        self.assertEqual(faults("cli/execute.cpp", '"model/config/reader/yaml_reader.h"'),
                         ['"model/config/reader/yaml_reader.h" is not for other rooms than model/config'])  # fmt: skip

    def test_a_library_stays_in_its_room(self):
        self.assertEqual(faults("storage/rocks/rocks_store.cpp", "<rocksdb/db.h>"), [])
        self.assertEqual(faults("node/kernel/netlink.cpp", "<linux/netlink.h>"), [])
        self.assertEqual(faults("node/ports/tun_port.cpp", "<netlink/socket.h>"),
                         ["<netlink/socket.h> belongs in node/kernel only"])  # fmt: skip

    def test_mutexes_are_those_that_clang_checks(self):
        self.assertEqual(faults("model/base/mutex.h", "<mutex>"), [])
        for header in ("<mutex>", "<shared_mutex>", "<condition_variable>"):
            self.assertEqual(faults("node/query/mailbox.h", header), [f"{header} belongs in model/base only"])

    def test_a_table_with_a_circle_is_a_fault(self):
        self.assertEqual(list(faults_of_table(ROOMS)), [])
        self.assertEqual(len(list(faults_of_table({"a": {"b"}, "b": {"a"}}))), 1)
        self.assertEqual(len(list(faults_of_table({"a": {"c"}}))), 1)


if __name__ == "__main__":
    unittest.main()
