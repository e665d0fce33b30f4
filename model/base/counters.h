// Counters with names: every drop and refusal has one, and the operator can see it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace icr {

/// A counter as it is shown: name in Junos' spelling (lower case, hyphens).
struct NamedCounter {
  std::string name;
  std::uint64_t value = 0;
};

/// Components keep a plain struct of std::uint64_t with a single writer and offer
/// `void append_to(std::vector<NamedCounter>& out) const` which lists them all, zero or not.
using CounterList = std::vector<NamedCounter>;

/// Adds counters to those of the same name; names that are not in `sums` yet are appended.
void add_counters(CounterList& sums, const CounterList& more);

}  // namespace icr
