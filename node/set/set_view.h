// Answers questions about one redundancy set on one card.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/query/shard_view.h"
#include "node/set/set_alarms.h"
#include "node/set/set_core.h"
#include "node/set/set_shell.h"

namespace icr::node {

/// Thread: the card's worker.
class SetView final : public ShardView {
 public:
  /// `shell` must outlive the view.
  explicit SetView(SetShell& shell);

  /// Sets the text that describes the worker's scheduling in answers to questions.
  void set_scheduling(std::string text) { scheduling_ = std::move(text); }
  /// Looks what is wrong with the set. Call it about once a second, so that alarms tell when they began.
  void watch(TimePoint now);
  /// Sets the counters of errors and events of the service set's NAT pools to zero, as clients see them.
  void clear_nat_statistics(StableId service_set);

  // -- ShardView --
  [[nodiscard]] std::uint16_t set() const override { return shard().set(); }
  [[nodiscard]] const SessionSource& sessions() const override { return shard(); }
  [[nodiscard]] std::uint64_t sessions_of(StableId service_set) const override {
    return shard().sessions_with(service_set);
  }
  void status(TimePoint now, SetStatus& out) const override;
  void append_to(CounterList& out) const override;
  void failovers(std::vector<FailoverReport>& out) const override;
  [[nodiscard]] bool is_master() const override { return shard().active(); }
  bool remove(std::uint32_t slot, TimePoint now) override;
  Result<std::string> switchover(TimePoint now, bool force) override;
  Result<std::string> drain(TimePoint now, bool cancel) override;
  std::uint32_t scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                     SessionVisitor& visitor) const override;
  std::uint32_t scan_largest(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                             LargestSessions& largest) const override;
  [[nodiscard]] std::uint32_t first_binding() const override { return shard().table().capacity(); }
  [[nodiscard]] BindingUse use_of(std::uint32_t slot) const override;
  [[nodiscard]] bool holds_binding(const SessionRecord& holder, const SessionFilter& filter,
                                   std::uint8_t kinds) const override;
  bool remove_binding(std::uint32_t slot, TimePoint now) override;
  void nat_pools(std::vector<NatPoolStatus>& out) const override;
  std::uint32_t deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const override;
  std::uint32_t term_hits(const SessionFilter& filter, std::uint32_t from, std::uint32_t most,
                          std::vector<TermHitsRow>& out) const override {
    return shard().term_hits(filter, from, most, out);
  }
  /// Sets the counts of terms of a kind to zero.
  void clear_term_hits(StableId service_set, TermKind kind) { shard().clear_term_hits(service_set, kind); }

 private:
  [[nodiscard]] std::vector<Trouble> troubles() const;
  [[nodiscard]] NewestState newest_state_of(std::uint32_t slot) const;
  [[nodiscard]] Shard& shard() { return core_.shard(); }
  [[nodiscard]] const Shard& shard() const { return core_.shard(); }

  const SetShell& shell_;
  SetCore& core_;
  std::string scheduling_;
  AlarmBook alarms_;
  std::uint64_t cleared_ = 0;
  std::uint64_t bindings_cleared_ = 0;
  std::vector<NatPoolStatus> cleared_pools_;  ///< what the pools' counters were when they were cleared
};

}  // namespace icr::node
