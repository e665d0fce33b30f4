// Lists the NAT pools, rules and terms of a service set, and selects those that a command names.
#pragma once

#include <optional>
#include <vector>

#include "cli/grammar/grammar.h"
#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::cli {

/// A pool as a service set uses it.
struct PoolUse {
  std::uint16_t service_set = 0;  ///< index into Cluster::service_sets
  std::uint16_t pool = 0;         ///< index into Cluster::nat_pools
  NatType type = NatType::none;   ///< dnat44 if the pool is used as destination
  bool destination = false;
  const NatTerm* term = nullptr;  ///< the first term that uses the pool in this way
  std::optional<std::uint16_t>
      counted_with;  ///< the service set that shares the pool and shows its figures, if that is another one
};

/// A pool of a service set with its figures on a card.
struct PoolRow {
  PoolUse use;
  NatPoolStatus status;
};

/// Returns true if ports of the pool are translated, so that it has a range of ports.
[[nodiscard]] bool has_port_range(const NatPoolStatus& status);
/// Returns true if the engine counts the hosts that use the pool. In other pools it does not, and the count is always
/// 0.
[[nodiscard]] bool counts_users(const Cluster& cluster, std::uint16_t pool, const NatPoolStatus& status);

/// Returns the pools of a service set in the order of its rules, each at most once as source and once as destination.
[[nodiscard]] std::vector<PoolUse> pools_of(const Cluster& cluster, std::uint16_t service_set);

/// Returns true if mappings of the pool admit packets from outside, because some term of the redundancy set has
/// endpoint-independent filtering.
[[nodiscard]] bool lets_in(const Cluster& cluster, std::uint16_t set, std::uint16_t pool);

/// Returns the names that commands may contain.
[[nodiscard]] Names names_of(const Cluster& cluster);

/// The pool that a command names. `found` is false if that pool does not exist.
struct NamedPool {
  bool found = true;
  std::optional<std::uint16_t> pool;  ///< index into Cluster::nat_pools; without value: every pool
  [[nodiscard]] bool includes(std::uint16_t each) const { return !pool || *pool == each; }
};
[[nodiscard]] NamedPool named_pool(const Cluster& cluster, const std::optional<std::string>& name);

/// A term of a NAT rule with its number in the USF layout.
struct TermUse {
  const NatRule* rule = nullptr;
  const NatTerm* term = nullptr;
  std::uint32_t position = 0;       ///< number of the term in its service set, from 1
  std::optional<TermHitsRow> hits;  ///< how often it was matched; nullopt: not known
};
/// Returns the terms of a service set that translate sources, destinations, or one address to another, as `which` says.
[[nodiscard]] std::vector<TermUse> terms_of(const Cluster& cluster, std::uint16_t service_set, NatRules which);
/// Returns what a term does to the addresses that `which` is about: the names of its pools, a prefix, or "off".
[[nodiscard]] std::string action_of(const Cluster& cluster, const NatTerm& term, NatRules which);

}  // namespace icr::cli
