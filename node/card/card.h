// A services card: its workers, and the way into them.
//
// Redundancy sets are dealt out to the workers in the order of the cluster file; with a set go its service sets, their
// units and ports, and its part of the NAT pools. So everything that belongs to a session belongs to one worker, and
// workers share nothing. A set is never divided: more workers than sets would have nothing to do and are not started.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/config/cluster.h"
#include "node/card/worker.h"
#include "node/query/server.h"
#include "transport/socket.h"

namespace icr::node {

class Card {
 public:
  /// `sets` are those of `config` on this chassis, in the order of the cluster file; `ports` are those of its port
  /// list. `now` is what the shards were made with. References must outlive the card.
  Card(const Cluster& cluster, std::uint16_t chassis, const CardConfig& config, std::vector<UnitPort> ports,
       std::vector<CardSet> sets, std::uint64_t seed, TimePoint now);

  /// Starts the workers; returns when all of them serve, or with the reason why one cannot.
  [[nodiscard]] Result<void> start(const std::shared_ptr<transport::Context>& context,
                                   const WorkerScheduling& scheduling);
  /// Asks the workers to let go of their traffic, write a last checkpoint and end; then joins them. Idempotent.
  void stop();
  /// Returns true when the captures have been read to their end (never for real ports).
  [[nodiscard]] bool at_end() const;

  /// Compiles another configuration and gives it to the workers (Worker::prepare(), give()).
  void give(const Cluster& cluster, const std::vector<PoolReservations>& reservations);
  /// Waits until all workers have taken what they were given. Returns false at `until` (Worker::await_update()).
  [[nodiscard]] bool await_update(TimePoint until);

  [[nodiscard]] CardDoor door() const;
  [[nodiscard]] std::size_t workers() const { return workers_.size(); }

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<std::uint16_t, std::size_t> worker_of_set_;
};

}  // namespace icr::node
