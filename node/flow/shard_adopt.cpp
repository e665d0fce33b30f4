// Takes over what another master set up, or followed, while both were master (SessionSink::adopt).
#include <algorithm>

#include "node/flow/shard.h"

namespace icr::node {

Adopted Shard::adopt(const SessionRecord& r, TimePoint now) {
  if (!active_) return Adopted::invalid;
  const Ticks at = ticks_of(now);
  if (r.kind != RecordKind::session) return nat_.adopt(r, at);
  const auto view = plausible(r);
  return view ? adopt_session(r, *view, at) : Adopted::invalid;
}

Adopted Shard::adopt_session(const SessionRecord& r, const NatSession& view, Ticks at) {
  const auto there = table_.find(view.service_set, r.flow[0]);
  const auto back = table_.find(view.service_set, r.flow[1]);
  if (there || back) {
    const bool one = there && back && there->slot == back->slot && there->direction == Direction::initiator;
    if (!one) return Adopted::flow_taken;
    const Session& known = table_.at(there->slot);
    const bool same = known.nat_type == r.nat_type && known.nat_pool == view.pool &&
                      known.initiated_outside == r.initiated_outside && known.hairpin == r.hairpin;
    return same ? compare(there->slot, r, at) : Adopted::flow_taken;
  }
  const Service& s = *service(view.service_set);
  // It would have to end at once (policy-rematch, drain-time).
  if (s.config->policy_rematch && !admits(s, r.flow[0], r.initiated_outside)) return Adopted::invalid;
  if (nat_.is_over(view)) return Adopted::invalid;
  if (s.config->max_sessions && s.sessions >= *s.config->max_sessions) return Adopted::limit;
  const std::uint32_t max_flows = s.config->max_flows;
  if (max_flows != 0 && 2 * (std::uint64_t{s.sessions} + 1) > max_flows) return Adopted::limit;
  if (const Adopted answer = nat_.may_adopt(view); refused(answer)) return answer;

  const auto slot = table_.allocate();
  if (!slot) return Adopted::table_full;
  Session& session = table_.at(*slot);
  const std::uint32_t before = session.generation;
  session = Session{};
  session.generation = before + 1 == 0 ? 1 : before + 1;
  session.version = 1;
  session.pass = pass_;
  session.service_set = view.service_set;
  session.nat_pool = view.pool;
  session.nat_type = r.nat_type;
  session.initiated_outside = r.initiated_outside;
  session.set_keys(r.flow[0], r.flow[1]);
  bring(session, r, at);
  if (!table_.insert(*slot)) {
    session.generation = before;
    table_.release(*slot);
    return Adopted::table_full;
  }
  nat_.hold(view, false, at);
  count_session(session, 1);
  ++created_;
  wheel_.arm(*slot, deadline_of(session));
  changed(*slot, Change::state);
  if (nat_.reconcile(view, at)) return Adopted::created;
  // Two ends that each could have had the last row, but not both.
  remove(*slot);
  return Adopted::table_full;
}

Adopted Shard::compare(std::uint32_t slot, const SessionRecord& r, Ticks at) {
  // The other member has it, so there is nothing to withhold from it.
  if (is_withheld(slot)) share(slot);
  Session& session = table_.at(slot);
  const Session before = session;
  const std::uint32_t idle_here = at - before.last_activity;
  if (r.idle >= idle_here) return Adopted::known;
  bring(session, r, at);
  // Both masters counted on from a common value, so neither counter may decrease.
  for (const Direction d : {Direction::initiator, Direction::responder}) {
    const FlowCounters mine = before.counters(d);
    const FlowCounters now = session.counters(d);
    session.set_counters(d, {std::max(mine.packets, now.packets), std::max(mine.bytes, now.bytes)});
  }
  session.created = before.created;
  ++session.version;
  wheel_.arm(slot, deadline_of(session));
  changed(slot, Change::state);
  return Adopted::updated;
}

}  // namespace icr::node
