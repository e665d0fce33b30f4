// The twin, and what must be there when all is added up.
#include <fmt/format.h>

#include <algorithm>

#include "tests/nat_model/model.h"

namespace icr::node::test::nat_model {

// -- The twin --

void Model::replicate() {
  about_ = "news for the twin";
  if (const std::string wrong = rig_.replicate(); !wrong.empty()) fail(wrong);
  nat_.replicated(rig_.ticks());
}

void Model::take_over(bool fresh) {
  about_ = fresh ? "a restart from records" : "a takeover";
  trace(about_);
  if (const std::string wrong = rig_.take_over(fresh); !wrong.empty()) fail(wrong);
  ++(fresh ? coverage_.restarts : coverage_.takeovers);
  activated_ = rig_.ticks();
  nat_.take_over(rig_.ticks());
  ids_.clear();                        // the other engine counts for itself
  rejects_.assign(100, rig_.ticks());  // the other engine counts for itself
  for (Live& s : sessions_) nat_model::take_over(s.tcp);
}

// -- Totals --

void Model::check() {
  about_ = "comparing sessions";
  const auto records = rig_.records();
  const auto count = [&](RecordKind kind) {
    return static_cast<std::size_t>(
        std::count_if(records.begin(), records.end(), [&](const SessionRecord& r) { return r.kind == kind; }));
  };
  const auto counts = [&](const char* what, RecordKind kind, std::size_t mine) {
    if (count(kind) != mine) fail(fmt::format("{} {} instead of {}", count(kind), what, mine));
  };
  counts("sessions", RecordKind::session, sessions_.size());
  counts("mappings", RecordKind::mapping, nat_.mappings().size());
  counts("blocks", RecordKind::port_block, nat_.blocks().size());
  counts("pairings", RecordKind::pairing, nat_.pairings().size());
  if (rig_.active().sessions() != sessions_.size()) return fail("sessions are counted wrongly");
  if (rig_.active().ports_in_use() != nat_.ports()) {
    return fail(fmt::format("{} ports in use instead of {}", rig_.active().ports_in_use(), nat_.ports()));
  }
  for (const SessionRecord& r : records) {
    if (r.kind == RecordKind::session) {
      compare(r);
    } else if (const std::string wrong = nat_.compare(r, rig_.ticks()); !wrong.empty()) {
      fail("no such binding: " + wrong);
    }
  }
}

void Model::compare(const SessionRecord& r) {
  about_ = "the record of " + describe(r.flow[0]);
  const auto service_set = cluster_.service_set_ids.find(r.service_set);
  if (!service_set) return fail("its service set");
  const Flow flow = flow_of(*service_set, r.flow[0]);
  if (flow.session == nullptr || flow.direction != 0) return fail("no such session");
  const Live& s = *flow.session;
  if (!(r.flow[1] == s.key[1])) return fail("the answers come as " + describe(r.flow[1]));
  if (r.nat_type != s.translation.type || r.hairpin != s.translation.hairpin) return fail("how it is translated");
  if (r.nat_pool != (s.translation.pool ? cluster_.nat_pools[*s.translation.pool].stable_id : 0))
    return fail("its pool");
  if (r.initiated_outside == is_inside(s.unit[0])) return fail("the side where it began");
  // Whether both FINs were acknowledged is not known to every twin.
  const auto simple = [](TcpState t) { return t == TcpState::time_wait ? TcpState::closing : t; };
  const bool same_state = s.tcp.strict ? r.tcp_state == s.tcp.state : simple(r.tcp_state) == simple(s.tcp.state);
  if (!same_state) return fail(fmt::format("{} instead of {}", to_string(r.tcp_state), to_string(s.tcp.state)));
  if (r.timeout_s != s.timeout_s) return fail(fmt::format("timeout {} instead of {}", r.timeout_s, s.timeout_s));
  if (r.idle != rig_.ticks() - s.last || r.age != rig_.ticks() - s.created) return fail("its idle time or age");
  for (unsigned d = 0; d < 2; ++d) {
    if (r.counters[d].packets == s.packets[d] && r.counters[d].bytes == s.bytes[d]) continue;
    return fail(fmt::format("{} packets and {} bytes counted instead of {} and {}", r.counters[d].packets,
                            r.counters[d].bytes, s.packets[d], s.bytes[d]));
  }
}

void Model::quiet() {
  check();
  about_ = "quiet";
  constexpr Ticks kBeyondAll = 20000;
  for (Ticks i = 0; i < kBeyondAll && !(sessions_.empty() && nat_.bindings() == 0 && i > 700); ++i) wait(1);
  if (rig_.active().sessions() != 0 || !sessions_.empty()) fail("a session is left");
  if (!rig_.records().empty() || nat_.bindings() != 0) fail("a binding is left");
  if (rig_.active().ports_in_use() != 0) fail("a port has leaked");
  if (rig_.active().digest() != 0) fail("the digest of nothing");
  replicate();
  if (rig_.standby().sessions() != 0 || rig_.standby().ports_in_use() != 0) fail("something is left in the twin");
  if (const std::string wrong = rig_.accounts(0); !wrong.empty()) fail(wrong);
}

}  // namespace icr::node::test::nat_model
