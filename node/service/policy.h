// The rules of one service set, compiled from the cluster: first match wins, as Junos evaluates terms in order.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "model/config/cluster.h"
#include "node/service/classifier.h"

namespace icr::node {

/// The place of a term where none matched.
inline constexpr std::uint32_t kNoPlace = 0xffffffff;

/// The decision of the firewall about a first packet.
struct FirewallDecision {
  FirewallAction action = FirewallAction::accept;
  std::uint16_t policy = 0;                  ///< number of the term in its ServicePolicy; 0: no firewall
  std::optional<std::uint16_t> application;  ///< the application of the term that matched
  std::uint32_t place = kNoPlace;            ///< of the term among all firewall terms of the service set
};

/// The decision of the NAT rules about a first packet.
struct NatDecision {
  const NatTerm* term = nullptr;             ///< the term that matched, which may say no-translation; null: none did
  std::optional<std::uint16_t> application;  ///< the application of the term that matched
  std::uint32_t place = kNoPlace;            ///< of the term among all NAT terms of the service set

  [[nodiscard]] bool translates() const { return term != nullptr && term->type != NatType::none; }
};

/// Immutable after construction; holds a pointer to the cluster, which must outlive it.
///
/// Firewall terms have numbers, which sessions keep. A policy that follows another one gives the terms that both have
/// the same numbers, and no number a second time; so a session is told of the term that admitted it, wherever that
/// stands now, and of none that has taken its place.
class ServicePolicy {
 public:
  /// `former` is the policy that this one follows, null if there is none. It need not outlive this one.
  ServicePolicy(const Cluster& cluster, std::uint16_t service_set, const ServicePolicy* former = nullptr);

  /// `input`: the packet came in on the inside port. Without firewall rules everything is accepted; with some, what no
  /// term matches is discarded. `query`: what the packet is, if its protocol is ICMP or ICMPv6.
  [[nodiscard]] FirewallDecision firewall(const FlowKey& key, bool input, IcmpQuery query = IcmpQuery::echo) const;
  [[nodiscard]] NatDecision nat(const FlowKey& key, bool input, IcmpQuery query = IcmpQuery::echo) const;
  /// True if the firewall accepts the other kind of ICMP query, but not this one: a query of this kind must not pass in
  /// a session that the other kind began (echo and timestamp with the same identifier are one session).
  [[nodiscard]] bool admits_only_the_other(const FlowKey& key, bool input, IcmpQuery query) const;
  /// The application by which a firewall term (FirewallDecision::policy) matched the key: what the decision said when
  /// the session began, without evaluating the rules again.
  [[nodiscard]] std::optional<std::uint16_t> firewall_application(std::uint16_t policy, const FlowKey& key) const;
  /// Returns the guarantee of a session that the term admitted which FirewallDecision::policy names: that of the
  /// service set, unless the term is there and has another one.
  [[nodiscard]] Guarantee guarantee_of(std::uint16_t policy) const {
    const FirewallTerm* const term = policy == 0 || policy > term_at_.size() ? nullptr : term_at_[policy - 1U];
    return term == nullptr ? guarantee_ : term->guarantee.value_or(guarantee_);
  }
  /// Returns true if some session of the service set may have a guarantee other than `asynchronous`.
  [[nodiscard]] bool may_guarantee() const { return may_guarantee_; }
  /// Returns the identity of the term that FirewallDecision::policy names, or 0 for none. The term may have been
  /// removed since.
  [[nodiscard]] StableId id_of(std::uint16_t policy) const { return policy == 0 ? 0 : term_ids_[policy - 1U]; }
  /// Returns what FirewallDecision::policy is for the term with that identity: 0 if the service set has no such term.
  [[nodiscard]] std::uint16_t policy_with_id(StableId id) const;

 private:
  /// Gives the term a number: the one that its identity has, or the next one. Returns 0 when all numbers are given
  /// away.
  [[nodiscard]] std::uint16_t number_of(const FirewallTerm& term);

  const Cluster* cluster_;
  Guarantee guarantee_;
  bool may_guarantee_;
  RuleClassifier firewall_;
  RuleClassifier nat_;
  std::vector<const FirewallTerm*> firewall_terms_;           ///< all rules' terms, in order
  std::vector<std::uint16_t> numbers_;                        ///< of firewall_terms_
  std::size_t unnumbered_ = 0;                                ///< terms that came when all numbers were given away
  std::vector<StableId> term_ids_;                            ///< by number - 1; also of terms that were removed
  std::vector<const FirewallTerm*> term_at_;                  ///< by number - 1; null: it was removed
  std::vector<std::pair<StableId, std::uint16_t>> policies_;  ///< identities of the terms with their numbers, sorted
  std::vector<const NatTerm*> nat_terms_;
};

}  // namespace icr::node
