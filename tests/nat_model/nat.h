// The NAT of the model: which term translates a packet, which choices the engine has, and who owns what it chose.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "model/cluster.h"
#include "node/flow/counters.h"

namespace icr::node::test::nat_model {

/// A translated port: no two owners, ever.
struct OwnedPort {
  IpAddress address;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  friend auto operator<=>(const OwnedPort&, const OwnedPort&) = default;
};

/// What NAT made of a session.
struct Translation {
  NatType type = NatType::none;
  std::optional<std::uint16_t> pool;  ///< index of the pool that was used
  std::optional<OwnedPort> port;      ///< owned by the session itself
};

/// Rules of a service set in the words of the RFCs and of Junos: terms in order, first match.
struct FirewallWord {
  FirewallAction action = FirewallAction::accept;
  std::uint16_t policy = 0;
  std::optional<std::uint16_t> application;
};
struct NatWord {
  const NatTerm* term = nullptr;  ///< none: not translated
  std::optional<std::uint16_t> application;
};
[[nodiscard]] FirewallWord firewall(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside);
[[nodiscard]] NatWord nat_rule(const Cluster& cluster, std::uint16_t service_set, const FlowKey& key, bool inside);

/// Why no session can begin; or might not, when that hangs on a choice of the engine.
struct NatRefusal {
  Drop reason = Drop::count;
  bool sure = true;
};

class Nat {
 public:
  explicit Nat(const Cluster& cluster) : cluster_(cluster) {}

  /// True if the address is one that the service set's NAT terms translate to.
  [[nodiscard]] bool is_pool_address(std::uint16_t service_set, const IpAddress& address) const;
  /// Why a first packet that `term` translates must be, or may be, refused.
  [[nodiscard]] std::optional<NatRefusal> refusal(const NatTerm& term, const FlowKey& key) const;
  /// The first packet left with `egress`. Takes what was chosen; returns what is illegal about it, or nothing.
  [[nodiscard]] std::string take(const NatTerm& term, const FlowKey& key, const FlowKey& egress, Translation& out);
  void release(const Translation& translation);

  /// Ports that are owned, whoever owns them.
  [[nodiscard]] std::size_t ports() const { return ports_.size(); }

 private:
  [[nodiscard]] bool has_free_port(const NatPool& pool, std::uint8_t protocol) const;

  const Cluster& cluster_;
  std::set<OwnedPort> ports_;
};

}  // namespace icr::node::test::nat_model
