// The card of a benchmark: what a mailbox asks, with one shard behind it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "node/query/shard_view.h"

namespace icr::bench {

/// Answers questions about sessions from one shard. Every other answer is empty. Thread: one.
class BenchCard final : public node::CardView {
 public:
  /// `shard` must outlive the card.
  explicit BenchCard(node::ShardView& shard) : shards_{&shard} {}
  std::span<node::ShardView* const> shards() override { return shards_; }
  [[nodiscard]] CardUtilization utilization(TimePoint /*now*/) const override { return {}; }
  void counters(std::vector<CounterGroup>& /*out*/) const override {}
  void analysis(CardAnalysis& /*out*/) const override {}
  void clear_analysis() override {}
  void usage(CardUsage& /*out*/) const override {}
  void traffic(std::vector<PortTraffic>& /*out*/) const override {}
  void statistics(StableId /*service_set*/, ServiceSetStatus& /*out*/) const override {}
  void clear_statistics(StableId /*service_set*/, std::optional<StatisticsGroup> /*group*/) override {}

 private:
  std::vector<node::ShardView*> shards_;
};

}  // namespace icr::bench
