// One redundancy set on one card, with everything that belongs to it: its sessions, its role, the way to its peer, to
// the disk and to the neighbours. Owned and used by the card's worker.
//
//   engine --changes--> RedundancyMember --messages--> Link --> peer
//              |--------> Checkpointer --records--> storage::Writer
//   RedundancyMember --become_master/standby--> Shard, then Steering: state first, traffic second.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/cluster.h"
#include "model/result.h"
#include "node/flow/shard.h"
#include "node/kernel/kernel_watch.h"
#include "node/query/shard_view.h"
#include "node/redundancy/member.h"
#include "node/redundancy/prober.h"
#include "node/redundancy/return_routes.h"
#include "node/redundancy/steering.h"
#include "replication/zmq/link.h"
#include "storage/checkpointer.h"

namespace icr::node {

/// What survived the last run of the chassis, for one set.
struct SetStart {
  std::uint64_t boot_id = 0;                  ///< random, not 0: this run of the process
  std::uint64_t term = 0;                     ///< highest term on disk
  storage::CheckpointOutput* disk = nullptr;  ///< null: no checkpoints are kept
  std::uint64_t next_sequence = 1;            ///< of the checkpoint log
  KernelWatch* kernel = nullptr;  ///< connection to the kernel guard; null if the set does not involve the kernel
  bool whole = true;              ///< nothing of that term's state was found damaged
};

class SetRunner final : public ShardView, private MemberOutput, private replication::LinkVisitor {
 public:
  /// `shard` holds what the checkpoint brought back, if anything. All references must outlive the runner.
  SetRunner(const Cluster& cluster, std::uint16_t chassis, Shard& shard, const SetStart& start, TimePoint now);
  ~SetRunner() override;

  /// Opens link and steering; on the worker's thread, once, before poll(). `context` may be null for a stand-alone set.
  [[nodiscard]] Result<void> open(const std::shared_ptr<replication::Context>& context, TimePoint now);

  /// One round of everything but packets. True: there is more to do at once. `busy`: packets came just now and more may
  /// wait, so it takes about as long as a burst; otherwise up to some milliseconds.
  bool poll(TimePoint now, WallMillis wall_now, bool busy);
  /// When poll() is next needed if nothing arrives.
  [[nodiscard]] TimePoint next_deadline(TimePoint now) const;
  /// Descriptors that become readable when messages arrive.
  void append_descriptors(TimePoint now, std::vector<int>& out) const;
  /// Lets go of the traffic and writes a last checkpoint. True: done; call again otherwise, but not for ever.
  bool shut_down(TimePoint now, WallMillis wall_now);

  /// Sets the text that describes the worker's scheduling in answers to questions.
  void set_scheduling(std::string text) { scheduling_ = std::move(text); }
  /// Takes what the self-test found wrong, which is part of the health of the member. REQUIRES: open() has succeeded.
  void set_self_test(TimePoint now, std::vector<std::string> wrong);
  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] const Shard& shard() const { return shard_; }
  void append_to(CounterList& out) const;

  // -- ShardView --
  [[nodiscard]] std::uint16_t set() const override { return shard_.set(); }
  [[nodiscard]] const SessionSource& sessions() const override { return shard_; }
  [[nodiscard]] std::uint64_t sessions_of(std::uint16_t service_set) const override {
    return shard_.sessions_of(service_set);
  }
  void status(TimePoint now, SetStatus& out) const override;
  [[nodiscard]] bool is_master() const override { return shard_.active(); }
  bool remove(std::uint32_t slot, TimePoint now) override;
  Result<std::string> switchover(TimePoint now) override;
  std::uint32_t scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                     SessionVisitor& visitor) const override;
  [[nodiscard]] std::uint32_t first_binding() const override { return shard_.table().capacity(); }
  [[nodiscard]] BindingUse use_of(std::uint32_t slot) const override;
  [[nodiscard]] bool holds_binding(const SessionRecord& holder, const SessionFilter& filter,
                                   std::uint8_t kinds) const override;
  bool remove_binding(std::uint32_t slot, TimePoint now) override;
  void nat_pools(std::vector<NatPoolStatus>& out) const override;
  std::uint32_t deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const override;
  /// The errors and events of the service set's NAT pools begin at zero again.
  void clear_nat_statistics(std::uint16_t service_set);

 private:
  /// Takes the reports of the kernel guard and of the storage, and updates the health of the member and the addresses
  /// at which the peer can probe this machine.
  void judge_health(TimePoint now);
  /// Returns why traffic to an address could not get into the card; empty if it can.
  [[nodiscard]] std::string closed_way(const VirtualAddress& address) const;
  /// Writes what happened to port blocks into the log, a little of it.
  void log_blocks();
  // -- MemberOutput --
  bool send_control(std::span<const std::uint8_t> message) override;
  bool send_data(std::span<const std::uint8_t> message) override;
  void persist_term(std::uint64_t term) override;
  void become_master(std::uint64_t term) override;
  void become_standby(std::uint64_t term) override;
  void reassert_master(std::uint64_t term) override;
  void handing_over(bool active) override;
  void probe(const IpAddress& address, std::uint64_t nonce) override;
  // -- LinkVisitor --
  void on_control(std::span<const std::uint8_t> message) override;
  void on_data(std::span<const std::uint8_t> message) override;
  void on_connected() override;
  void on_disconnected() override;

  const Cluster& cluster_;
  const RedundancySet& config_;
  const std::uint16_t chassis_;
  Shard& shard_;
  TimePoint now_;  ///< of the round that is running: for the callbacks
  RedundancyMember member_;
  std::unique_ptr<storage::Checkpointer> checkpointer_;
  const std::uint64_t boot_id_;
  storage::CheckpointOutput* disk_;
  KernelWatch* kernel_;
  KernelReport kernel_report_;
  bool store_fails_ = false;
  std::vector<std::string> self_test_;  ///< what the self-test found wrong
  std::unique_ptr<replication::Link> link_;
  std::unique_ptr<Prober> prober_;  ///< null in a stand-alone set
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<ReturnRoutes> return_routes_;
  TimePoint next_shard_tick_;
  std::uint64_t unremembered_term_ = 0;  ///< the disk has yet to take it; 0: none
  bool released_ = false;
  std::uint64_t steering_failures_ = 0;
  std::string scheduling_;
  std::uint64_t cleared_ = 0;
  std::uint64_t bindings_cleared_ = 0;
  std::vector<NatPoolStatus> cleared_pools_;  ///< what the pools' counters were when they were cleared
};

}  // namespace icr::node
