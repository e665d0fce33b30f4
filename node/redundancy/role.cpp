#include "node/redundancy/role.h"

#include <algorithm>
#include <utility>

#include "model/base/guilt.h"

namespace icr::node {
namespace {

/// So many offers in a row may be lost on their way before a standby that claims what was offered gives up.
constexpr int kOffersMissed = 4;

}  // namespace

RoleMachine::RoleMachine(const RoleConfig& config, std::uint64_t restored_term, RoleOutput& output, TimePoint now,
                         bool whole, std::uint64_t claimed)
    : config_(config),
      output_(output),
      highest_(restored_term),
      state_term_(whole ? restored_term : 0),
      former_claim_(claimed),
      hold_until_(now + config.hold_time),
      changed_at_(now) {}

/// Returns the smallest term above all others that is this member's by parity.
std::uint64_t RoleMachine::next_own_term() const {
  const std::uint64_t term = std::max(highest_, former_claim_) + 1;
  return term % 2 == config_.index ? term : term + 1;
}

void RoleMachine::note(TimePoint now, RoleCause cause) {
  reason_ = reason_of(cause);
  changed_at_ = now;
}

void RoleMachine::seek_mastership(TimePoint now, RoleCause cause) {
  if (!ICR_SHOULD(has_role_rule(role_, Role::master, cause))) return;
  const std::uint64_t term = next_own_term();
  if (claim_ && claim_->term == term && !(claim_->refused && now >= claim_->retry_at)) {
    claim_->cause = cause;
    return;
  }
  const bool fresh = !claim_;
  const RoleCause first = claim_ && claim_->term == term ? claim_->first_cause : cause;
  claim_ = Claim{cause, first, term, fresh ? now : claim_->since, false, {}, {}};
  ++counters_.claims;
  const ClaimAnswer answer = config_.stand_alone ? ClaimAnswer::granted : output_.claim(term);
  if (answer == ClaimAnswer::granted) {
    become_master(now);
    return;
  }
  if (answer == ClaimAnswer::refused) on_refusal(now);
  if (!fresh || role_ == Role::master) return;
  note(now, cause);
  output_.on_claiming(term);
}

void RoleMachine::on_claim(TimePoint now, std::uint64_t term, bool granted) {
  if (!claim_ || claim_->term != term || claim_->refused) {
    ++counters_.claims_answered_late;
    return;
  }
  granted ? become_master(now) : on_refusal(now);
}

void RoleMachine::on_refusal(TimePoint now) {
  ++counters_.claims_refused;
  claim_->refused = true;
  claim_->retry_at = now + config_.claim_retry;
}

void RoleMachine::drop_claim() {
  claim_.reset();
  ++counters_.claims_withdrawn;
  output_.withdraw_claim();
}

void RoleMachine::withdraw(TimePoint now, RoleCause cause) {
  if (!claim_) return;
  (void)ICR_SHOULD(has_role_rule(Role::claiming, role_, cause));
  note(now, cause);
  drop_claim();
}

void RoleMachine::withdraw_if(TimePoint now, std::initializer_list<RoleCause> made_for, RoleCause cause) {
  if (claim_ && std::find(made_for.begin(), made_for.end(), claim_->cause) != made_for.end()) withdraw(now, cause);
}

void RoleMachine::count_takeover(RoleCause cause) {
  if (role_ != Role::standby || cause == RoleCause::offered) return;
  ++(sync_ == Sync::hot ? counters_.took_over_hot : counters_.took_over_cold);
  if (cause == RoleCause::master_ill) ++counters_.taken_from_ill;
}

void RoleMachine::become_master(TimePoint now) {
  const Claim claim = *claim_;
  claim_.reset();
  if (handing_over()) end_handover(true);
  output_.persist_term(claim.term);
  count_takeover(claim.cause);
  takeover_.reset();
  if (role_ == Role::standby) takeover_ = Takeover{claim.cause, sync_ == Sync::hot, claim.since};
  if (role_ == Role::master) {
    ++counters_.term_raised;
  } else {
    ++counters_.became_master;
  }
  role_ = Role::master;
  sync_ = Sync::off;
  term_ = highest_ = state_term_ = claim.term;
  asks_ = false;
  claim_at_ = TimePoint::max();
  note(now, claim.first_cause);
  output_.on_master(claim.term);
}

void RoleMachine::follow(TimePoint now, RoleCause cause) {
  (void)ICR_SHOULD(has_role_rule(role_, Role::standby, cause));  // to follow is safe in any case
  if (handing_over()) end_handover(false);
  if (claim_) drop_claim();
  if (role_ != Role::standby) ++counters_.became_standby;
  role_ = Role::standby;
  sync_ = Sync::cold;
  asks_ = false;
  note(now, cause);
  output_.on_standby(highest_);
}

void RoleMachine::on_peer(TimePoint now, const PeerReport& report) {
  const std::uint64_t known = highest_;
  // It may have drawn traffic while it was out of sight, or until it yielded.
  const bool was_rival = !peer_present_ || peer_.role == Role::master;
  peer_ = report;
  peer_present_ = true;
  highest_ = std::max(highest_, report.term);
  switch (role_) {
    case Role::initializing:
      if (report.role == Role::master) {
        follow(now, RoleCause::peer_is_master);
      } else if (report.sync != Sync::hot) {
        elect(now);
      } else {
        // It hears from us that its master is gone, and takes over by itself.
        withdraw(now, RoleCause::peer_is_hot);
      }
      return;
    case Role::standby:
      if (report.role != Role::master) {
        elect(now);
      } else {
        withdraw_if(now, {RoleCause::peer_silent, RoleCause::connection_closed, RoleCause::peer_not_master},
                    RoleCause::master_heard);
        if (report.term >= highest_ && report.term > known) follow(now, RoleCause::new_term);
      }
      claim_from_ill(now);
      return;
    case Role::master:
      if (report.role == Role::master) {
        yield(now);
      } else if (report.term > term_) {
        seek_mastership(now, RoleCause::higher_term_known);
        if (claim_ && was_rival) output_.on_reassert(term_);
      } else if (was_rival) {
        output_.on_reassert(term_);
      } else if (report.asks_switchover && !handing_over() && now >= asked_handover_not_before_) {
        if (!begin_handover(now)) {
          ++counters_.switchovers_refused;
          asked_handover_not_before_ = now + config_.hold_time;
        }
      } else if (handing_over() && report.ill) {
        end_handover(true);
      }
      give_up_if_ill(now);
      return;
    case Role::claiming:
      break;
  }
}

/// Two masters met: the one in the lower term yields.
void RoleMachine::yield(TimePoint now) {
  if (peer_.term > term_) {
    if (handing_over()) {
      ++counters_.switchovers_done;
      follow(now, RoleCause::handed_over);
    } else {
      ++counters_.dual_master;
      follow(now, RoleCause::met_higher_term);
    }
    return;
  }
  // Once per lower term, not per heartbeat.
  if (peer_.term == reasserted_against_) return;
  reasserted_against_ = peer_.term;
  ++counters_.dual_master;
  output_.on_reassert(term_);
}

/// Neither is master: both members decide from the same facts, so they decide the same.
void RoleMachine::elect(TimePoint now) {
  if (outranks_peer()) {
    seek_mastership(now, role_ == Role::standby ? RoleCause::peer_not_master : RoleCause::elected);
  } else if (role_ == Role::initializing) {
    follow(now, RoleCause::peer_elected);
  } else {
    withdraw(now, RoleCause::peer_preferred);
  }
}

bool RoleMachine::outranks_peer() const {
  const bool hot = role_ == Role::standby && sync_ == Sync::hot;
  const bool peer_hot = peer_.role == Role::standby && peer_.sync == Sync::hot;
  if (hot != peer_hot) return hot;
  if (state_term_ != peer_.state_term) return state_term_ > peer_.state_term;
  // Sessions come first: of two with different states the better one wins even if it is ill, and hands over when the
  // other has them, too. Of two with the same state, the healthy one wins.
  if (ill_ != peer_.ill) return !ill_;
  // Both hold the state of one term: who was master in it has the newest.
  if (state_term_ != 0) return state_term_ % 2 == config_.index;
  if (config_.priority != peer_.priority) return config_.priority > peer_.priority;
  return config_.index == 0;
}

void RoleMachine::on_peer_lost(TimePoint now, bool silent) {
  peer_present_ = !silent && sync_ != Sync::hot;
  switch (role_) {
    case Role::initializing:
      return;  // the hold time decides
    case Role::standby:
      // A copy that is not complete is worth less than a master that may only have lost a connection.
      if (!silent && sync_ != Sync::hot) return;
      seek_mastership(now, silent ? RoleCause::peer_silent : RoleCause::connection_closed);
      return;
    case Role::master:
      peer_present_ = false;
      return;
    case Role::claiming:
      break;
  }
}

void RoleMachine::hold(TimePoint now, TimePoint until, std::string reason) {
  if (role_ != Role::initializing || config_.stand_alone) return;
  hold_until_ = std::max(hold_until_, until);
  withdraw_if(now, {RoleCause::hold_time_over}, RoleCause::stranger_heard);
  if (reason_ == reason) return;
  reason_ = std::move(reason);
  changed_at_ = now;
}

void RoleMachine::on_sync(TimePoint now, Sync sync) {
  if (role_ != Role::standby || sync == sync_) return;
  sync_ = sync;
  asks_ = false;
  if (sync != Sync::hot) {
    withdraw(now, RoleCause::copy_incomplete);
    return;
  }
  hot_since_ = now;
  // From here on a complete state of that term is held; whoever restarts with it may claim so.
  if (peer_.term > state_term_) {
    state_term_ = peer_.term;
    output_.persist_term(state_term_);
  }
}

void RoleMachine::on_condition(TimePoint now, bool ill, bool warned) {
  if (ill_ && !ill) well_since_ = now;
  ill_ = ill;
  warned_ = warned;
  if (ill) {
    asks_ = false;
    withdraw_if(now, {RoleCause::offered}, RoleCause::own_illness);
  }
  if (role_ == Role::master) give_up_if_ill(now);
  if (role_ == Role::standby) claim_from_ill(now);
}

/// Hands over from an ill master to a healthy standby, by a switchover that loses nothing. If the standby is ill as
/// well, nobody would gain, and the master stays.
void RoleMachine::give_up_if_ill(TimePoint now) {
  if (!ill_ || handing_over() || now < give_up_not_before_) return;
  if (!peer_present_ || peer_.role != Role::standby || peer_.sync != Sync::hot || peer_.warned || peer_.ill) return;
  if (!begin_handover(now)) return;
  give_up_not_before_ = now + config_.handover_deadline;
  ++counters_.given_up_ill;
}

/// Claims mastership for a hot, healthy standby whose ill master does not hand over in time.
void RoleMachine::claim_from_ill(TimePoint now) {
  if (ill_ || warned_ || sync_ != Sync::hot || !follows_peer() || !peer_.ill) {
    claim_at_ = TimePoint::max();
    withdraw_if(now, {RoleCause::master_ill}, RoleCause::illness_over);
    return;
  }
  if (claim_at_ == TimePoint::max()) claim_at_ = now + config_.ill_grace;
  if (now < claim_at_ || claim_) return;
  seek_mastership(now, RoleCause::master_ill);
}

void RoleMachine::on_offer(TimePoint now, std::uint64_t term) {
  if (ill_ || role_ != Role::standby || sync_ != Sync::hot || term != highest_ || peer_.role != Role::master) {
    ++counters_.offers_refused;
    return;
  }
  seek_mastership(now, RoleCause::offered);
  if (claim_) claim_->offer_until = now + kOffersMissed * config_.offer_interval;
}

void RoleMachine::on_drained(TimePoint now) {
  if (handover_ != Handover::draining) return;
  handover_ = Handover::offered;
  next_offer_ = now;
}

/// Ends the claim of an offer that is not repeated any more, and makes a refused claim again.
void RoleMachine::review_claim(TimePoint now) {
  if (!claim_) return;
  if (claim_->cause == RoleCause::offered && now >= claim_->offer_until) {
    withdraw(now, RoleCause::offer_over);
  } else if (claim_->refused && now >= claim_->retry_at) {
    const TimePoint offer_until = claim_->offer_until;
    seek_mastership(now, claim_->cause);
    if (claim_) claim_->offer_until = offer_until;
  }
}

void RoleMachine::tick(TimePoint now) {
  review_claim(now);
  switch (role_) {
    case Role::initializing:
      if (config_.stand_alone) {
        seek_mastership(now, RoleCause::stand_alone);
      } else if (now >= hold_until_ && !peer_present_) {
        if (!claim_) seek_mastership(now, RoleCause::hold_time_over);
      }
      return;
    case Role::standby:
      update_preemption(now);
      claim_from_ill(now);
      return;
    case Role::master:
      give_up_if_ill(now);
      if (handover_ == Handover::none) return;
      if (now >= handover_until_ || !peer_present_) {
        asked_handover_not_before_ = now + config_.hold_time;
        end_handover(true);
      }
      return;
    case Role::claiming:
      break;
  }
}

bool RoleMachine::take_offer(TimePoint now) {
  if (handover_ != Handover::offered || now < next_offer_) return false;
  next_offer_ = now + config_.offer_interval;
  return true;
}

void RoleMachine::set_config(const RoleConfig& config) {
  config_ = config;
  // A member that asks because it is preferred asks again if it is preferred still.
  if (asks_ && asks_until_ == TimePoint::max()) asks_ = false;
}

void RoleMachine::update_preemption(TimePoint now) {
  if (asks_ && asks_until_ != TimePoint::max() && now >= asks_until_) asks_ = false;
  if (asks_ || claim_ || !config_.preempt || ill_ || sync_ != Sync::hot || !follows_peer()) return;
  if (config_.priority <= peer_.priority || now - std::max(hot_since_, well_since_) < config_.hold_time) return;
  asks_ = true;
  asks_until_ = TimePoint::max();
  ++counters_.preempt_requests;
}

Result<void> RoleMachine::begin_handover(TimePoint now, bool force) {
  if (!peer_present_) return fail("the peer is not connected");
  if (peer_.role != Role::standby) return fail("the peer is {}, not STANDBY", to_string(peer_.role));
  if (peer_.sync != Sync::hot) return fail("the standby is {}, not Hot", to_string(peer_.sync));
  if (peer_.ill) return fail("the standby's health is Failed");
  if (peer_.warned && !force) return fail("the standby is warned");
  handover_ = Handover::draining;
  handover_until_ = now + config_.handover_deadline;
  ++counters_.switchovers_started;
  output_.on_handing_over(true);
  return {};
}

void RoleMachine::end_handover(bool called_off) {
  handover_ = Handover::none;
  if (called_off) ++counters_.switchovers_called_off;
  output_.on_handing_over(false);
}

Result<void> RoleMachine::request_switchover(TimePoint now, bool force) {
  if (config_.stand_alone) return fail("the set has one member only");
  if (role() == Role::claiming) return fail("this member is CLAIMING");
  switch (role_) {
    case Role::initializing:
      return fail("this member is INITIALIZING");
    case Role::standby:
      if (!follows_peer()) return fail("there is no master to ask");
      if (sync_ != Sync::hot) return fail("this standby is {}, not Hot", to_string(sync_));
      if (ill_) return fail("this standby's health is Failed");
      if (force) return fail("only the master can be forced to hand over");
      asks_ = true;
      asks_until_ = now + config_.handover_deadline;
      return {};
    case Role::master:
    case Role::claiming:
      break;
  }
  if (handing_over()) return fail("a switchover is under way");
  auto begun = begin_handover(now, force);
  if (!begun) ++counters_.switchovers_refused;
  return begun;
}

void RoleMachine::append_to(CounterList& out) const {
  const Counters& c = counters_;
  out.push_back({"became-master", c.became_master});
  out.push_back({"became-standby", c.became_standby});
  out.push_back({"took-over-hot", c.took_over_hot});
  out.push_back({"took-over-cold", c.took_over_cold});
  out.push_back({"met-another-master", c.dual_master});
  out.push_back({"switchovers-started", c.switchovers_started});
  out.push_back({"switchovers-refused", c.switchovers_refused});
  out.push_back({"switchovers-called-off", c.switchovers_called_off});
  out.push_back({"switchovers-done", c.switchovers_done});
  out.push_back({"preemptions-requested", c.preempt_requests});
  out.push_back({"mastership-given-up-ill", c.given_up_ill});
  out.push_back({"mastership-taken-from-ill", c.taken_from_ill});
  out.push_back({"offers-refused", c.offers_refused});
  out.push_back({"terms-raised", c.term_raised});
  out.push_back({"claims-made", c.claims});
  out.push_back({"claims-refused", c.claims_refused});
  out.push_back({"claims-withdrawn", c.claims_withdrawn});
  out.push_back({"claims-answered-late", c.claims_answered_late});
}

TimePoint RoleMachine::next_deadline() const {
  if (claim_ && role_ != Role::master) {
    const TimePoint retry = claim_->refused ? claim_->retry_at : TimePoint::max();
    return claim_->cause == RoleCause::offered ? std::min(retry, claim_->offer_until) : retry;
  }
  const TimePoint retry = claim_ && claim_->refused ? claim_->retry_at : TimePoint::max();
  switch (role_) {
    case Role::initializing:
      return config_.stand_alone ? TimePoint::min() : hold_until_;
    case Role::standby:
      return claim_at_;  // requests are evaluated with every heartbeat
    case Role::master:
      if (handover_ == Handover::offered) return std::min({handover_until_, next_offer_, retry});
      return handover_ == Handover::draining ? std::min(handover_until_, retry) : retry;
    case Role::claiming:
      break;
  }
  return TimePoint::max();
}

}  // namespace icr::node
