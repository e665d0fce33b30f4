// One worker of a services card: a thread that runs ports, an engine, redundancy sets and questions. It shares nothing
// with the card's other workers: its sets have units, sessions and parts of the NAT pools of their own, so packets of
// both directions of a session come to the same worker.
#pragma once

#include <poll.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/base/result.h"
#include "model/config/cluster.h"
#include "node/card/port_meter.h"
#include "node/card/scheduling.h"
#include "node/card/self_test.h"
#include "node/flow/engine.h"
#include "node/ports/port.h"
#include "node/query/mailbox.h"
#include "node/set/set_shell.h"
#include "node/set/set_view.h"
#include "transport/socket.h"

namespace icr::node {

/// A redundancy set that a card carries, as the chassis prepared it.
struct CardSet {
  std::unique_ptr<Shard> shard;
  SetStart start;
  KernelWatch* kernel = nullptr;  ///< connection to the kernel guard; null if the set does not involve the kernel
};

/// A port that was opened, and the unit it serves.
struct UnitPort {
  std::uint32_t unit = 0;
  std::unique_ptr<Port> port;
};

/// What one worker of a card runs.
struct WorkerPart {
  std::vector<UnitPort> ports;  ///< all captures or none
  std::vector<CardSet> sets;
};

/// The scheduling that workers ask for, and the rights and memory lock of the process.
struct WorkerScheduling {
  Scheduling wanted;
  SchedulingRights rights;
  std::string memory;  ///< "memory locked", or why it is not
};

/// What a worker needs to run with another configuration, compiled beforehand. Worker::take_update() exchanges it for
/// the former parts, which are then in it.
struct WorkerUpdate {
  const Cluster* cluster = nullptr;
  std::vector<ShardUpdate> shards;  ///< of the sets of the worker, in their order
  EngineUpdate engine;
};

class Worker final : public CardView, private PacketSink {
 public:
  /// `name` is that of the card, which has `workers` workers. `now` is what the shards were made with. References must
  /// outlive the worker.
  Worker(const Cluster& cluster, std::uint16_t chassis, std::string name, std::uint32_t workers, WorkerPart part,
         std::uint64_t seed, TimePoint now);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Starts the thread; returns when it serves, or with the reason why it cannot.
  [[nodiscard]] Result<void> start(std::shared_ptr<transport::Context> context, const WorkerScheduling& scheduling);
  /// Asks the thread to let go of its traffic, write a last checkpoint and end.
  void ask_to_stop();
  /// Does what ask_to_stop() does, then joins the thread. Idempotent.
  void stop();
  /// Returns true when the captures have been read to their end (never for real ports).
  [[nodiscard]] bool at_end() const { return at_end_.load(std::memory_order_acquire); }

  // -- Another configuration. Thread: that of the chassis. --

  /// Compiles what the worker takes from `cluster`, which is arranged() for the one that it runs with, and outlives
  /// what takes it. `reservations` are its reserved_endpoints(). REQUIRES: no update was given that is not taken.
  [[nodiscard]] std::unique_ptr<WorkerUpdate> prepare(const Cluster& cluster,
                                                      const std::vector<PoolReservations>& reservations) const;
  /// Gives the worker what prepare() made. It takes it between two rounds.
  void give(std::unique_ptr<WorkerUpdate> update);
  /// Waits until the worker has taken what it was given, and frees the former parts. Returns false at `until`; then the
  /// worker may still take it, so both configurations must live on.
  [[nodiscard]] bool await_update(TimePoint until);

  [[nodiscard]] CardMailbox& mailbox() { return mailbox_; }

  // -- CardView (worker thread): its part of the card --
  [[nodiscard]] std::span<ShardView* const> shards() override { return views_; }
  [[nodiscard]] CardUtilization utilization(TimePoint now) const override;
  void counters(std::vector<CounterGroup>& out) const override;
  void analysis(CardAnalysis& out) const override;
  void clear_analysis() override;
  void usage(CardUsage& out) const override;
  void traffic(std::vector<PortTraffic>& out) const override;
  void statistics(StableId service_set, ServiceSetStatus& out) const override;
  void clear_statistics(StableId service_set, std::optional<StatisticsGroup> group) override;

 private:
  void send(const Packet& packet) override;
  void run(const std::shared_ptr<transport::Context>& context, const WorkerScheduling& scheduling,
           std::promise<Result<void>>& started);
  void take_processor(const WorkerScheduling& scheduling);
  void open_self_tests(std::uint16_t chassis, TimePoint now);
  void run_real();
  void run_captures();
  /// Takes the update that was given, if there is one. Costs one atomic load if there is none.
  void take_update(TimePoint now);
  bool poll_sets(TimePoint now, bool busy);
  /// Handles the packets that came to the standbys of the sets. Returns true if there were some.
  bool handle_relayed_packets(TimePoint now);
  /// Sends the packets that waited for a peer, if it has acknowledged what they changed.
  void release_packets(TimePoint now);
  /// Sleeps until something arrives or is due. Returns the time at which something was due.
  TimePoint wait(TimePoint now);
  void rest();
  void note_absence(Duration absence, TimePoint now);
  void finish();
  /// Returns true if the storage thread has accepted the last checkpoints.
  [[nodiscard]] bool write_last_checkpoints(TimePoint until);
  void account(Duration busy, TimePoint now);
  [[nodiscard]] std::uint64_t live_sessions() const;
  void log_counters() const;

  const Cluster* cluster_;
  const std::string name_;
  const std::uint32_t workers_;
  std::vector<UnitPort> ports_;
  std::vector<Port*> port_of_unit_;
  std::vector<PortMeter> meters_;  ///< of each of ports_
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<SetShell>> sets_;
  std::vector<std::unique_ptr<SetView>> set_views_;    ///< of each of sets_
  std::vector<std::unique_ptr<SelfTest>> self_tests_;  ///< of each of sets_; without any for captures
  std::vector<ShardView*> views_;                      ///< the same, for questions
  PacketBuffers buffers_;
  CardMailbox mailbox_;
  Wakeup stop_wakeup_;
  std::optional<RealTimeBudget> budget_;  ///< nullopt for captures, which have no deadlines
  std::unique_ptr<WorkerUpdate> update_;  ///< the worker's while update_waits_, otherwise the chassis'
  std::atomic<bool> update_waits_{false};
  Wakeup update_taken_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> at_end_{false};
  TimePoint virtual_now_;  ///< captures: their clock
  bool captures_ = false;
  std::uint64_t unknown_egress_ = 0;
  std::uint64_t relayed_unsound_ = 0;  ///< relayed packets whose checksum or segments nobody could complete
  std::uint64_t absences_ = 0;  ///< how often the worker had no processor for so long that packets became too old

  // Of the last whole second.
  struct Sample {
    TimePoint at;
    std::uint64_t created = 0, removed = 0, dropped = 0;
    Duration busy{};
  };
  Sample sample_;
  CardUtilization utilization_;
  CardAnalysis analysis_;  ///< peaks and histograms; packets are counted by the engine
  CardAnalysis cleared_;   ///< what it had counted when the analysis was cleared
  Duration busy_{};
  std::vector<int> descriptors_;  ///< wait()'s, kept so that a sleep allocates nothing
  std::vector<pollfd> polled_;
  std::thread worker_;
};

}  // namespace icr::node
