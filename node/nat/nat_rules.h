// What the NAT rules of a redundancy set mean: the terms that apply, and for each pool how it is used. This is the part
// of NatState that follows from the configuration alone, so that a running shard can take another one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/config/cluster.h"
#include "model/config/reserved_endpoints.h"
#include "model/query/nat_status.h"
#include "model/record/flow_key.h"
#include "node/nat/inside_addresses.h"
#include "node/nat/nat_arithmetic.h"
#include "node/nat/static_terms.h"

namespace icr::node {

/// Returns true for types that translate the destination by a rule.
[[nodiscard]] constexpr bool translates_destination(NatType type) {
  return type == NatType::dnat44 || type == NatType::twice_basic_nat44 || type == NatType::twice_dynamic_nat44 ||
         type == NatType::twice_napt44;
}

/// How the terms of a redundancy set use one pool.
struct PoolRules {
  const NatPool* config = nullptr;
  std::uint16_t index = 0;  ///< in Cluster::nat_pools
  NatPoolUse use = NatPoolUse::ports;
  bool mapped = false;                          ///< ports are owned by mappings (RFC 4787 REQ-1)
  bool paired = false;                          ///< address-pooling paired
  bool tracked = false;                         ///< hosts are counted
  bool filter_open = false;                     ///< endpoint-independent filtering
  const std::vector<Prefix>* let_in = nullptr;  ///< sources that the filtering admits; empty: all
  std::uint32_t flow_limit = 0;
  std::optional<Prefix> nat64_prefix;
  Ticks hold = 0;  ///< time for which no other host gets what was freed; 0 for none
  std::vector<std::uint16_t> service_sets;
  std::vector<const NatTerm*> terms;
  std::vector<ReservedEndpoints> reserved;
  /// A service set that gets nothing new of the pool (model/config/drain.h).
  struct Drain {
    std::uint16_t service_set = 0;
    WallMillis until = 0;
    bool over = false;  ///< its sessions end
  };
  std::vector<Drain> drains;

  /// Returns true if a session holds nothing of the pool but the bit of its port.
  [[nodiscard]] bool ports_alone() const { return use == NatPoolUse::ports && !mapped && !tracked; }
  /// Returns how the pool is drained of the sessions of the service set, or null if it is not.
  [[nodiscard]] const Drain* drain_of(std::uint16_t service_set) const;
  /// Returns true if sessions own ports or addresses of the pool.
  [[nodiscard]] bool is_owned() const { return use != NatPoolUse::one_to_one && use != NatPoolUse::destination; }
};

/// Immutable after construction. Thread: any.
struct NatRules {
  struct AppliedTerm {
    std::uint16_t service_set;
    const NatTerm* term;
  };
  struct Destination {
    const NatTerm* term;
    DestinationMap map;
  };

  NatRules() = default;
  /// `reservations` are the reserved_endpoints() of the cluster. REQUIRES: `of` outlives this object.
  NatRules(const Cluster& of, std::uint16_t set, const std::vector<PoolReservations>& reservations);

  /// Returns the destination of the term. REQUIRES: the term is one of `terms`, and translates destinations.
  [[nodiscard]] const DestinationMap& destination_of(const NatTerm* term) const;

  const Cluster* cluster = nullptr;
  std::vector<std::uint16_t> service_sets;
  std::vector<std::unique_ptr<PoolRules>> pools;  ///< by Cluster::nat_pools; null if no service set here uses it
  std::vector<AppliedTerm> terms;
  StaticTerms static_terms;
  std::vector<Destination> destinations;         ///< sorted by term
  std::vector<StableId> pool_ids;                ///< by Cluster::nat_pools
  std::vector<StableId> service_set_ids;         ///< by Cluster::service_sets
  std::vector<InsideAddresses> insides;          ///< by Cluster::service_sets; filled for the service sets here
  std::vector<std::uint32_t> subscriber_limits;  ///< by Cluster::service_sets; 0: none

 private:
  void add_pool(std::uint16_t index, std::uint16_t service_set, const NatTerm& term, NatPoolUse use);
  void add_term(std::uint16_t service_set, const NatTerm& term);
};

/// Returns why a shard that runs with `before` cannot take `after` with its sessions and bindings; empty if it can.
/// That is so if memory would have to be divided otherwise, or if sessions or bindings that live could not be explained
/// by `after`, so that a standby would refuse them. REQUIRES: the cluster of `after` is arranged() for that of
/// `before`.
[[nodiscard]] std::string obstacle(const NatRules& before, const NatRules& after);

}  // namespace icr::node
