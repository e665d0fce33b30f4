#include "cli/builders/session_groups.h"

#include <algorithm>
#include <tuple>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

std::uint64_t part_of(const SessionSums& sums, Order order) {
  switch (order) {
    case Order::packets:
      return sums.packets;
    case Order::bytes:
      return sums.bytes;
    case Order::sessions:
    case Order::age:
      break;
  }
  return sums.sessions;
}

void add_sums(Tree& tree, const SessionSums& sums) {
  tree.leaf("sess-count", sums.sessions);
  tree.leaf(inferred::kPacketsOfSession, sums.packets);
  tree.leaf(inferred::kBytesOfSession, sums.bytes);
}

}  // namespace

void build_session_groups(Tree& tree, std::string_view grouping, std::vector<NamedGroup> groups, Order order,
                          std::optional<std::uint32_t> top) {
  std::sort(groups.begin(), groups.end(), [&](const NamedGroup& a, const NamedGroup& b) {
    const std::uint64_t of_a = part_of(a.sums, order);
    const std::uint64_t of_b = part_of(b.sums, order);
    return std::tie(of_b, a.name) < std::tie(of_a, b.name);
  });
  const std::size_t shown = std::min<std::size_t>(groups.size(), top.value_or(groups.size()));
  begin_answer(tree, inferred::kSessionGroups);
  tree.leaf(inferred::kGroupBy, grouping);
  SessionSums others;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i >= shown) {
      others.add(groups[i].sums);
      continue;
    }
    const Scope group(tree, inferred::kSessionGroup);
    tree.leaf(inferred::kGroupName, groups[i].name);
    add_sums(tree, groups[i].sums);
  }
  if (shown < groups.size()) {
    const Scope rest(tree, inferred::kOtherGroups);
    tree.leaf(inferred::kGroupCount, groups.size() - shown);
    add_sums(tree, others);
  }
  tree.end();
}

}  // namespace icr::cli
