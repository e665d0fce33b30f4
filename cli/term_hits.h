// Asks how often the terms of rules were matched.
#pragma once

#include <functional>
#include <vector>

#include "cli/asking.h"

namespace icr::cli {

/// More terms than this are not read: a cluster has fewer, and a hostile chassis could tell of terms for ever.
inline constexpr std::size_t kMostTerms = 262'144;

/// Reads the hits of all firewall and NAT terms that the sources have for the service sets of `filter`. Calls `take`
/// for each term. A chassis of an earlier release does not know the question, and is remembered as one that does not
/// answer. Returns false, and refuses the command, if there are more than kMostTerms.
[[nodiscard]] bool read_term_hits(Asking& asking, const std::vector<Source>& sources, const SessionFilter& filter,
                                  const std::function<void(const Source& source, const TermHitsRow& row)>& take);

}  // namespace icr::cli
