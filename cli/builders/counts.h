// Builds the trees of tables of counts: sessions of service sets, and what `clear` has deleted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/result/tree.h"
#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

/// The figures of a row of a table of service sets.
struct ServiceSetRow {
  CardFamily family = CardFamily::ms;
  std::string interface;
  std::string service_set;
  ServiceSetCount count;
};

/// Builds `show services sessions count`: a table for ms- cards (one number), then a table for vms- cards (by state),
/// each only if it has rows. Without any rows, builds the table for `empty_family`.
void build_counts(Tree& tree, const std::vector<ServiceSetRow>& rows, CardFamily empty_family);

/// The names of the answer of a command that clears sessions.
struct ClearedNames {
  std::string_view answer;
  std::string_view row;
  std::string_view count;
  unsigned per_session = 1;  ///< a session counts as so many of them
};
inline constexpr ClearedNames kClearedSessions = {"service-msp-sess-drain-information", "service-msp-sess-drain",
                                                  "sess-marked-for-deletion"};
inline constexpr ClearedNames kClearedFlows = {"service-msp-flow-drain-information", "service-msp-flow-drain",
                                               "flows-removed", 2};
inline constexpr ClearedNames kClearedConversations = {"service-sfw-flow-drain-information", "service-sfw-flow-drain",
                                                       "conversations-removed"};
void build_cleared(Tree& tree, const std::vector<ServiceSetRow>& rows, const ClearedNames& names);

/// Builds `clear services nat mappings`: valid sessions are mappings, invalid ones the sessions that used them.
void build_cleared_mappings(Tree& tree, const std::vector<ServiceSetRow>& rows);

}  // namespace icr::cli
