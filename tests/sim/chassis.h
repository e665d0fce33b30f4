// A whole chassis without threads, sockets and disks: an engine and a SetCore, as a card's worker runs them, with a
// network, a disk and a kernel that are simulated. It can crash and start again, and stop to start with another commit;
// the store survives that.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/config/cluster.h"
#include "node/flow/engine.h"
#include "node/flow/shard.h"
#include "node/set/set_core.h"
#include "tests/sim/commit_host.h"
#include "tests/sim/key_service.h"
#include "tests/sim/report_oracle.h"
#include "tests/sim/slow.h"
#include "tests/support/memory_store.h"
#include "tests/support/virtual_wire.h"

namespace icr::sim {

class Chassis;

/// Hears what a chassis decides.
class ChassisWatcher {
 public:
  virtual ~ChassisWatcher() = default;
  virtual void on_master(Chassis& chassis, std::uint64_t term) = 0;
  virtual void on_standby(Chassis& chassis, std::uint64_t term) = 0;
  /// The chassis claims `term` and waits; or, 0, it claims no more.
  virtual void on_claim(Chassis& chassis, std::uint64_t term) = 0;
  /// The traffic is drawn to this chassis.
  virtual void on_draw(Chassis& chassis) = 0;
  /// A packet leaves that had to wait until the peer knew what it changed.
  virtual void on_release(Chassis& chassis, const node::Packet& packet) = 0;
};

class Chassis final : private node::SetOutput, private ChangeListener, private node::PacketSink {
 public:
  Chassis(std::shared_ptr<const Snapshot> snapshot, std::uint16_t index, std::mt19937_64& random,
          ChassisWatcher& watcher);

  /// The process starts. `damaged`: the disk has changed a bit of what was written, if there is something.
  void start(TimePoint now, bool damaged = false);
  /// The sets stop, to start again with the newest commit. Returns true if the disk has taken the last
  /// checkpoint; one that fails may lose it all the same.
  bool stop(TimePoint now);
  void restart(TimePoint now);
  /// The process dies. Of what was not durable on disk, the first `keep` records survive.
  void crash(std::size_t keep);
  /// The chassis' thread compiles what commits.next() says, and gives it to the worker, which takes it before its next
  /// round at `at` or later.
  void give(TimePoint at);
  /// Returns true while the worker has yet to take it. The chassis' thread waits for that.
  [[nodiscard]] bool given() const { return update_.has_value(); }
  [[nodiscard]] bool take_due(TimePoint now) const { return update_ && now >= update_->at; }
  /// The worker takes it. REQUIRES: take_due().
  void take(TimePoint now);
  [[nodiscard]] bool up() const { return core_ != nullptr; }
  [[nodiscard]] bool active() const { return up() && shard_->active(); }

  /// One round of the worker, after messages were handed in.
  void run(TimePoint now);
  void on_message(TimePoint now, replication::Channel channel, std::span<const std::uint8_t> message);
  /// The kernel guard finds that an interface has lost its link (`ill`), or that nothing is wrong.
  void set_ill(TimePoint now, bool ill);
  /// One packet through the engine; it is rewritten in place.
  void process(TimePoint now, node::Packet& packet, node::PacketSink& out);

  [[nodiscard]] node::SetCore& core() { return *core_; }
  [[nodiscard]] const node::RedundancyMember& member() const { return core_->member(); }
  [[nodiscard]] node::MemberStatus status() const { return core_->member().status(); }
  [[nodiscard]] const node::Shard& shard() const { return *shard_; }
  [[nodiscard]] const node::Engine& engine() const { return *engine_; }
  [[nodiscard]] const std::deque<FailoverReport>& failovers() const { return core_->failovers().reports(); }
  /// Returns what this life has changed and said; if the chassis is down, the last one.
  [[nodiscard]] const LifeLog& life() const { return life_; }
  /// Returns the number of slots of sessions, also of a life that has ended.
  [[nodiscard]] std::uint32_t table_size() const { return table_size_; }
  /// Returns the cluster file that the sets run with.
  [[nodiscard]] const Cluster& cluster() const { return commits.cluster(); }
  [[nodiscard]] storage::MemoryStore& store() { return store_; }
  /// The disk fails every write, or works (again).
  void set_disk(TimePoint now, bool works);
  /// When the disk began to work; max while it fails.
  [[nodiscard]] TimePoint disk_works_since() const { return disk_works_since_; }
  [[nodiscard]] std::uint16_t index() const { return index_; }
  [[nodiscard]] std::uint64_t boot() const { return boot_; }
  /// The disk has `term`, as one in which the member has acted.
  [[nodiscard]] bool term_persisted(std::uint64_t term) const;
  /// The disk has `term`, at least as claimed.
  [[nodiscard]] bool term_kept(std::uint64_t term) const;
  /// Nothing of what the disk had was found damaged at the start.
  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] const SlowDisk& disk() const { return *disk_; }
  [[nodiscard]] std::size_t checkpoint_backlog() const { return up() ? core_->checkpointer()->backlog() : 0; }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const;
  /// Slots that changed since the last call.
  [[nodiscard]] std::set<std::uint32_t> take_changed_slots() { return std::exchange(changed_slots_, {}); }

  CommitHost commits;
  test::VirtualWire control;  ///< towards the peer
  test::VirtualWire data;
  bool data_blocked = false;       ///< the data connection takes nothing
  bool control_blocked = false;    ///< neither does the other one
  bool paused = false;             ///< the process is stopped: nothing runs, messages wait
  std::unique_ptr<KeyClient> key;  ///< of the witness that gives the right to act; null: there is none
  Witness witness;                 ///< it must agree before this chassis becomes master
  Duration slowest_claim{};        ///< so long the disk takes for a claimed term, at most
  int blocks_reported = 0;         ///< allocated less released, so far in this life
  bool peer_answers = true;        ///< the kernel of the peer's machine answers probes

 private:
  // -- SetOutput --
  bool send(replication::Channel channel, std::span<const std::uint8_t> message) override;
  void probe(const IpAddress& address, std::uint64_t nonce) override;
  [[nodiscard]] TimePoint time() override { return now_; }
  bool acquire_traffic() override;
  void release_traffic() override {}  // the network goes on sending here until another chassis draws the traffic
  void announce_again(std::uint64_t term) override;
  bool take_packet(std::uint32_t, const replication::RelayedPacket&) override { return false; }  // nothing is relayed
  void report_role(Role role, std::uint64_t term) override;
  void report_claim(std::uint64_t term) override { watcher_.on_claim(*this, term); }
  void report_handover(bool) override {}
  void report_failover(const FailoverReport&, bool) override {}
  void report_block(const node::BlockEvent& event) override { event.allocated ? ++blocks_reported : --blocks_reported; }

  void changed(std::uint32_t slot, Change change) override;
  // -- PacketSink: packets that waited --
  void send(const node::Packet& packet) override { watcher_.on_release(*this, packet); }
  void begin(TimePoint now, bool damaged);
  void end(std::size_t keep);

  /// What the worker is given while it runs, and when it takes it.
  struct Update {
    TimePoint at;
    node::ShardUpdate shard;
    node::EngineUpdate engine;
  };

  std::uint16_t index_;
  std::mt19937_64& random_;
  ChassisWatcher& watcher_;
  mutable storage::MemoryStore store_;  ///< reading it changes nothing
  std::unique_ptr<SlowDisk> disk_;
  std::unique_ptr<node::Shard> shard_;
  std::unique_ptr<node::Engine> engine_;
  std::unique_ptr<node::SetCore> core_;
  std::optional<Update> update_;
  std::set<std::uint32_t> changed_slots_;
  LifeLog life_;
  std::uint32_t table_size_ = 0;
  std::uint64_t boot_ = 0;
  bool whole_ = true;
  std::optional<std::uint64_t> probed_;  ///< the last probe that the peer's machine has yet to answer
  TimePoint disk_works_since_ = TimePoint::min();
  TimePoint now_;
};

/// The wall clock of the simulation.
[[nodiscard]] WallMillis wall(TimePoint now);

}  // namespace icr::sim
