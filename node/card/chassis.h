// A chassis: the composition root of icrd. Everything is wired here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/config/cluster.h"
#include "node/card/card.h"
#include "node/commit/commit_desk.h"
#include "node/history/history_desk.h"
#include "node/kernel/kernel_guard.h"
#include "node/query/server.h"
#include "node/set/failover_files.h"
#include "node/witness/etcd_key.h"
#include "storage/store.h"
#include "storage/writer.h"
#include "transport/socket.h"

namespace icr::node {

class Chassis {
 public:
  /// `cluster` and `desk` must outlive the chassis. `desk` takes the commits; null: none are taken. `identity` is the
  /// key of the chassis; nullopt if the cluster is not encrypted.
  Chassis(const Cluster& cluster, std::uint16_t index, CommitDesk* desk = nullptr,
          std::optional<transport::KeyPair> identity = std::nullopt);
  ~Chassis();
  Chassis(const Chassis&) = delete;
  Chassis& operator=(const Chassis&) = delete;

  /// Restores the checkpoints, opens ports and links, starts the workers and the query server. If something
  /// is missing, it stops again what it has started, and returns an error that says what is missing.
  [[nodiscard]] Result<void> start();
  /// Ends the query server, releases the traffic, and writes last checkpoints. Idempotent.
  void stop();
  /// Runs with another configuration from now on, without a restart, and frees the former one unless it is the first.
  /// Waits until every worker has taken it. An error means that some have and some have not: the chassis must be
  /// stopped then. REQUIRES: start() has succeeded, `cluster` is arranged() for the present one, and live_obstacles()
  /// of both is empty. Thread: the one that started the chassis.
  [[nodiscard]] Result<void> take(std::shared_ptr<const Cluster> cluster);
  /// Returns true when every card has read its captures to the end (never with real ports).
  [[nodiscard]] bool at_end() const;
  /// Asks a card as a client does, and waits for the answer for `limit` at most. Returns nullopt without an answer.
  /// Thread: the one that started the chassis.
  [[nodiscard]] std::optional<QueryReply> ask(const QueryRequest& request, Duration limit);

 private:
  /// A card before it is built.
  struct Prepared {
    const CardConfig* config = nullptr;
    std::vector<UnitPort> ports;
    std::vector<CardSet> sets;
    std::uint64_t seed = 0;
    TimePoint now;  ///< what its tables are made with: the clock, or the first packet of its captures
  };
  /// Does the steps of start(), and does not undo them when one fails.
  [[nodiscard]] Result<void> start_parts();
  /// Opens the ports of a card. `schedule` gives a thread that it runs in the scheduling of the workers.
  [[nodiscard]] static Result<Prepared> open_ports(const CardConfig& config, const std::function<void()>& schedule);
  /// Makes the table of a set and fills it from its checkpoint. What was damaged is added to `damage`, in words.
  [[nodiscard]] Result<CardSet> make_set(std::uint16_t set, const Prepared& card, storage::Store* store,
                                         std::string& damage);

  /// The first configuration, which the chassis was built from. Ports, links, the kernel guard and the steering keep to
  /// it: they use only what cannot change while the chassis runs.
  const Cluster& cluster_;
  std::shared_ptr<const Cluster> taken_;   ///< the present configuration; null: it is the first
  std::shared_ptr<const Cluster> former_;  ///< what some workers still run with after take() has failed
  const std::uint16_t index_;
  CommitDesk* const desk_;
  const std::optional<transport::KeyPair> identity_;
  std::uint64_t boot_id_ = 0;
  std::unique_ptr<KernelGuard> kernel_guard_;  ///< null if no port involves the kernel
  std::shared_ptr<transport::Context> context_;
  std::unique_ptr<storage::Writer> writer_;
  std::unique_ptr<FailoverFiles> failover_files_;  ///< null if the chassis has no data-folder
  std::vector<std::unique_ptr<EtcdKey>> keys_;     ///< of the sets that have a witness; the cards use them
  std::vector<std::unique_ptr<Card>> cards_;
  std::vector<CardDoor> doors_;           ///< of cards_
  std::unique_ptr<HistoryDesk> history_;  ///< null if the chassis keeps no history
  std::unique_ptr<QueryServer> query_;
};

}  // namespace icr::node
