#include "node/redundancy/role.h"

#include <algorithm>
#include <utility>

namespace icr::node {

RoleMachine::RoleMachine(const RoleConfig& config, std::uint64_t restored_term, RoleOutput& output, TimePoint now,
                         bool whole)
    : config_(config),
      output_(output),
      highest_(restored_term),
      state_term_(whole ? restored_term : 0),
      hold_until_(now + config.hold_time),
      changed_at_(now) {}

void RoleMachine::take_mastership(TimePoint now, std::string reason) {
  if (handing_over()) end_handover(true);
  // The smallest term above all others that is ours by parity.
  std::uint64_t term = highest_ + 1;
  if (term % 2 != config_.index) ++term;
  output_.persist_term(term);
  if (role_ == Role::master) {
    ++counters_.term_raised;
  } else {
    ++counters_.became_master;
  }
  role_ = Role::master;
  sync_ = Sync::off;
  term_ = highest_ = state_term_ = term;
  asks_ = false;
  claim_at_ = TimePoint::max();
  reason_ = std::move(reason);
  changed_at_ = now;
  output_.on_master(term);
}

void RoleMachine::follow(TimePoint now, std::string reason) {
  if (handing_over()) end_handover(false);
  if (role_ != Role::standby) ++counters_.became_standby;
  role_ = Role::standby;
  sync_ = Sync::cold;
  asks_ = false;
  reason_ = std::move(reason);
  changed_at_ = now;
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
        follow(now, "peer is master");
      } else if (report.sync != Sync::hot) {
        // A hot standby hears from us that its master is gone, and takes over by itself.
        elect(now);
      }
      return;
    case Role::standby:
      if (report.role != Role::master) {
        elect(now);
      } else if (report.term >= highest_ && report.term > known) {
        follow(now, "peer is master in a new term");
      }
      claim_from_ill(now);
      return;
    case Role::master:
      if (report.role == Role::master) {
        yield(now);
      } else if (report.term > term_) {
        take_mastership(now, "a higher term was known to the peer");
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
  }
}

/// Two masters met: the one in the lower term yields.
void RoleMachine::yield(TimePoint now) {
  if (peer_.term > term_) {
    if (handing_over()) {
      ++counters_.switchovers_done;
      follow(now, "switchover");
    } else {
      ++counters_.dual_master;
      follow(now, "met a master in a higher term");
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
    if (role_ == Role::standby) ++(sync_ == Sync::hot ? counters_.took_over_hot : counters_.took_over_cold);
    take_mastership(now, role_ == Role::standby ? "peer is not master any more" : "elected");
  } else if (role_ == Role::initializing) {
    follow(now, "peer is elected");
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
      ++(sync_ == Sync::hot ? counters_.took_over_hot : counters_.took_over_cold);
      take_mastership(now, silent ? "peer is silent" : "connection to the peer closed");
      return;
    case Role::master:
      peer_present_ = false;
      return;
  }
}

void RoleMachine::hold(TimePoint now, TimePoint until, std::string reason) {
  if (role_ != Role::initializing || config_.stand_alone) return;
  hold_until_ = std::max(hold_until_, until);
  if (reason_ == reason) return;
  reason_ = std::move(reason);
  changed_at_ = now;
}

void RoleMachine::on_sync(TimePoint now, Sync sync) {
  if (role_ != Role::standby || sync == sync_) return;
  sync_ = sync;
  asks_ = false;
  if (sync != Sync::hot) return;
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
  if (ill) asks_ = false;
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
    return;
  }
  if (claim_at_ == TimePoint::max()) claim_at_ = now + config_.ill_grace;
  if (now < claim_at_) return;
  ++counters_.took_over_hot;
  ++counters_.taken_from_ill;
  take_mastership(now, "the master's health is Failed");
}

void RoleMachine::on_offer(TimePoint now, std::uint64_t term) {
  if (ill_ || role_ != Role::standby || sync_ != Sync::hot || term != highest_ || peer_.role != Role::master) {
    ++counters_.offers_refused;
    return;
  }
  take_mastership(now, "switchover");
}

void RoleMachine::on_drained(TimePoint now) {
  if (handover_ != Handover::draining) return;
  handover_ = Handover::offered;
  next_offer_ = now;
}

void RoleMachine::tick(TimePoint now) {
  switch (role_) {
    case Role::initializing:
      if (config_.stand_alone) {
        take_mastership(now, "stand-alone");
      } else if (now >= hold_until_ && !peer_present_) {
        take_mastership(now, "no peer within the hold time");
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
  }
}

bool RoleMachine::take_offer(TimePoint now) {
  if (handover_ != Handover::offered || now < next_offer_) return false;
  next_offer_ = now + config_.offer_interval;
  return true;
}

void RoleMachine::update_preemption(TimePoint now) {
  if (asks_ && asks_until_ != TimePoint::max() && now >= asks_until_) asks_ = false;
  if (asks_ || !config_.preempt || ill_ || sync_ != Sync::hot || !follows_peer()) return;
  if (config_.priority <= peer_.priority || now - std::max(hot_since_, well_since_) < config_.hold_time) return;
  asks_ = true;
  asks_until_ = TimePoint::max();
  ++counters_.preempt_requests;
}

Result<void> RoleMachine::begin_handover(TimePoint now) {
  if (!peer_present_) return fail("the peer is not connected");
  if (peer_.role != Role::standby) return fail("the peer is {}, not STANDBY", to_string(peer_.role));
  if (peer_.sync != Sync::hot) return fail("the standby is {}, not Hot", to_string(peer_.sync));
  if (peer_.ill) return fail("the standby's health is Failed");
  if (peer_.warned) return fail("the standby is warned");
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

Result<void> RoleMachine::request_switchover(TimePoint now) {
  if (config_.stand_alone) return fail("the set has one member only");
  switch (role_) {
    case Role::initializing:
      return fail("this member is INITIALIZING");
    case Role::standby:
      if (!follows_peer()) return fail("there is no master to ask");
      if (sync_ != Sync::hot) return fail("this standby is {}, not Hot", to_string(sync_));
      if (ill_) return fail("this standby's health is Failed");
      asks_ = true;
      asks_until_ = now + config_.handover_deadline;
      return {};
    case Role::master:
      break;
  }
  if (handing_over()) return fail("a switchover is under way");
  auto begun = begin_handover(now);
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
}

TimePoint RoleMachine::next_deadline() const {
  switch (role_) {
    case Role::initializing:
      return config_.stand_alone ? TimePoint::min() : hold_until_;
    case Role::standby:
      return claim_at_;  // requests are evaluated with every heartbeat
    case Role::master:
      if (handover_ == Handover::offered) return std::min(handover_until_, next_offer_);
      return handover_ == Handover::draining ? handover_until_ : TimePoint::max();
  }
  return TimePoint::max();
}

}  // namespace icr::node
