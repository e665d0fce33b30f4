// One redundancy set on one card, without I/O: its sessions, its role, its replication and its checkpoints.
//
//   engine --changes--> RedundancyMember --messages--> SetOutput --> peer
//              |--------> Checkpointer --records--> storage::CheckpointOutput
//   RedundancyMember --decisions--> Shard, then SetOutput: state first, traffic second.
//
// The owner (SetShell, or a simulation) hands in messages, events and the time, and carries out what the core decides.
// Thread: the one that owns the shard.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/config/cluster.h"
#include "node/flow/packet_relay.h"
#include "node/flow/shard.h"
#include "node/kernel/kernel_report.h"
#include "node/redundancy/acting_right.h"
#include "node/redundancy/address_probes.h"
#include "node/redundancy/claimant.h"
#include "node/redundancy/member.h"
#include "node/redundancy/role_history.h"
#include "node/set/failover_recorder.h"
#include "node/set/set_output.h"
#include "node/set/store_claimant.h"
#include "storage/checkpointer.h"

namespace icr::node {

class FailoverFiles;

/// What survived the last run of the chassis, for one set.
struct SetStart {
  std::uint64_t boot_id = 0;                  ///< random, not 0; each life of the process has another one
  std::uint64_t term = 0;                     ///< highest term on disk
  storage::CheckpointOutput* disk = nullptr;  ///< null: no checkpoints are kept
  std::uint64_t next_sequence = 1;            ///< of the checkpoint log
  bool whole = true;                          ///< nothing of that term's state was found damaged
  storage::CheckpointOptions checkpoints{};
  replication::SenderLimits stream{};
  std::uint64_t claimed = 0;  ///< highest term that a former run claimed, perhaps without acting in it
  /// The claimants that must grant a term before the member becomes master. Its disk is one more, and not in this list.
  /// They outlive the core.
  std::vector<Claimant*> claimants{};
  const CommitBeacon* commits = nullptr;    ///< what heartbeats say about commits; null: nothing
  std::vector<FailoverReport> failovers{};  ///< the reports that are on disk
  FailoverFiles* failover_files = nullptr;  ///< keeps reports; null: they end with the process
  WitnessKey* key = nullptr;  ///< the key of the set at its witness, which outlives the core; null: it has no witness
  std::optional<Duration> age{};  ///< of the counters and idle times that were restored; nullopt: not known
};

/// How much of each kind of work one round does before packets have their turn again.
struct RoundLimits {
  std::size_t messages = 0;  ///< that the owner hands in before the round
  std::size_t replication_bytes = 0;
  std::uint32_t checkpoint_rows = 0;
  std::uint32_t timers = 0;
  std::uint32_t told = 0;    ///< sessions that are looked at for counters of which the peer has yet to hear
  std::uint32_t shared = 0;  ///< sessions below the replication-threshold that are told to the peer before a handover
};
/// Limits of a round while no packets come.
inline constexpr RoundLimits kQuietRound{16, 512 * 1024, 2048, 64, 8192, 4096};
/// Limits of a round between bursts. Each part takes ten to thirty microseconds. A thousand sessions in a batch would
/// take 200 to 500, and packets that come meanwhile wait for all of it.
inline constexpr RoundLimits kBusyRound{4, 8 * 1024, 128, 16, 256, 128};

class SetCore final : private RoleOutput, private PacketRelay {
 public:
  /// `chassis` is the index of this chassis, which must be a member of the set of `shard`. `shard` holds what the
  /// checkpoint brought back, if anything. All references must outlive the core. Nothing is sent or decided before the
  /// first round.
  SetCore(const Cluster& cluster, std::uint16_t chassis, Shard& shard, const SetStart& start, SetOutput& output,
          TimePoint now);
  ~SetCore() override;

  // Inputs. What has arrived must be handed in before the round. Otherwise a round that comes late would count the time
  // in which messages waited as silence of the peer.

  /// Takes one message from the peer as it came: any alignment, nothing trusted. `message` is not kept. A control
  /// message counts as heard at SetOutput::time(), if that is later than `now`.
  void on_message(TimePoint now, replication::Channel channel, std::span<const std::uint8_t> message);
  /// Takes events of the own connection to the peer. Messages that have arrived must be handed in first.
  void on_connected(TimePoint now);
  void on_disconnected(TimePoint now);
  /// Takes the nonce of an answer to a probe.
  void on_probe_answer(TimePoint now, std::uint64_t nonce);
  /// Tells when the kernel had done what the last SetOutput::acquire_traffic() asked for.
  void on_steered(TimePoint at) { failovers_.on_steered(at); }
  /// Takes what the kernel guard found: a part of the health, and the addresses at which the peer can probe this
  /// machine.
  void on_kernel_report(TimePoint now, const KernelReport& report);
  /// Takes the probed addresses that do not answer.
  void on_probe_report(TimePoint now, std::vector<ProbeTrouble> troubles);
  /// Takes what the self-test found wrong, which is part of the health.
  void on_self_test(TimePoint now, std::vector<std::string> wrong);
  /// Runs with another configuration from now on; sessions, roles and streams stay. `update` is what Shard::prepare()
  /// made of `cluster`. REQUIRES: the set is the same in both configurations, but for values that may change while it
  /// runs; `cluster` is arranged() for the former one, and outlives the core.
  void take(TimePoint now, const Cluster& cluster, ShardUpdate& update);
  /// Marks this member as one that should not become master without need, or takes that back.
  void set_warning(bool warned) { member_.set_warning(warned); }
  /// Takes this member out of service at an operator's wish, or back into it: while it is drained it is ill, so that a
  /// master hands over to a hot and healthy standby, and a standby becomes master only if nobody else is left. A new
  /// process is not drained.
  void drain(TimePoint now, bool drained);
  [[nodiscard]] bool drained() const { return drained_; }
  /// Does what an operator wishes: RedundancyMember::request_switchover().
  [[nodiscard]] Result<void> request_switchover(TimePoint now, bool force = false);

  /// Does one round of everything but packets, in this order: first packets after a takeover, health, answer to an open
  /// claim, liveness and role, replication, session timers, log of port blocks, term, checkpoint. Returns true if there
  /// is more to do at once.
  bool round(TimePoint now, WallMillis wall_now, const RoundLimits& limits);
  /// Returns when round() is next needed if nothing arrives.
  [[nodiscard]] TimePoint next_deadline(TimePoint now) const;
  /// Lets go of the traffic and writes a last checkpoint. Returns true when that is done; otherwise call it again, but
  /// not for ever.
  bool shut_down(TimePoint now, WallMillis wall_now);

  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] const Shard& shard() const { return shard_; }
  [[nodiscard]] const Cluster& cluster() const { return *cluster_; }
  [[nodiscard]] const RedundancySet& config() const { return *config_; }
  /// Returns the index of this chassis.
  [[nodiscard]] std::uint16_t chassis() const { return chassis_; }
  [[nodiscard]] const RedundancyMember& member() const { return member_; }
  /// Returns the last changes of role, so that an operator sees why the member is in its role.
  [[nodiscard]] const RoleHistory& history() const { return history_; }
  /// Returns what the last takeovers of this member cost.
  [[nodiscard]] const FailoverRecorder& failovers() const { return failovers_; }
  /// Returns the checkpointer, or null if no checkpoints are kept.
  [[nodiscard]] const storage::Checkpointer* checkpointer() const { return checkpointer_.get(); }
  /// Returns true if this member is master, and has to wait until it may act (docs/witness.md).
  [[nodiscard]] bool fenced() const { return fenced_; }
  /// Returns in words how it stands with the witness; empty if the set has none.
  [[nodiscard]] std::string witness() const { return right_ ? right_->witness() : std::string(); }
  /// Returns true if the set has a witness that did not answer when it was asked last.
  [[nodiscard]] bool witness_fails() const { return right_ && right_->witness_fails(); }
  /// Returns what has yet to agree that this member becomes master, in words; empty if it does not claim mastership.
  [[nodiscard]] std::string awaited() const { return member_.claimed_term() == 0 ? std::string() : claims_.awaited(); }
  void append_to(CounterList& out) const;

 private:
  void take_answer(TimePoint now);
  void judge_health(TimePoint now);
  void report_blocks();
  void begin_report(std::uint64_t term, TimePoint active_at, bool steers);
  /// Looks whether what the open report of a takeover awaits has come with the packets before this round.
  void look_for_packets();
  void report_failovers(TimePoint now);
  void guard_right();
  void note_role(Role role, std::uint64_t term);
  /// Notes that a claim has ended without mastership, if one has. A member that claims again before the next round has
  /// ended one claim and begun another, and the history has both.
  void note_withdrawal();
  // -- RoleOutput --
  ClaimAnswer claim(std::uint64_t term) override;
  void on_claiming(std::uint64_t term) override;
  void withdraw_claim() override;
  void persist_term(std::uint64_t term) override;
  void on_master(std::uint64_t term) override;
  void on_standby(std::uint64_t term) override;
  void on_reassert(std::uint64_t term) override;
  void on_handing_over(bool active) override;
  // -- PacketRelay: packets that came to this chassis while it is standby --
  [[nodiscard]] Outcome relay(std::uint16_t service_set, bool inside, const Packet& packet) override;
  /// Takes a packet that came to the standby, while this chassis is master.
  void take_packet(const replication::RelayedPacket& packet);

  const Cluster* cluster_;
  const RedundancySet* config_;
  const std::uint16_t chassis_;
  Shard& shard_;
  SetOutput& output_;
  TimePoint now_;                                  ///< of the input or round that is being handled: for the callbacks
  std::unique_ptr<StoreClaimant> store_claimant_;  ///< null if no checkpoints are kept
  std::unique_ptr<ActingRight> right_;             ///< null if the set has no witness
  bool fenced_ = false;                            ///< it is master and may not act, and has let go of the traffic
  TimePoint acts_until_ = TimePoint::max();        ///< of a master that acts
  std::uint64_t fences_ = 0;                       ///< how often that began
  // Packets that came to the standby and were not taken here.
  std::uint64_t relayed_refused_ = 0;       ///< the configuration says that they are dropped
  std::uint64_t relayed_unknown_ = 0;       ///< they name a service set that is not of this redundancy set
  std::uint64_t relayed_without_room_ = 0;  ///< more than the owner takes in a round
  Claims claims_;
  RedundancyMember member_;
  RoleHistory history_;
  FailoverRecorder failovers_;
  std::uint64_t had_before_ = 0;      ///< sessions of the shard before its table became active
  std::uint64_t created_before_ = 0;  ///< sessions that the shard had set up before the takeover that is reported
  TimePoint round_at_;                ///< when the last round began, and the wall clock then
  WallMillis round_wall_ = 0;
  Role role_ = Role::initializing;            ///< the last one that was noted
  std::optional<RoleTransition> withdrawal_;  ///< the end of a claim that has not been noted yet
  std::unique_ptr<storage::Checkpointer> checkpointer_;
  storage::CheckpointOutput* disk_;
  KernelReport kernel_report_;
  std::vector<ProbeTrouble> probe_troubles_;
  std::vector<std::string> self_test_;  ///< what the self-test found wrong
  bool drained_ = false;
  bool store_fails_ = false;
  TimePoint next_shard_tick_;
  std::uint64_t unremembered_term_ = 0;  ///< the disk has yet to take it; 0: none
  bool released_ = false;
};

}  // namespace icr::node
