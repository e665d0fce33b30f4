// Reports the state of a member.
#include <algorithm>

#include "node/redundancy/member.h"

namespace icr::node {

MemberStatus RedundancyMember::status() const {
  MemberStatus out;
  out.role = role_.role();
  out.sync = role_.sync();
  out.stand_alone = set_->stand_alone();
  out.handing_over = role_.handing_over();
  out.merging = merge_out_.active();
  out.term = role_.term();
  out.claimed_term = role_.claimed_term();
  out.priority = priority();
  out.warnings = warnings();
  out.health = health_.health();
  out.reason = role_.reason();
  out.changed_at = role_.changed_at();
  out.configuration_difference = configuration_.difference();
  out.connected = connected_;
  out.peer_present = hears_peer();
  out.peer_role = role_.peer().role;
  if (peer_beat_.claimed_term != 0 && out.peer_role != Role::master) out.peer_role = Role::claiming;
  out.peer_sync = role_.peer().sync;
  out.peer_warnings = peer_beat_.warnings;
  out.peer_term = role_.peer().term;
  out.peer_priority = role_.peer().priority;
  out.peer_heard_at = heard_at_;
  out.peer_health = {peer_beat_.health_weight, peer_beat_.health_reasons};
  out.peer_commit = {peer_beat_.commit_number, peer_beat_.running_digest, peer_beat_.commit_waits};
  out.detector = detector_.status(last_tick_);
  if (role_.role() == Role::master) {
    out.epoch = sender_.position().epoch;
    out.sent = sender_.position().sequence;
    out.acknowledged = sender_.acknowledged();
    out.pending_state = sender_.pending_state();
    out.unacknowledged_bytes = sender_.unacknowledged_bytes();
    out.unacknowledged_records = sender_.unacknowledged_records();
    out.oldest_change_us = sender_.lag(last_tick_).oldest_us;
    out.copying = sender_.active() && !sender_.bulk_done();
    out.copied_slots = sender_.slots_copied();
    out.slots_to_copy = source_.high_water();
    out.compared = sender_.compared();
    if (out.copying) out.copying_for = last_tick_ - sender_.started_at();
  } else {
    out.epoch = receiver_.position().epoch;
    out.acknowledged = receiver_.position().sequence;
  }
  return out;
}

void RedundancyMember::append_to(CounterList& out) const {
  const auto& c = counters_;
  out.push_back({"control-messages-received", c.control_messages});
  out.push_back({"data-messages-received", c.data_messages});
  reader_.append_to(out);
  out.push_back({"heartbeats-sent", c.heartbeats_sent});
  out.push_back({"heartbeats-not-sent", c.heartbeats_not_sent});
  out.push_back({"peer-record-schema", peer_beat_.schema});
  out.push_back({"heartbeats-overtaken", c.heartbeats_overtaken});
  out.push_back({"heartbeats-of-another-configuration", c.other_configuration});
  out.push_back({"refused-former-name", c.former_names});
  out.push_back({"refused-other-boot", c.other_boot});
  out.push_back({"refused-lower-term", c.lower_term});
  out.push_back({"refused-higher-term", c.higher_term});
  out.push_back({"refused-wrong-role", c.wrong_role});
  out.push_back({"refused-wrong-link", c.wrong_link});
  out.push_back({"refused-late-request", c.late_requests});
  out.push_back({"offers-too-early", c.offers_too_early});
  out.push_back({"peer-disconnects", c.disconnects});
  out.push_back({"peer-addresses-refused", c.addresses_refused});
  detector_.append_to(out);
  role_.append_to(out);
  out.push_back({"became-ill", health_.illnesses()});
  sender_.append_to(out);
  receiver_.append_to(out);
  merge_out_.append_to(out);
  merge_in_.append_to(out);
}

}  // namespace icr::node
