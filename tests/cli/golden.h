// What a command line prints, against files in tests/golden/. ICR_UPDATE_GOLDEN=1 rewrites them: then read the
// difference.
#pragma once

#include <optional>
#include <string>

#include "tests/cli/cluster_fixture.h"

namespace icr::test {

/// Runs `line` against the fake cluster; every chassis answers.
[[nodiscard]] Output answer(FakeCluster& fake, const std::string& line,
                            std::optional<std::uint16_t> only = std::nullopt);

/// Expects that `line` prints tests/golden/`file`.txt, and no error.
void expect_golden(FakeCluster& fake, const std::string& line, const std::string& file,
                   std::optional<std::uint16_t> only = std::nullopt);

}  // namespace icr::test
