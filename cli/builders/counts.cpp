#include "cli/builders/counts.h"

#include <algorithm>

#include "cli/result/junos.h"

namespace icr::cli {
namespace {

bool has_family(const std::vector<ServiceSetRow>& rows, CardFamily family) {
  return std::any_of(rows.begin(), rows.end(), [&](const ServiceSetRow& row) { return row.family == family; });
}

void add_names(Tree& tree, const ServiceSetRow& row) {
  tree.leaf("interface-name", row.interface);
  tree.leaf("service-set-name", row.service_set);
}

std::uint64_t in_state(const ServiceSetRow& row, SessionState state) {
  return row.count.by_state[static_cast<std::size_t>(state)];
}

}  // namespace

void build_counts(Tree& tree, const std::vector<ServiceSetRow>& rows, CardFamily empty_family) {
  const bool usf = has_family(rows, CardFamily::vms) || (rows.empty() && empty_family == CardFamily::vms);
  if (has_family(rows, CardFamily::ms) || !usf) {
    begin_answer(tree, "service-msp-sess-count-information");
    for (const auto& row : rows) {
      if (row.family != CardFamily::ms) continue;
      const Scope count(tree, "service-msp-sess-count");
      add_names(tree, row);
      tree.leaf("sess-count", row.count.total());
    }
    tree.end();
  }
  if (!usf) return;
  begin_answer(tree, "usf-session-count-information");
  for (const auto& row : rows) {
    if (row.family != CardFamily::vms) continue;
    const Scope count(tree, "usf-session-count");
    add_names(tree, row);
    tree.leaf("valid-session-count", in_state(row, SessionState::valid));
    tree.leaf("pending-session-count", in_state(row, SessionState::pending));
    tree.leaf("invalid-session-count", in_state(row, SessionState::invalid));
    tree.leaf("other-session-count", in_state(row, SessionState::other));
  }
  tree.end();
}

void build_cleared(Tree& tree, const std::vector<ServiceSetRow>& rows, const ClearedNames& names) {
  begin_answer(tree, names.answer);
  for (const auto& row : rows) {
    const Scope cleared(tree, names.row);
    add_names(tree, row);
    tree.leaf(names.count, names.per_session * row.count.total());
  }
  tree.end();
}

void build_cleared_mappings(Tree& tree, const std::vector<ServiceSetRow>& rows) {
  begin_answer(tree, "service-nat-clear-mappings-information");
  for (const auto& row : rows) {
    const Scope cleared(tree, "service-nat-clear-mappings-sess");
    add_names(tree, row);
    tree.leaf("mappings-removed", in_state(row, SessionState::valid));
    tree.leaf("sessions-cleared", in_state(row, SessionState::invalid));
  }
  tree.end();
}

}  // namespace icr::cli
