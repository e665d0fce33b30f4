// One member of a redundancy set on one chassis: roles, liveness and both halves of replication, without I/O.
//
// The owner (a card's worker, or a simulation) hands in messages, connection events and the time, and carries out what
// the member decides (MemberOutputs). Thread: the one that owns the table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/base/counters.h"
#include "model/config/cluster.h"
#include "model/record/change_listener.h"
#include "model/record/peer_copy.h"
#include "model/record/session.h"
#include "node/redundancy/acting_right.h"
#include "node/redundancy/commit_beacon.h"
#include "node/redundancy/configuration_check.h"
#include "node/redundancy/copy_watch.h"
#include "node/redundancy/detector.h"
#include "node/redundancy/health.h"
#include "node/redundancy/peer_boots.h"
#include "node/redundancy/role.h"
#include "node/redundancy/takeover.h"
#include "replication/merge.h"
#include "replication/protocol.h"
#include "replication/receiver.h"
#include "replication/sender.h"

namespace icr::node {

/// What a member remembers of its former life, and its name in the present one.
struct MemberStart {
  std::uint64_t boot_id = 0;  ///< a random number of this process, not 0
  std::uint64_t term = 0;     ///< highest term that was persisted, 0 if none
  std::uint64_t claimed = 0;  ///< highest term that a former life claimed, 0 if none
  bool whole = true;          ///< all of that term's state was restored
  replication::SenderLimits stream{};
  const CommitBeacon* commits = nullptr;  ///< what heartbeats say about commits; null: nothing
  ActingRight* right = nullptr;           ///< with a witness; null: without. It outlives the member
  std::optional<Duration> age{};          ///< of the counters and idle times that were restored; nullopt: not known
};

/// What a member speaks to. It calls these from inside its functions; they must not call back into it, and must outlive
/// it.
struct MemberOutputs {
  RoleOutput& decisions;      ///< hears what the role machine decided, after the member has done its own part
  replication::Outlet& link;  ///< a heartbeat that could not be sent is not repeated; everything else is
  ProbeOutput& probes;        ///< sends echo requests to the peer's machine; answers go to on_probe_answer()
};

/// Reasons for which a standby should not become master without need. They are also sent to the peer.
inline constexpr std::uint16_t kWarnExternal = 0x1;        ///< the owner said so (set_warning)
inline constexpr std::uint16_t kWarnRefusedRecords = 0x2;  ///< its table refused records of the present copy
inline constexpr std::uint16_t kWarnCapacity = 0x4;  ///< its table is of another size, and cannot follow the master's

/// What the peer says about its commits (CommitBeacon).
struct PeerCommit {
  std::uint64_t number = 0;
  std::uint64_t running = 0;
  bool waits = false;
};

/// Everything that can be told about a member, for the CLI.
struct MemberStatus {
  Role role = Role::initializing;
  Sync sync = Sync::off;
  bool stand_alone = false;
  bool handing_over = false;
  bool merging = false;  ///< standby: sends the master first what that cannot know
  std::uint64_t term = 0;
  std::uint64_t claimed_term = 0;  ///< the term whose claim is open, also that of a master; 0: none is
  std::uint32_t priority = 0;
  std::uint16_t warnings = 0;  ///< kWarn* bits
  Health health;
  std::string reason;                    ///< reason of the last change of role
  TimePoint changed_at;                  ///< time of the last change of role
  std::string configuration_difference;  ///< from the peer's cluster file; empty: none is known

  bool connected = false;     ///< the control connection to the peer is up
  bool peer_present = false;  ///< it has been heard within the heartbeat timeout
  Role peer_role = Role::initializing;
  Sync peer_sync = Sync::off;
  std::uint16_t peer_warnings = 0;
  std::uint64_t peer_term = 0;      ///< highest term that the peer knows; its own if it is master
  std::uint32_t peer_priority = 0;  ///< configured priority, as the peer reports it
  TimePoint peer_heard_at;          ///< when a message of it was heard last; TimePoint() if never
  Health peer_health;               ///< as the peer reported it last
  PeerCommit peer_commit;           ///< as the peer reported it last
  DetectorStatus detector;          ///< state of the failure detector

  // Replication. As master: the stream to the peer; as standby: the one that is followed. Epoch 0: there is none.
  std::uint64_t epoch = 0;
  std::uint64_t sent = 0;           ///< last sequence number sent (master)
  std::uint64_t acknowledged = 0;   ///< last one acknowledged (master) or applied (standby)
  std::uint32_t pending_state = 0;  ///< sessions whose newest state has not been sent
  std::size_t unacknowledged_bytes = 0;
  std::size_t unacknowledged_records = 0;
  std::uint32_t oldest_change_us = 0;  ///< for how long the oldest change has not been acknowledged; 0: there is none
  bool copying = false;                ///< master: the copy for the standby is on its way
  std::uint32_t copied_slots = 0;      ///< slots that it has walked over
  std::uint32_t slots_to_copy = 0;
  Duration copying_for{};
  replication::ComparedRanges compared;  ///< master: what the standby has compared of the last copy
};

class RedundancyMember : public ChangeListener, public PeerCopy, private RoleOutput {
 public:
  /// `set` and `chassis` are indices into `cluster`; the chassis must be a member of the set. `source` and `sink` are
  /// the two faces of the same table. All references must outlive the member. Nothing is sent or decided before the
  /// first tick().
  RedundancyMember(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis, const MemberStart& start,
                   const SessionSource& source, SessionSink& sink, const MemberOutputs& outputs, TimePoint now);
  ~RedundancyMember() override;

  /// Runs with another configuration from now on, and tells the peer. As long as the peer has not said that it runs the
  /// same, this member sends heartbeats by the shorter of both intervals and is as patient as the more patient one, so
  /// that neither calls the other dead because one of them has changed first. REQUIRES: `cluster` is arranged() for the
  /// one that the member runs with, has the same members in the set, and outlives the member.
  void take(TimePoint now, const Cluster& cluster, std::uint16_t set);

  /// Marks a slot that the engine has changed. Called in the middle of a packet.
  void changed(std::uint32_t slot, Change change) override { sender_.changed(slot, change); }

  // -- PeerCopy: what the peer knows of the table while this member is master --
  [[nodiscard]] bool complete() const override { return may_send() && sender_.complete(); }
  [[nodiscard]] std::uint64_t last_change() const override { return sender_.last_change(); }
  [[nodiscard]] std::uint64_t acknowledged_changes() const override { return sender_.acknowledged_changes(); }
  [[nodiscard]] bool has_newest(std::uint32_t slot) const override { return complete() && sender_.has_newest(slot); }
  void await(std::uint64_t change) override { sender_.await(change); }

  /// Takes one message from the peer, as it came: it may have any alignment, and nothing in it is trusted. `message` is
  /// not kept.
  void on_control(TimePoint now, std::span<const std::uint8_t> message);
  void on_data(TimePoint now, std::span<const std::uint8_t> message);
  /// Takes a message that came under the name by which the release of commit 39ebb76 knows the peer. Nothing in it is
  /// believed but that a program of that release runs at the peer, and that only while the peer is not heard and this
  /// member's connection to it is open: a forged message cannot open that connection.
  void on_former(TimePoint now, std::span<const std::uint8_t> message);
  /// Tell that this member's connection to the control socket of the peer was opened or closed. REQUIRES: messages that
  /// have arrived were handed in before.
  void on_peer_connected(TimePoint now);
  void on_peer_disconnected(TimePoint now);

  /// Reports the answer to the claim of `term` (RoleOutput::claim).
  void on_claim(TimePoint now, std::uint64_t term, bool granted) { role_.on_claim(now, term, granted); }
  /// Tells that the peer's machine has answered a probe.
  void on_probe_answer(TimePoint now, std::uint64_t nonce) { detector_.on_probe_answer(now, nonce); }
  /// Sets the addresses, other than virtual ones, at which the kernel of this machine answers on the service networks.
  /// Heartbeats report them to the peer, which probes them when this member is silent.
  void set_addresses(std::vector<IpAddress> addresses) { addresses_ = std::move(addresses); }

  /// Handles timers, heartbeats and acknowledgements, and sends up to `budget_bytes` of replication. Call it after
  /// every burst of packets or messages, and at next_deadline() at the latest. REQUIRES: messages that have arrived
  /// were handed in before.
  void tick(TimePoint now, std::size_t budget_bytes);
  [[nodiscard]] TimePoint next_deadline() const;

  /// Returns true if the peer is the master that this standby follows, is heard, and takes packets that came here.
  [[nodiscard]] bool may_relay() const;
  /// Sends a packet that came to this standby to the master. Returns false if the link does not take it now; it is not
  /// kept. Packets have a queue of their own: in this direction, the data connection carries nothing else but a merge,
  /// during which may_relay() is false. REQUIRES: may_relay().
  [[nodiscard]] bool relay(const replication::RelayedPacket& packet);
  /// Returns the packet of the last message, if it was one that the peer, as standby, had for this member as master.
  /// Valid until the next message is handed in, and as long as that message lives.
  [[nodiscard]] std::optional<replication::RelayedPacket> take_relayed() {
    return std::exchange(relayed_, std::nullopt);
  }

  /// Begins a switchover to the peer, if this member is master; a standby asks its master for one. Returns an error
  /// with the reason if the peer is not there, or if the standby is not hot, is ill or (without `force`) warned.
  /// Success means that the switchover has begun.
  [[nodiscard]] Result<void> request_switchover(TimePoint now, bool force = false);
  /// Marks this member as one that should not become master without need, or takes that back.
  void set_warning(bool warned);
  /// Sets the health of this member, which is healthy until the first call. A change is sent to the peer at once; a
  /// call without a change costs nothing.
  void set_health(TimePoint now, const Health& health);

  [[nodiscard]] Role role() const { return role_.role(); }
  [[nodiscard]] std::uint64_t term() const { return role_.term(); }
  [[nodiscard]] std::uint64_t claimed_term() const { return role_.claimed_term(); }
  /// Returns true if this member is master and has not offered mastership to its peer, so that it acts if it may.
  [[nodiscard]] bool wants_to_act() const { return role_.acting_role() == Role::master && !role_.offering(); }
  /// Returns the reason of the last change of role.
  [[nodiscard]] const std::string& reason() const { return role_.reason(); }
  /// Returns the process of the peer to which the member listens, 0 if it never heard one.
  [[nodiscard]] std::uint64_t peer_boot() const { return boots_.present(); }
  /// Returns true if the table is what the set has: that of the master, or a hot copy of a peer that was heard at most
  /// `silence` ago.
  [[nodiscard]] bool knows_table(TimePoint now, Duration silence) const {
    return role() == Role::master || (receiver_.sync() == Sync::hot && heard_ever_ && now - heard_at_ <= silence);
  }
  /// Returns true while the peer is heard.
  [[nodiscard]] bool hears_peer() const { return heard_ever_ && !peer_lost_told_; }
  /// Returns what became of the records of the former master that this member took over from, if that one has come back
  /// and sent those that this member could not know. Returns it once.
  [[nodiscard]] std::optional<replication::AdoptedCounts> take_merged() { return std::exchange(merged_, std::nullopt); }
  /// Returns what this member knew when it became master, if it was standby before; otherwise nullopt. Valid in
  /// RoleOutput::on_master().
  [[nodiscard]] const std::optional<Takeover>& takeover() const { return takeover_; }
  [[nodiscard]] MemberStatus status() const;
  void append_to(CounterList& out) const;

 private:
  /// After the connection closed, messages that the peer sent before may still be in this process' sockets. A hot
  /// standby gives them this long after the last one, and not longer than the limit, before it takes over.
  static constexpr Duration kDrainGrace = 2ms;
  static constexpr Duration kDrainLimit = 20ms;

  // -- RoleOutput: what the role machine's decisions mean for the rest of the member --
  ClaimAnswer claim(std::uint64_t term) override;
  void on_claiming(std::uint64_t term) override;
  void withdraw_claim() override;
  void persist_term(std::uint64_t term) override;
  void on_master(std::uint64_t term) override;
  void on_standby(std::uint64_t term) override;
  void on_reassert(std::uint64_t term) override;
  void on_handing_over(bool active) override;

  struct Counters {
    std::uint64_t control_messages = 0;
    std::uint64_t data_messages = 0;
    std::uint64_t former_names = 0;  ///< messages of this release under the name of a former one
    std::uint64_t heartbeats_sent = 0;
    std::uint64_t heartbeats_not_sent = 0;
    std::uint64_t heartbeats_overtaken = 0;
    std::uint64_t other_configuration = 0;  ///< heartbeats of a peer whose cluster file differs
    std::uint64_t other_boot = 0;
    std::uint64_t lower_term = 0;
    std::uint64_t higher_term = 0;
    std::uint64_t wrong_role = 0;
    std::uint64_t wrong_link = 0;
    std::uint64_t late_requests = 0;
    std::uint64_t offers_too_early = 0;
    std::uint64_t disconnects = 0;
    std::uint64_t addresses_refused = 0;  ///< which the peer told and nobody can be asked at
  };

  void on_message(TimePoint now, std::span<const std::uint8_t> bytes, bool data_link);
  bool accept_boot(std::uint64_t boot, std::uint64_t number);
  [[nodiscard]] bool warned(const replication::Heartbeat& beat) const;
  void hear(TimePoint now);
  bool accept_term(std::uint64_t term);
  void on_heartbeat(TimePoint now, const replication::Header& header, const replication::Heartbeat& beat);
  void on_stream_message(TimePoint now, const replication::Message& message);
  void on_feedback(TimePoint now, const replication::Message& message);
  void on_adopt(TimePoint now, const replication::Header& header, const replication::Adopt& adopt, bool data_link);
  void on_relayed(const replication::Header& header, const replication::RelayedPacket& packet, bool data_link);
  void merge(TimePoint now, std::size_t budget_bytes);
  void on_stranger(TimePoint now, const std::string& what);
  void on_configuration(const replication::Header& header, const replication::Configuration& configuration);
  void end_change_of_timing();
  void check_liveness(TimePoint now);
  void update_health(TimePoint now);
  void update_right();
  void send_heartbeat(TimePoint now);
  [[nodiscard]] bool told_all() const;
  void send_offer();
  void after_receiver(TimePoint now);
  [[nodiscard]] Takeover describe_takeover(const RoleMachine::Takeover& how) const;
  [[nodiscard]] CopyRisk describe_risk() const;
  [[nodiscard]] replication::Header header() const;
  [[nodiscard]] std::uint16_t warnings() const;
  [[nodiscard]] bool may_send() const;
  [[nodiscard]] std::uint32_t priority() const;

  const RedundancySet* set_;
  const SessionSource& source_;
  RoleOutput& decisions_;
  replication::Outlet& link_;
  replication::Header own_;
  /// A service set has a drain-time, so the peer may have sessions of a pool that this chassis does not know of,
  /// because it was down when the commit before came (model/config/drain.h).
  bool may_drain_;
  replication::MessageReader reader_;
  replication::MessageWriter writer_;
  replication::Sender sender_;
  replication::Receiver receiver_;
  replication::MergeSender merge_out_;
  replication::MergeReceiver merge_in_;
  CopyWatch copy_watch_;
  ConfigurationCheck configuration_;
  std::uint64_t master_in_ = 0;  ///< the term in which this member is master; 0 if it is not
  RoleMachine role_;
  std::optional<Takeover> takeover_;
  std::uint64_t former_boot_ = 0;  ///< the process that was master before this member, until it has sent what it had
  std::optional<replication::AdoptedCounts> merged_;

  // Liveness.
  bool connected_ = false;
  TimePoint closed_at_;  ///< when the connection was closed last
  bool heard_ever_ = false;
  TimePoint heard_at_;
  TimePoint heartbeat_at_;        ///< when a heartbeat was heard last
  bool peer_lost_told_ = true;    ///< the role machine knows that the peer is gone
  DetectorConfig timing_;         ///< by which the peer is judged
  DetectorConfig wanted_timing_;  ///< while timing_changes_: as the configuration says
  bool timing_changes_ = false;   ///< the peer may run with the former timing
  Duration heartbeat_interval_;
  Detector detector_;
  TimePoint last_tick_;
  bool stranger_told_ = false;  ///< the log says that the peer's messages are refused
  TimePoint former_until_;      ///< until then, heartbeats also go to the former release that was heard
  bool drain_grace_ = false;    ///< the connection is closed; what is still on its way in may arrive until ...
  TimePoint grace_until_;
  TimePoint grace_limit_;
  PeerBoots boots_;
  replication::Heartbeat peer_beat_;
  std::optional<replication::RelayedPacket> relayed_;  ///< of the message that is being handled
  /// The last heartbeat in which a master told of its lag.
  struct Told {
    replication::Lag lag;
    replication::Position stream;
    TimePoint at;
  };
  std::optional<Told> told_;

  TimePoint counters_until_;     ///< so long a handover waits for counters
  replication::Handover offer_;  ///< what the peer had acknowledged when mastership was offered to it
  std::uint64_t number_ = 0;
  TimePoint next_heartbeat_;
  bool heartbeat_now_ = false;
  bool external_warning_ = false;
  SteadyHealth health_;
  bool health_told_ = false;          ///< the log says that the member is ill
  std::vector<IpAddress> addresses_;  ///< of this machine
  const CommitBeacon* const commits_;
  ActingRight* const right_;
  const IpAddress peer_address_;  ///< on the inter-chassis network
  Counters counters_;
};

}  // namespace icr::node
