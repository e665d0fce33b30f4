// Builds the tree of `show services sessions group-by`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/command.h"
#include "cli/result/tree.h"
#include "model/query/session_groups.h"

namespace icr::cli {

/// A group with its name.
struct NamedGroup {
  std::string name;
  SessionSums sums;
};

/// Builds the table of `groups`, the largest by `order` first, and those of equal size by name. With `top`, all groups
/// behind the first `top` ones are one row. `grouping` is the word of the command line.
void build_session_groups(Tree& tree, std::string_view grouping, std::vector<NamedGroup> groups, Order order,
                          std::optional<std::uint32_t> top);

}  // namespace icr::cli
