// What a command line prints, against files in tests/golden/. ICR_UPDATE_GOLDEN=1 rewrites them: then read the
// difference.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/cli/cluster_fixture.h"

namespace icr::test {

/// Runs `line` against the fake cluster; every chassis answers.
[[nodiscard]] Output answer(FakeCluster& fake, const std::string& line,
                            std::optional<std::uint16_t> only = std::nullopt);

/// Compares `text` with a file of tests/golden.
void expect_text(const std::string& text, const std::string& file);
/// Expects that the answer in XML can be parsed, and that the answer in JSON has the same elements, leaves and values
/// in the same order. Returns the number of leaves.
std::size_t expect_same_tree(const std::string& xml, const std::string& json);

/// Expects that `line` prints tests/golden/`file`.xml and `file`.json in these forms, that both are the same tree, and
/// that `| display xml rpc` prints `file`.rpc.xml if Junos has such a call.
void expect_forms(FakeCluster& fake, const std::string& line, const std::string& file,
                  std::optional<std::uint16_t> only = std::nullopt);

/// Expects that `line` prints tests/golden/`file`.txt, and no error; and that the other forms of an answer that has
/// them are the same tree.
void expect_golden(FakeCluster& fake, const std::string& line, const std::string& file,
                   std::optional<std::uint16_t> only = std::nullopt);

}  // namespace icr::test
