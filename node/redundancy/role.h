// Decides who is master of a redundancy set: a state machine whose inputs are the reports of the peer and the time.
//
// Claims. Before a member is master of a term, it claims the term (RoleOutput::claim). If the answer takes time, the
// member is CLAIMING: it goes on as what it was, and becomes master when the claim is granted. It withdraws the claim
// when the reason for it is gone, for example because the master is heard again. A refused claim is made again from
// time to time.
//
// Terms. Each member takes only terms of its own parity (term % 2 == index), and always one above every term it has
// heard of. So two members can never be master in the same term, and the member that took over last has the highest
// term. A master that meets a higher term yields.
//
// Every change of role that the machine can make is in the table of role_transitions.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "model/record/role.h"
#include "node/redundancy/claimant.h"
#include "node/redundancy/role_transitions.h"

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
  Duration claim_retry = 200ms;     ///< how long after a refusal a claim is made again
};

/// Receives the decisions of the state machine, which calls it from inside its functions. REQUIRES: an implementation
/// does not call back into the machine.
class RoleOutput {
 public:
  virtual ~RoleOutput() = default;
  /// Claims mastership of `term`, in place of the claim that is open, if there is one. Returns `granted` if nothing has
  /// to be waited for: the member then acts in the term at once. After `pending`, the owner hands the answer to
  /// RoleMachine::on_claim(). Not called for a stand-alone set.
  virtual ClaimAnswer claim(std::uint64_t term) = 0;
  /// Tells that the member, which was not master, waits for the answer to its claim of `term`, or for another try.
  virtual void on_claiming(std::uint64_t term) = 0;
  /// Tells that the open claim is not wanted any more, and that the member is back in the role that it had before.
  virtual void withdraw_claim() = 0;
  /// Requests that `term`, in which the member is about to act, be persisted. Must not block: the term is on disk soon
  /// after (docs/replication.md).
  virtual void persist_term(std::uint64_t term) = 0;
  /// Tells that the member is master in `term`, also if it was master before and goes on in a new term.
  virtual void on_master(std::uint64_t term) = 0;
  /// Tells that the member is standby, also if it was standby before and its master is in a new term.
  virtual void on_standby(std::uint64_t term) = 0;
  /// Attracts the traffic again, because another master was met and will yield, or a peer is back that may have been
  /// master.
  virtual void on_reassert(std::uint64_t term) = 0;
  /// Tells that a switchover is under way (`active`), or that it is over (before on_standby()) or was called off.
  virtual void on_handing_over(bool active) = 0;
};

class RoleMachine {
 public:
  /// `restored_term` is the highest term that was persisted, 0 if none was. `whole` says that all of the state of that
  /// term was restored; otherwise that state is worth no more than none in an election. `claimed` is the highest term
  /// that a former life claimed, 0 if it claimed none: that life may have acted in the term, so this life does not, but
  /// the claim proves no state. `output` must outlive the machine.
  RoleMachine(const RoleConfig& config, std::uint64_t restored_term, RoleOutput& output, TimePoint now,
              bool whole = true, std::uint64_t claimed = 0);

  // Inputs.
  /// Acts by another configuration from now on: its priority, preemption and times. REQUIRES: index and stand_alone
  /// stay as they are.
  void set_config(const RoleConfig& config);
  void on_peer(TimePoint now, const PeerReport& report);
  /// Tells that the connection of the peer is closed, or, with `silent`, that the peer has not been heard for too long.
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
  /// Reports the answer to the claim of `term`. One for a term that is not claimed any more is counted and has no
  /// effect.
  void on_claim(TimePoint now, std::uint64_t term, bool granted);
  /// Reports, during a switchover, that the peer has acknowledged everything that it must know.
  void on_drained(TimePoint now);
  void tick(TimePoint now);
  /// Returns true when the master is to offer mastership to its standby now. Call it after tick(). Each offer is taken
  /// once, and is due again after an interval.
  [[nodiscard]] bool take_offer(TimePoint now);
  /// Handles a command of the operator. The master begins a switchover; the standby requests one from the master. With
  /// `force`, a master also hands over to a standby that is warned; never to one that is ill or not hot.
  [[nodiscard]] Result<void> request_switchover(TimePoint now, bool force = false);

  // State.
  [[nodiscard]] TimePoint next_deadline() const;
  [[nodiscard]] Role role() const { return claiming() && role_ != Role::master ? Role::claiming : role_; }
  /// Returns the role in which the member acts: never `claiming`.
  [[nodiscard]] Role acting_role() const { return role_; }
  /// Returns true while a claim is open, also that of a master that will go on in a new term.
  [[nodiscard]] bool claiming() const { return claim_.has_value(); }
  /// Returns the term that is claimed, 0 if none is.
  [[nodiscard]] std::uint64_t claimed_term() const { return claim_ ? claim_->term : 0; }
  [[nodiscard]] Sync sync() const { return sync_; }
  /// Returns the term of a master, and otherwise the highest term that is known.
  [[nodiscard]] std::uint64_t term() const { return role_ == Role::master ? term_ : highest_; }
  [[nodiscard]] std::uint64_t state_term() const { return state_term_; }
  [[nodiscard]] bool handing_over() const { return handover_ != Handover::none; }
  [[nodiscard]] bool draining() const { return handover_ == Handover::draining; }
  /// Returns true while this master offers mastership to its standby.
  [[nodiscard]] bool offering() const { return handover_ == Handover::offered; }
  [[nodiscard]] bool asks_switchover() const { return asks_; }
  [[nodiscard]] bool peer_present() const { return peer_present_; }
  [[nodiscard]] const PeerReport& peer() const { return peer_; }
  /// Returns true if the peer is the master that this standby follows.
  [[nodiscard]] bool follows_peer() const {
    return role_ == Role::standby && peer_present_ && peer_.role == Role::master && peer_.term >= highest_;
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] TimePoint changed_at() const { return changed_at_; }
  /// How a standby became master.
  struct Takeover {
    RoleCause cause = RoleCause::peer_silent;
    bool hot = false;      ///< its copy was complete
    TimePoint decided_at;  ///< when it began to claim mastership
  };
  /// Returns how this member became master, if it was standby before; nullopt if it was not. Valid in on_master().
  [[nodiscard]] const std::optional<Takeover>& takeover() const { return takeover_; }

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
    std::uint64_t claims = 0;
    std::uint64_t claims_refused = 0;
    std::uint64_t claims_withdrawn = 0;
    std::uint64_t claims_answered_late = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  void append_to(CounterList& out) const;

 private:
  enum class Handover : std::uint8_t { none, draining, offered };
  struct Claim {
    RoleCause cause = RoleCause::stand_alone;  ///< why mastership is wanted now: it decides when the claim is withdrawn
    RoleCause first_cause = RoleCause::stand_alone;  ///< why it was claimed, which is what is shown
    std::uint64_t term = 0;
    TimePoint since;  ///< when this member began to claim mastership, perhaps of another term
    bool refused = false;
    TimePoint retry_at;     ///< after a refusal
    TimePoint offer_until;  ///< RoleCause::offered: the offer counts until this time
  };

  /// Claims mastership, or goes on with the claim that is open, and becomes master if the claim is granted at once.
  void seek_mastership(TimePoint now, RoleCause cause);
  /// Acts on a granted claim.
  void become_master(TimePoint now);
  void on_refusal(TimePoint now);
  /// Withdraws the open claim, if there is one, because of `cause`. The member returns to the role in which it acts.
  void withdraw(TimePoint now, RoleCause cause);
  /// Does so if the claim was made for one of the causes `made_for`.
  void withdraw_if(TimePoint now, std::initializer_list<RoleCause> made_for, RoleCause cause);
  void drop_claim();
  void note(TimePoint now, RoleCause cause);
  void count_takeover(RoleCause cause);
  [[nodiscard]] std::uint64_t next_own_term() const;
  void review_claim(TimePoint now);
  void follow(TimePoint now, RoleCause cause);
  void yield(TimePoint now);
  void elect(TimePoint now);
  [[nodiscard]] bool outranks_peer() const;
  [[nodiscard]] Result<void> begin_handover(TimePoint now, bool force = false);
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
  std::uint64_t former_claim_;  ///< highest term that a former life of this member claimed
  std::optional<Claim> claim_;
  std::optional<Takeover> takeover_;
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
