// Which NAT pools, rules and terms a service set has, and which of them a command means.
#pragma once

#include <optional>
#include <vector>

#include "cli/grammar/grammar.h"
#include "model/cluster.h"

namespace icr::cli {

/// A pool as a service set uses it.
struct PoolUse {
  std::uint16_t service_set = 0;  ///< index into Cluster::service_sets
  std::uint16_t pool = 0;         ///< index into Cluster::nat_pools
  NatType type = NatType::none;   ///< dnat44 where it is a destination
  bool destination = false;
  const NatTerm* term = nullptr;              ///< the first one that uses it so
  std::optional<std::uint16_t> counted_with;  ///< another service set that shares it, and shows its figures already
};

/// In the order of the rules, each pool once as source and once as destination.
[[nodiscard]] std::vector<PoolUse> pools_of(const Cluster& cluster, std::uint16_t service_set);

/// True if mappings of the pool let senders in: some term of the redundancy set that uses it says so.
[[nodiscard]] bool lets_in(const Cluster& cluster, std::uint16_t set, std::uint16_t pool);

/// What may be named in a command.
[[nodiscard]] Names names_of(const Cluster& cluster);

/// The pool that a command names, as an index. `found` is false where it names one that does not exist.
struct NamedPool {
  bool found = true;
  std::optional<std::uint16_t> pool;  ///< none: every pool
  [[nodiscard]] bool includes(std::uint16_t each) const { return !pool || *pool == each; }
};
[[nodiscard]] NamedPool named_pool(const Cluster& cluster, const std::optional<std::string>& name);

/// A term of a NAT rule, with the numbers that USF counts them by.
struct TermUse {
  const NatRule* rule = nullptr;
  const NatTerm* term = nullptr;
  std::uint32_t position = 0;  ///< of the term in the service set, from 1
};
/// The terms of a service set that translate in the way of `which`: sources, destinations, or one address to another.
[[nodiscard]] std::vector<TermUse> terms_of(const Cluster& cluster, std::uint16_t service_set, NatRules which);

}  // namespace icr::cli
