// A chassis of a benchmark: a table, and the query server that answers questions about it.
#pragma once

#include <poll.h>

#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "node/query/server.h"
#include "node/set/set_view.h"
#include "tests/bench/bench_card.h"
#include "tests/bench/full_table.h"

namespace icr::bench {

/// A chassis that is master of the redundancy set with its number. Its worker is a BenchWorker.
class BenchChassis {
 public:
  BenchChassis(const Cluster& cluster, std::uint16_t chassis, TimePoint now)
      : now_(now),
        shard_(cluster, chassis, 1, now),
        shell_(cluster, chassis, shard_, node::SetStart{1, 0, nullptr, 1}, nullptr, now),
        view_(shell_),
        card_(view_),
        server_(cluster, chassis, {{{&mailbox_}, {}}}) {}
  ~BenchChassis() { server_.stop(); }
  BenchChassis(const BenchChassis&) = delete;
  BenchChassis& operator=(const BenchChassis&) = delete;

  /// Puts so many sessions of the service set with its number into the table, and starts the query server. Returns
  /// false, and says why, if that fails.
  [[nodiscard]] bool start(const Cluster& cluster, std::uint16_t chassis, std::uint32_t sessions) {
    if (!fill(shard_, cluster, chassis, sessions, now_)) return false;
    shard_.activate(now_);
    const auto started = server_.start();
    if (!started) fmt::print(stderr, "{}\n", started.error().message);
    return started.has_value();
  }

  [[nodiscard]] int descriptor() const { return mailbox_.descriptor(); }
  /// Answers the questions that wait. Thread: that of the worker.
  void answer() {
    while (mailbox_.run(card_, now_)) {
    }
  }

 private:
  const TimePoint now_;
  node::Shard shard_;
  node::SetShell shell_;
  node::SetView view_;
  BenchCard card_;
  node::CardMailbox mailbox_;
  node::QueryServer server_;
};

/// A thread that answers the questions to some chassis, and does nothing else.
class BenchWorker {
 public:
  /// REQUIRES: the chassis outlive the worker.
  explicit BenchWorker(std::vector<BenchChassis*> chassis)
      : chassis_(std::move(chassis)), thread_([this] { work(); }) {}
  ~BenchWorker() {
    stop_.signal();
    thread_.join();
  }
  BenchWorker(const BenchWorker&) = delete;
  BenchWorker& operator=(const BenchWorker&) = delete;

 private:
  void work() {
    std::vector<pollfd> items{{stop_.descriptor(), POLLIN, 0}};
    for (const BenchChassis* each : chassis_) items.push_back({each->descriptor(), POLLIN, 0});
    for (;;) {
      poll(items.data(), items.size(), -1);
      if (items[0].revents != 0) return;
      for (std::size_t i = 0; i < chassis_.size(); ++i) {
        if (items[i + 1].revents != 0) chassis_[i]->answer();
      }
    }
  }

  const std::vector<BenchChassis*> chassis_;
  node::Wakeup stop_;
  std::thread thread_;
};

}  // namespace icr::bench
