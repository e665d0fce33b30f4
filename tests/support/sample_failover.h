// A report of a takeover in which each value is another one.
#pragma once

#include "model/query/failover.h"

namespace icr::test {

inline FailoverReport sample_failover(std::uint64_t number = 7, const char* set = "rs1") {
  FailoverReport out;
  out.number = number;
  out.set = set;
  out.chassis = "right";
  out.peer = "left";
  out.kind = FailoverKind::ill_master;
  out.term = 33;
  out.reason = "the master's health is \"Failed\"";
  out.hot = true;
  out.complete = true;
  out.heard = 1'796'027'703'695'762;
  out.heard_since_boot = 43'943'485'189;
  out.heartbeat = -39'406;
  out.closed = 38'200;
  out.decided = 40'246;
  out.granted = 41'238;
  out.active = 41'259;
  out.steered = 41'799;
  out.old_session = 42'741;
  out.new_session = 99'000;
  out.sessions = 20'000;
  out.applied = 54;
  out.sent = 53;
  out.last_word = -1'250;
  out.last_change = -3'100;
  out.risk.sessions = 5;
  out.risk.unseen = 39'450;
  out.risk.former_sessions = 20'003;
  out.risk.waiting = 2;
  out.risk.unacknowledged = 4;
  out.risk.oldest_us = 870;
  out.risk.missing = 6;
  out.risk.gap = true;
  out.risk.lacking = 8;
  out.risk.ended = 9;
  out.risk.merge = FailoverRisk::Merge{21, 22, 23, 24};
  out.detector = {500'000, 1'500'000, 500'001, 41'015, 7'465, 138, 4'536, 3, 12, 10, "peer is lost", "not asked"};
  return out;
}

}  // namespace icr::test
