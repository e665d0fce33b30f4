// The terms of NAT that map one prefix to another (basic_nat44, twice_basic_nat44, nptv6), found by external address.
// Thread: any, because nothing changes after sort().
#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "model/config/cluster.h"

namespace icr::node {

class StaticTerms {
 public:
  struct Entry {
    std::uint16_t service_set;
    const NatTerm* term;
    std::uint16_t pool;  ///< index + 1; 0 for none
  };

  /// Adds a term. REQUIRES: it has a source prefix, which overlaps that of no other term of the service set, or is the
  /// same (the cluster file is checked for this). The term must outlive this object.
  void add(std::uint16_t service_set, const NatTerm& term) {
    const auto pool = static_cast<std::uint16_t>(term.source_pools.empty() ? 0 : term.source_pools.front() + 1);
    entries_.push_back({service_set, &term, pool});
  }
  /// Sorts the terms. Call this once, after the last add().
  void sort() {
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return order_of(a) < order_of(b); });
  }

  /// Returns true if `fits(entry)` is true for a term of the service set whose external prefix contains the address.
  /// Asks in the order in which terms were added.
  template <class Fits>
  [[nodiscard]] bool any_of(std::uint16_t service_set, const IpAddress& external, Fits&& fits) const {
    if (entries_.empty()) return false;
    const auto before = [](const Order& wanted, const Entry& e) { return wanted < order_of(e); };
    auto at =
        std::upper_bound(entries_.begin(), entries_.end(), Order{service_set, external.is_v4(), external}, before);
    if (at == entries_.begin()) return false;
    const auto end = at;
    const Order nearest = order_of(*--at);
    while (at != entries_.begin() && order_of(*std::prev(at)) == nearest) --at;
    return std::any_of(at, end, [&](const Entry& e) {
      return e.service_set == service_set && e.term->source_prefix->contains(external) && fits(e);
    });
  }

 private:
  /// Service set, family, first external address.
  using Order = std::tuple<std::uint16_t, bool, IpAddress>;
  static Order order_of(const Entry& e) {
    const IpAddress& first = e.term->source_prefix->base;
    return {e.service_set, first.is_v4(), first};
  }

  std::vector<Entry> entries_;
};

}  // namespace icr::node
