// How often each term of the rules of a service set was matched by a first packet.
//
// Counts are by the place of the term among all terms of its kind, which is what a decision says (policy.h), so that a
// first packet costs one addition. A count stays with the names of rule and term when the configuration changes.
// Thread: the one that owns the shard; construction: any.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/config/cluster.h"
#include "model/query/term_hits.h"

namespace icr::node {

class TermHits {
 public:
  TermHits() = default;
  /// For the terms of one kind of a service set. `former` are the hits that this object follows, null if there are
  /// none. REQUIRES: `cluster` outlives this object.
  TermHits(const Cluster& cluster, const ServiceSet& set, TermKind kind, const TermHits* former = nullptr);

  /// Counts a first packet that the term at `place` matched. A place that no term has is not counted.
  void hit(std::uint32_t place) {
    if (place < counts_.size()) ++counts_[place].hits;
  }
  /// Counts that nothing came of such a packet.
  void failed(std::uint32_t place) {
    if (place < counts_.size()) ++counts_[place].failures;
  }
  /// Takes the counts of the hits that this object follows.
  void inherit(const TermHits& former);
  /// Sets all counts to zero.
  void clear();

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(terms_.size()); }
  /// Appends what is known of the term at `place`, without the service set. REQUIRES: place < size().
  void append(std::uint32_t place, std::vector<TermHitsRow>& out) const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Term {
    std::string_view rule;
    std::string_view name;
    MatchDirection direction = MatchDirection::input;
    std::uint32_t former = kNone;  ///< its place in the hits that this object follows
  };
  struct Count {
    std::uint64_t hits = 0;
    std::uint64_t failures = 0;
  };

  TermKind kind_ = TermKind::firewall;
  std::vector<Term> terms_;
  std::vector<Count> counts_;
};

}  // namespace icr::node
