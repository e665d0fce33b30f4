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

/// Builds the table of `groups`: the largest by `order` comes first, and groups of equal size are in the order of their
/// names. With `top`, all groups behind the first `top` ones are added up in one row. `grouping` is the word behind
/// `group-by`.
void build_session_groups(Tree& tree, std::string_view grouping, std::vector<NamedGroup> groups, Order order,
                          std::optional<std::uint32_t> top);

}  // namespace icr::cli
