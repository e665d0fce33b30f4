// Decides who is master of a redundancy set: a state machine whose inputs are the reports of the peer and the time.
//
// Terms. Each member takes only terms of its own parity (term % 2 == index), and always one above every term it has
// heard of. So two members can never be master in the same term, and the member that took over last has the highest
// term. A master that meets a higher term yields.
#pragma once

#include <cstdint>
#include <string>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "model/record/role.h"

namespace icr::node {

/// The state that the peer reports in a heartbeat.
struct PeerReport {
  std::uint64_t term = 0;  ///< highest term it knows; its own while it is master
  Role role = Role::initializing;
  Sync sync = Sync::off;
  std::uint32_t priority = 0;
  std::uint64_t state_term = 0;  ///< newest term of which it holds a complete state
  bool warned = false;           ///< it should not become master without need
  bool ill = false;              ///< it cannot do the work of a master (health.h)
  bool asks_switchover = false;
};

struct RoleConfig {
  std::uint8_t index = 0;  ///< 0 or 1: place in RedundancySet::members
  std::uint32_t priority = 100;
  bool stand_alone = false;
  bool preempt = false;
  Duration hold_time = 3s;
  Duration handover_deadline = 2s;  ///< a switchover that is not accepted within this time is called off
  Duration offer_interval = 50ms;   ///< how often an offer is repeated
  Duration ill_grace = 200ms;       ///< how long a hot, healthy standby waits for an ill master to hand over
};

/// Receives the decisions of the state machine, which calls it from inside its functions. REQUIRES: an implementation
/// does not call back into the machine.
class RoleOutput {
 public:
  virtual ~RoleOutput() = default;
  /// Requests that `term`, in which the member is about to act, be persisted. Must not block: the term is on disk soon
  /// after (docs/replication.md).
  virtual void persist_term(std::uint64_t term) = 0;
  /// Also called for a master that goes on in a new term.
  virtual void on_master(std::uint64_t term) = 0;
  /// Also called for a standby whose master is in a new term.
  virtual void on_standby(std::uint64_t term) = 0;
  /// Attracts the traffic again, because another master was met and will yield, or a peer is back that may have been
  /// master.
  virtual void on_reassert(std::uint64_t term) = 0;
  /// True: a switchover is under way; false: it is over (called before on_standby) or was called off.
  virtual void on_handing_over(bool active) = 0;
};

class RoleMachine {
 public:
  /// `restored_term`: highest term that was persisted, 0 if none. `whole`: all of that term's state was restored;
  /// otherwise it is worth no more than none in an election. `output` must outlive the machine.
  RoleMachine(const RoleConfig& config, std::uint64_t restored_term, RoleOutput& output, TimePoint now,
              bool whole = true);

  // Inputs.
  void on_peer(TimePoint now, const PeerReport& report);
  /// The peer's connection is closed (`silent` false) or it has not been heard for too long (`silent` true).
  void on_peer_lost(TimePoint now, bool silent);
  /// Tells that a starting member must not become master by the end of its hold time before `until`, because there is a
  /// peer whose messages it cannot decode.
  void hold(TimePoint now, TimePoint until, std::string reason);
  /// Reports the progress of this member's copy while it is standby.
  void on_sync(TimePoint now, Sync sync);
  /// Reports that the master offers mastership, and that everything it named has been applied.
  void on_offer(TimePoint now, std::uint64_t term);
  /// Sets the state of this member. `ill`: it cannot do the work of a master. `warned`: it should not become master
  /// without need.
  void on_condition(TimePoint now, bool ill, bool warned);
  /// Reports, during a switchover, that the peer has acknowledged everything that it must know.
  void on_drained(TimePoint now);
  void tick(TimePoint now);
  /// Returns true when the master is to offer mastership to its standby now. Call it after tick(). Each offer is taken
  /// once, and is due again after an interval.
  [[nodiscard]] bool take_offer(TimePoint now);
  /// Handles a command of the operator. The master begins a switchover; the standby requests one from the master.
  [[nodiscard]] Result<void> request_switchover(TimePoint now);

  // State.
  [[nodiscard]] TimePoint next_deadline() const;
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Sync sync() const { return sync_; }
  /// Master: its term. Otherwise the highest term known.
  [[nodiscard]] std::uint64_t term() const { return role_ == Role::master ? term_ : highest_; }
  [[nodiscard]] std::uint64_t state_term() const { return state_term_; }
  [[nodiscard]] bool handing_over() const { return handover_ != Handover::none; }
  [[nodiscard]] bool draining() const { return handover_ == Handover::draining; }
  [[nodiscard]] bool asks_switchover() const { return asks_; }
  [[nodiscard]] bool peer_present() const { return peer_present_; }
  [[nodiscard]] const PeerReport& peer() const { return peer_; }
  /// Returns true if the peer is the master that this standby follows.
  [[nodiscard]] bool follows_peer() const {
    return role_ == Role::standby && peer_present_ && peer_.role == Role::master && peer_.term >= highest_;
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] TimePoint changed_at() const { return changed_at_; }

  struct Counters {
    std::uint64_t became_master = 0;
    std::uint64_t became_standby = 0;
    std::uint64_t took_over_hot = 0;
    std::uint64_t took_over_cold = 0;
    std::uint64_t dual_master = 0;
    std::uint64_t switchovers_started = 0;
    std::uint64_t switchovers_refused = 0;
    std::uint64_t switchovers_called_off = 0;
    std::uint64_t switchovers_done = 0;
    std::uint64_t preempt_requests = 0;
    std::uint64_t given_up_ill = 0;
    std::uint64_t taken_from_ill = 0;
    std::uint64_t offers_refused = 0;
    std::uint64_t term_raised = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  void append_to(CounterList& out) const;

 private:
  enum class Handover : std::uint8_t { none, draining, offered };

  void take_mastership(TimePoint now, std::string reason);
  void follow(TimePoint now, std::string reason);
  void yield(TimePoint now);
  void elect(TimePoint now);
  [[nodiscard]] bool outranks_peer() const;
  [[nodiscard]] Result<void> begin_handover(TimePoint now);
  void end_handover(bool called_off);
  void update_preemption(TimePoint now);
  void give_up_if_ill(TimePoint now);
  void claim_from_ill(TimePoint now);

  RoleConfig config_;
  RoleOutput& output_;
  Role role_ = Role::initializing;
  Sync sync_ = Sync::off;
  std::uint64_t term_ = 0;     ///< as master
  std::uint64_t highest_ = 0;  ///< highest term heard of
  std::uint64_t state_term_ = 0;
  PeerReport peer_;
  bool peer_present_ = false;
  std::uint64_t reasserted_against_ = 0;  ///< term of the last lower master that was met
  TimePoint hold_until_;
  Handover handover_ = Handover::none;
  TimePoint handover_until_;
  TimePoint next_offer_;
  TimePoint asked_handover_not_before_;
  bool asks_ = false;
  TimePoint asks_until_;  ///< the command of the operator is dropped at this time
  TimePoint hot_since_;
  bool ill_ = false;
  bool warned_ = false;
  TimePoint well_since_;
  TimePoint give_up_not_before_;
  TimePoint claim_at_ = TimePoint::max();  ///< when this member takes mastership from an ill master; max if it does not
  std::string reason_ = "started";
  TimePoint changed_at_;
  Counters counters_;
};

}  // namespace icr::node
