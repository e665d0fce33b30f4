// A services card: one worker thread that runs ports, engine, redundancy sets and questions.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/cluster.h"
#include "model/result.h"
#include "node/card/set_runner.h"
#include "node/flow/engine.h"
#include "node/ports/port.h"
#include "node/query/mailbox.h"

namespace icr::node {

/// A redundancy set that a card carries, as the chassis prepared it.
struct CardSet {
  std::unique_ptr<Shard> shard;
  SetStart start;
};

class Card final : public CardView, private PacketSink {
 public:
  /// `sets` are those of `config` on this chassis; `ports` were opened from its port list, in order, and are all
  /// captures or none. `now` is what the shards were made with. References must outlive the card.
  Card(const Cluster& cluster, std::uint16_t chassis, const icr::Card& config, std::vector<std::unique_ptr<Port>> ports,
       std::vector<CardSet> sets, std::uint64_t seed, TimePoint now);
  ~Card() override;
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;

  /// Starts the worker; returns when it serves, or with the reason why it cannot.
  [[nodiscard]] Result<void> start(std::shared_ptr<replication::Context> context);
  /// Asks the worker to let go of its traffic, write a last checkpoint and end; then joins it. Idempotent.
  void stop();
  /// True when the captures have been read to their end (never for real ports).
  [[nodiscard]] bool at_end() const { return at_end_.load(std::memory_order_acquire); }

  [[nodiscard]] CardMailbox& mailbox() { return mailbox_; }
  [[nodiscard]] const std::string& name() const { return config_.name; }

  // -- CardView (worker thread) --
  [[nodiscard]] std::span<ShardView* const> shards() override { return views_; }
  [[nodiscard]] CardUtilization utilization(TimePoint now) const override;
  void counters(std::vector<CounterGroup>& out) const override;

 private:
  void send(const Packet& packet) override;
  void run(const std::shared_ptr<replication::Context>& context, std::promise<Result<void>>& started);
  void run_real();
  void run_captures();
  bool poll_sets(TimePoint now);
  void wait(TimePoint now);
  void finish();
  void account(Duration busy, TimePoint now);
  void log_counters() const;

  const Cluster& cluster_;
  const icr::Card& config_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<Port*> port_of_unit_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<SetRunner>> sets_;
  std::vector<ShardView*> views_;
  PacketBuffers buffers_;
  CardMailbox mailbox_;
  Wakeup stop_wakeup_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> at_end_{false};
  TimePoint virtual_now_;  ///< captures: their clock
  bool captures_ = false;
  std::uint64_t unknown_egress_ = 0;

  // Of the last whole second.
  struct Sample {
    TimePoint at;
    std::uint64_t created = 0, removed = 0, dropped = 0;
    Duration busy{};
  };
  Sample sample_;
  CardUtilization utilization_;
  Duration busy_{};
  std::thread worker_;
};

}  // namespace icr::node
