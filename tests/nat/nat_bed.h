// NAT state without a shard: sessions are opened and closed by hand, timers run when told to.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "node/nat/nat_state.h"

namespace icr::node::test {

inline constexpr std::uint8_t kTcp = ip_protocol::tcp;

inline IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

/// "198.18.0.1:4000" or "2001:db8::1:4000" as written by key(): address and port.
struct At {
  std::string address;
  std::uint16_t port = 0;
};

inline FlowKey key(const At& source, const At& destination, std::uint8_t protocol = ip_protocol::udp) {
  return FlowKey{ip(source.address), ip(destination.address), source.port, destination.port, protocol};
}

class NatBed final : public NatOutput {
 public:
  NatBed() {
    cluster.service_sets.resize(1);
    cluster.service_sets[0].name = "cgn";
    cluster.service_sets[0].nat_rules = {0};
    cluster.nat_rules.resize(1);
    cluster.redundancy_sets.resize(1);
    cluster.redundancy_sets[0].service_sets = {0};
    cluster.redundancy_sets[0].max_sessions = 256;
    cluster.nat_pools.reserve(8);
    cluster.nat_rules[0].terms.reserve(8);
  }

  NatPool& pool(const std::string& addresses, std::uint16_t low = 1024, std::uint16_t high = 65535) {
    NatPool out;
    out.name = "pool" + std::to_string(cluster.nat_pools.size());
    out.addresses = {AddressRange::of(*Prefix::parse(addresses))};
    out.port_low = low;
    out.port_high = high;
    cluster.nat_pools.push_back(out);
    return cluster.nat_pools.back();
  }
  /// Returns true if the address is one of pool 0.
  [[nodiscard]] bool pool_has(const IpAddress& address) const {
    const auto& ranges = cluster.nat_pools[0].addresses;
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const AddressRange& range) { return range.contains(address); });
  }
  /// A term that uses pool 0 for the source.
  NatTerm& term(NatType type, const std::string& sources = "198.18.0.0/16") {
    NatTerm out;
    out.type = type;
    out.from.source_addresses = {AddressRange::of(*Prefix::parse(sources))};
    if (type != NatType::dnat44 && !cluster.nat_pools.empty()) out.source_pools = {0};
    cluster.nat_rules[0].terms.push_back(out);
    return cluster.nat_rules[0].terms.back();
  }
  void start(std::uint64_t term = 1, bool active = true, std::uint64_t seed = 7) {
    EXPECT_TRUE(assign_identities(cluster).empty());
    nat = std::make_unique<NatState>(cluster, std::uint16_t{0}, seed, *this);
    if (active) nat->activate(term);
    armed.clear();
    changed.clear();
  }
  [[nodiscard]] const NatTerm* rule(std::size_t n = 0) const { return &cluster.nat_rules[0].terms[n]; }

  NatRefusal refused(const FlowKey& packet, bool inside = true, std::size_t n = 0) {
    return refused_by(inside ? rule(n) : nullptr, packet, inside);
  }
  NatRefusal refused_by(const NatTerm* matched, const FlowKey& packet, bool inside) {
    const NatResult r = nat->translate(0, matched, packet, inside, now);
    EXPECT_NE(r.refused, NatRefusal::none);
    return r.refused;
  }
  /// A session for a first packet; the test fails when there is none.
  NatSession open(const FlowKey& packet, bool inside = true, std::size_t n = 0) {
    return open_by(inside ? rule(n) : nullptr, packet, inside);
  }
  NatSession open_by(const NatTerm* matched, const FlowKey& packet, bool inside) {
    const NatResult r = nat->translate(0, matched, packet, inside, now);
    EXPECT_EQ(r.refused, NatRefusal::none) << static_cast<int>(r.refused);
    NatSession s{packet, r.responder, r.type, r.pool, 0, !inside};
    if (r.refused != NatRefusal::none) return s;
    nat->hold(s, true, now);
    EXPECT_TRUE(nat->consistent(s));
    hairpin = r.hairpin;
    return s;
  }
  /// Nothing is owned in pool 0, no binding was made, and nobody was told of one.
  void expect_untouched() const {
    EXPECT_EQ(nat->ports_in_use(), 0U);
    EXPECT_EQ(nat->high_water(), 0U);
    EXPECT_TRUE(changed.empty());
    EXPECT_EQ(status().users, 0U);
    EXPECT_EQ(status().addresses_in_use, 0U);
  }
  void close(const NatSession& s) { nat->release(s, now); }
  /// Time goes on, and what is due comes up.
  void wait(Ticks ticks) {
    for (const Ticks end = now + ticks; now != end;) {
      ++now;
      std::vector<std::uint32_t> rows;
      for (const auto& [row, deadline] : armed) {
        if (static_cast<std::int32_t>(deadline - now) <= 0) rows.push_back(row);
      }
      for (const std::uint32_t row : rows) {
        armed.erase(row);
        nat->due(row, now);
      }
    }
  }
  [[nodiscard]] NatPoolStatus status(std::size_t pool_index = 0) const {
    std::vector<NatPoolStatus> all;
    nat->append_status(all);
    for (const auto& s : all) {
      if (s.pool == cluster.nat_pools[pool_index].stable_id) return s;
    }
    ADD_FAILURE() << "no status of pool " << pool_index;
    return {};
  }
  /// Live bindings of a kind.
  [[nodiscard]] std::vector<SessionRecord> bindings(RecordKind kind) const {
    std::vector<SessionRecord> out;
    SessionRecord r;
    for (std::uint32_t row = 0; row < nat->high_water(); ++row) {
      if (nat->read(row, now, r) && r.kind == kind) out.push_back(r);
    }
    return out;
  }
  [[nodiscard]] std::uint64_t digest() const {
    std::uint64_t sum = 0;
    SessionRecord r;
    for (std::uint32_t row = 0; row < nat->high_water(); ++row) {
      if (nat->read(row, now, r)) sum += digest_of(r);
    }
    return sum;
  }

  void binding_changed(std::uint32_t row) override { changed.push_back(row); }
  void arm_binding(std::uint32_t row, Ticks deadline) override { armed[row] = deadline; }

  Cluster cluster;
  std::unique_ptr<NatState> nat;
  Ticks now = 36000;
  bool hairpin = false;  ///< of the last session
  std::map<std::uint32_t, Ticks> armed;
  std::vector<std::uint32_t> changed;
};

}  // namespace icr::node::test
