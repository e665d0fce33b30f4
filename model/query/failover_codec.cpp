// How reports of takeovers travel.
#include "model/query/query_status_codec.h"

namespace icr::query_codec {
namespace {

flatbuffers::Offset<fbs::FailoverRisk> encode(const FailoverRisk& in, Builder& builder) {
  fbs::FailoverRiskBuilder out(builder);
  if (in.sessions) out.add_sessions(*in.sessions);
  if (in.unseen) out.add_unseen(*in.unseen);
  if (in.former_sessions) out.add_former_sessions(*in.former_sessions);
  if (in.waiting) out.add_waiting(*in.waiting);
  if (in.unacknowledged) out.add_unacknowledged(*in.unacknowledged);
  if (in.oldest_us) out.add_oldest_us(*in.oldest_us);
  if (in.missing) out.add_missing(*in.missing);
  out.add_gap(in.gap);
  out.add_lacking(in.lacking);
  out.add_ended(in.ended);
  if (in.merge) {
    out.add_returned(in.merge->returned);
    out.add_updated(in.merge->updated);
    out.add_known(in.merge->known);
    out.add_refused(in.merge->refused);
  }
  return out.Finish();
}

FailoverRisk decode(const fbs::FailoverRisk& in) {
  FailoverRisk out;
  out.sessions = optional_of(in.sessions());
  out.unseen = optional_of(in.unseen());
  out.former_sessions = optional_of(in.former_sessions());
  out.waiting = optional_of(in.waiting());
  out.unacknowledged = optional_of(in.unacknowledged());
  out.oldest_us = optional_of(in.oldest_us());
  out.missing = optional_of(in.missing());
  out.gap = in.gap();
  out.lacking = in.lacking();
  out.ended = in.ended();
  if (const auto returned = optional_of(in.returned())) {
    out.merge = FailoverRisk::Merge{*returned, in.updated(), in.known(), in.refused()};
  }
  return out;
}

flatbuffers::Offset<fbs::Failover> encode(const FailoverReport& in, Builder& builder) {
  const auto set = builder.CreateString(in.set);
  const auto chassis = builder.CreateString(in.chassis);
  const auto peer = builder.CreateString(in.peer);
  const auto reason = builder.CreateString(in.reason);
  const auto detector = encode_detector(in.detector, builder);
  const auto risk = encode(in.risk, builder);
  fbs::FailoverBuilder out(builder);
  out.add_number(in.number);
  out.add_set(set);
  out.add_chassis(chassis);
  out.add_peer(peer);
  out.add_kind(static_cast<std::uint8_t>(in.kind));
  out.add_term(in.term);
  out.add_reason(reason);
  out.add_hot(in.hot);
  out.add_complete(in.complete);
  out.add_heard(in.heard);
  out.add_heard_since_boot(in.heard_since_boot);
  if (in.heartbeat) out.add_heartbeat(*in.heartbeat);
  if (in.closed) out.add_closed(*in.closed);
  if (in.decided) out.add_decided(*in.decided);
  if (in.granted) out.add_granted(*in.granted);
  if (in.active) out.add_active(*in.active);
  if (in.steered) out.add_steered(*in.steered);
  if (in.old_session) out.add_old_session(*in.old_session);
  if (in.new_session) out.add_new_session(*in.new_session);
  out.add_sessions(in.sessions);
  out.add_applied(in.applied);
  if (in.sent) out.add_sent(*in.sent);
  out.add_detector(detector);
  if (in.last_word) out.add_last_word(*in.last_word);
  if (in.last_change) out.add_last_change(*in.last_change);
  out.add_risk(risk);
  return out.Finish();
}

Result<FailoverReport> decode(const fbs::Failover& in) {
  if (in.kind() >= enum_end<FailoverKind>()) return fail("kind {} of a takeover out of range", in.kind());
  FailoverReport out;
  out.number = in.number();
  out.set = printable(in.set());
  out.chassis = printable(in.chassis());
  out.peer = printable(in.peer());
  out.kind = static_cast<FailoverKind>(in.kind());
  out.term = in.term();
  out.reason = printable(in.reason());
  out.hot = in.hot();
  out.complete = in.complete();
  out.heard = in.heard();
  out.heard_since_boot = in.heard_since_boot();
  out.heartbeat = optional_of(in.heartbeat());
  out.closed = optional_of(in.closed());
  out.decided = optional_of(in.decided());
  out.granted = optional_of(in.granted());
  out.active = optional_of(in.active());
  out.steered = optional_of(in.steered());
  out.old_session = optional_of(in.old_session());
  out.new_session = optional_of(in.new_session());
  out.last_word = optional_of(in.last_word());
  out.last_change = optional_of(in.last_change());
  if (in.risk() != nullptr) out.risk = decode(*in.risk());
  if (!has_possible_times(out)) return fail("times of a takeover out of range");
  out.sessions = in.sessions();
  out.applied = in.applied();
  out.sent = optional_of(in.sent());
  if (in.detector() != nullptr) out.detector = decode_detector(*in.detector());
  return out;
}

}  // namespace

Vector<flatbuffers::Offset<fbs::Failover>> encode_failovers(const std::vector<FailoverReport>& in, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::Failover>> rows;
  rows.reserve(in.size());
  for (const FailoverReport& report : in) rows.push_back(encode(report, builder));
  return builder.CreateVector(rows);
}

Result<std::vector<FailoverReport>> decode_failovers(const Rows<fbs::Failover>* in) {
  std::vector<FailoverReport> out;
  if (in == nullptr) return out;
  if (in->size() > kMaxFailovers) return fail("{} reports of takeovers", in->size());
  for (const auto* row : *in) {
    auto report = decode(*row);
    if (!report) return tl::unexpected(report.error());
    out.push_back(std::move(*report));
  }
  return out;
}

}  // namespace icr::query_codec
