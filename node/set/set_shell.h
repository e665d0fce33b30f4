// Runs a SetCore on a card's worker: the link to the peer, the traffic of the service networks, the kernel guard, the
// log. It carries out what the core decides (SetOutput) and hands in what arrives.
//
//   Link, Prober, ProbeThread, KernelWatch --messages and events--> SetCore
//   SetCore --SetOutput--> Link, Prober, SteeringThread, log
//
// Thread: the card's worker. Nothing waits for the kernel's configuration lock, which is why traffic is drawn and
// released by a thread of its own (node/kernel/steering_thread.h).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/config/cluster.h"
#include "node/kernel/kernel_watch.h"
#include "node/kernel/prober.h"
#include "node/kernel/steering_thread.h"
#include "node/packet/packet.h"
#include "node/set/probe_thread.h"
#include "node/set/set_core.h"
#include "replication/zmq/paths.h"
#include "transport/socket.h"

namespace icr::node {

class SetShell final : private SetOutput, private replication::LinkVisitor {
 public:
  /// `shard`, `start` and `now` are those that SetCore takes. `kernel` is the connection to the kernel guard, null if
  /// the set does not involve the kernel. All references must outlive the shell.
  SetShell(const Cluster& cluster, std::uint16_t chassis, Shard& shard, const SetStart& start, KernelWatch* kernel,
           TimePoint now);
  ~SetShell() override;

  /// Opens link and steering. REQUIRES: called once on the worker's thread, before poll(). `context` may be null for a
  /// stand-alone set. `schedule` gives a thread that it runs in the scheduling of the worker.
  [[nodiscard]] Result<void> open(const std::shared_ptr<transport::Context>& context, std::function<void()> schedule,
                                  TimePoint now);

  /// Takes what concerns the paths to the peer (its keys, the heartbeats) from another configuration, which is
  /// arranged() for the first one.
  void take_paths(const Cluster& cluster);
  /// Takes the addresses to probe from another configuration.
  void take_probes(const Cluster& cluster);

  /// Returns the packets that came to the standby and that the peer has sent here since the last call, for
  /// Engine::process_relayed(). They may be changed, and are valid until the next poll().
  [[nodiscard]] std::span<Packet> take_packets();

  /// Does one round of everything but packets. Returns true if there is more to do at once. If `busy`, packets came
  /// just now and more may wait, so the round takes about as long as a burst; otherwise it may take some milliseconds.
  bool poll(TimePoint now, WallMillis wall_now, bool busy);
  /// Returns when poll() is next needed if nothing arrives.
  [[nodiscard]] TimePoint next_deadline(TimePoint now) const;
  /// Appends the descriptors that become readable when messages arrive.
  void append_descriptors(TimePoint now, std::vector<int>& out) const;
  /// Lets go of the traffic and offers a last checkpoint to the storage thread. Returns true if it was accepted;
  /// otherwise the caller waits for room and calls again.
  [[nodiscard]] bool shut_down(TimePoint now, WallMillis wall_now);
  /// Waits until the storage thread has room, but not beyond `until`.
  void wait_for_room(TimePoint until);
  /// Waits until the kernel draws no more traffic to this chassis, but not beyond `until`. Returns whether that is so.
  /// REQUIRES: shut_down() was called.
  [[nodiscard]] bool wait_released(TimePoint until);

  [[nodiscard]] SetCore& core() { return core_; }
  [[nodiscard]] const SetCore& core() const { return core_; }
  /// Returns what is wrong with the addresses and routes that draw traffic to this chassis; empty if nothing is.
  [[nodiscard]] std::string steering_warning() const { return steering_ ? steering_->warning() : std::string(); }
  /// Returns the state of the paths to the peer, by their numbers.
  [[nodiscard]] std::vector<PathStatus> paths() const { return paths_ ? paths_->status() : std::vector<PathStatus>(); }
  /// Appends the counters of paths, prober and steering. REQUIRES: open() has succeeded.
  void append_to(CounterList& out) const;

 private:
  /// Makes room for packets that come to the standby, if the configuration wants them and there is none.
  void make_room(const RedundancySet& config);
  /// Takes the report of the kernel guard, if there is a new one.
  void take_kernel_report(TimePoint now);
  void take_probe_report(TimePoint now);
  [[nodiscard]] Result<void> open_steering_thread(std::function<void()> schedule, TimePoint now);
  // -- SetOutput --
  bool send(replication::Channel channel, std::span<const std::uint8_t> message) override;
  void probe(const IpAddress& address, std::uint64_t nonce) override;
  [[nodiscard]] TimePoint time() override;
  bool acquire_traffic() override;
  void release_traffic() override;
  void announce_again(std::uint64_t term) override;
  bool take_packet(std::uint32_t unit, const replication::RelayedPacket& packet) override;
  void report_role(Role role, std::uint64_t term) override;
  void report_claim(std::uint64_t term) override;
  void report_handover(bool active) override;
  void report_failover(const FailoverReport& report, bool settled) override;
  void report_block(const BlockEvent& event) override;
  // -- LinkVisitor --
  void on_control(std::span<const std::uint8_t> message) override;
  void on_data(std::span<const std::uint8_t> message) override;
  void on_former(std::span<const std::uint8_t> message) override;
  void on_connected() override;
  void on_disconnected() override;

  const Cluster& cluster_;
  const RedundancySet& config_;
  const std::uint16_t chassis_;
  const std::uint64_t boot_id_;
  KernelWatch* kernel_;
  storage::CheckpointOutput* disk_;      ///< null: no checkpoints are kept
  FailoverFiles* const failover_files_;  ///< null: reports of takeovers end with the process
  KernelReport kernel_report_;
  TimePoint now_;  ///< of the call that is being handled: for the callbacks
  SetCore core_;
  std::unique_ptr<replication::Paths> paths_;  ///< null in a stand-alone set
  std::optional<PacketBuffers> room_;          ///< for packets that came to the standby
  std::size_t packets_ = 0;                    ///< those that are there, since take_packets()
  std::unique_ptr<Prober> prober_;             ///< null in a stand-alone set
  std::unique_ptr<ProbeThread> probes_;        ///< null if the set has not had an address to probe yet
  std::unique_ptr<SteeringThread> steering_;   ///< null if the set has neither virtual addresses nor return routes
};

}  // namespace icr::node
