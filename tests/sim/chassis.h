// A whole chassis without threads, sockets and disks: engine, shard, redundancy member, checkpointer and a store in
// memory. It can crash and start again; the store survives that.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/cluster.h"
#include "node/flow/engine.h"
#include "node/flow/shard.h"
#include "node/redundancy/member.h"
#include "storage/checkpointer.h"
#include "storage/memory_store.h"
#include "support/virtual_wire.h"

namespace icr::sim {

class Chassis;

/// Hears what a chassis decides.
class ChassisWatcher {
 public:
  virtual ~ChassisWatcher() = default;
  virtual void on_master(Chassis& chassis, std::uint64_t term) = 0;
  virtual void on_standby(Chassis& chassis, std::uint64_t term) = 0;
  /// The traffic is drawn to this chassis.
  virtual void on_draw(Chassis& chassis) = 0;
};

class Chassis final : private node::MemberOutput, private ChangeListener {
 public:
  Chassis(const Cluster& cluster, std::uint16_t index, std::mt19937_64& random, ChassisWatcher& watcher);

  void start(TimePoint now);
  /// The process dies. Of what was not durable on disk, the first `keep` records survive.
  void crash(std::size_t keep);
  [[nodiscard]] bool up() const { return member_ != nullptr; }
  [[nodiscard]] bool active() const { return up() && shard_->active(); }

  /// One round of the worker, after messages were handed in.
  void run(TimePoint now);
  void on_control(TimePoint now, std::span<const std::uint8_t> message);
  void on_data(TimePoint now, std::span<const std::uint8_t> message);
  /// One packet through the engine; it is rewritten in place.
  void process(TimePoint now, node::Packet& packet, node::PacketSink& out);

  [[nodiscard]] node::RedundancyMember& member() { return *member_; }
  [[nodiscard]] node::MemberStatus status() const { return member_->status(); }
  [[nodiscard]] const node::Shard& shard() const { return *shard_; }
  [[nodiscard]] const Cluster& cluster() const { return cluster_; }
  [[nodiscard]] storage::MemoryStore& store() { return store_; }
  [[nodiscard]] std::uint16_t index() const { return index_; }
  [[nodiscard]] std::uint64_t boot() const { return boot_; }
  /// The disk has taken the last term.
  [[nodiscard]] bool term_persisted() const { return term_persisted_; }
  [[nodiscard]] std::size_t checkpoint_backlog() const { return checkpointer_ ? checkpointer_->backlog() : 0; }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const;
  /// Slots that changed since the last call.
  [[nodiscard]] std::set<std::uint32_t> take_changed_slots() { return std::exchange(changed_slots_, {}); }

  test::VirtualWire control;  ///< towards the peer
  test::VirtualWire data;
  bool data_blocked = false;  ///< the link takes nothing
  bool paused = false;        ///< the process is stopped: nothing runs, messages wait
  bool peer_answers = true;   ///< the kernel of the peer's machine answers probes

 private:
  bool send_control(std::span<const std::uint8_t> message) override;
  bool send_data(std::span<const std::uint8_t> message) override;
  void persist_term(std::uint64_t term) override;
  void become_master(std::uint64_t term) override;
  void become_standby(std::uint64_t term) override;
  void reassert_master(std::uint64_t term) override;
  void handing_over(bool active) override;
  void probe(const IpAddress& address, std::uint64_t nonce) override;
  void changed(std::uint32_t slot, Change change) override;

  const Cluster& cluster_;
  std::uint16_t index_;
  std::mt19937_64& random_;
  ChassisWatcher& watcher_;
  storage::MemoryStore store_;
  std::unique_ptr<storage::DirectOutput> disk_;
  std::unique_ptr<node::Shard> shard_;
  std::unique_ptr<node::Engine> engine_;
  std::unique_ptr<node::RedundancyMember> member_;
  std::unique_ptr<storage::Checkpointer> checkpointer_;
  std::set<std::uint32_t> changed_slots_;
  std::uint64_t boot_ = 0;
  bool term_persisted_ = false;
  std::optional<std::uint64_t> probed_;  ///< the last probe that the peer's machine has yet to answer
  TimePoint now_;
  TimePoint next_shard_tick_;
};

/// The wall clock of the simulation.
[[nodiscard]] WallMillis wall(TimePoint now);

}  // namespace icr::sim
