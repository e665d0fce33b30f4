#include "tests/nat_model/model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace icr::node::test::nat_model {
namespace {

/// docs/engine.md: what idles gets this much after a takeover, or its timeout.
constexpr Ticks kGrace = 300;

auto order_of(const FlowKey& k) {
  return std::tie(k.source, k.destination, k.source_port, k.destination_port, k.protocol);
}

bool trace() {
  static const bool on = std::getenv("ICR_TEST_TRACE") != nullptr;
  return on;
}

}  // namespace

bool Model::KeyOrder::operator()(const FlowKey& a, const FlowKey& b) const { return order_of(a) < order_of(b); }

Model::Model(const World& world, Rig& rig) : world_(world), cluster_(world.cluster), rig_(rig), nat_(world.cluster) {}

void Model::fail(const std::string& what) {
  failed_ = true;
  ADD_FAILURE() << what << "\n  with " << about_ << "\n  at tick " << rig_.ticks();
}

Model::Flow Model::flow_of(const FlowKey& key) const {
  const auto found = flows_.find(key);
  return found == flows_.end() ? Flow{} : found->second;
}

Live* Model::find(const FlowKey& key) { return flow_of(key).session; }

// -- Time --

std::uint32_t Model::idle_timeout(const Live& s) const {
  if (s.application && cluster_.applications[*s.application].inactivity_timeout_s) {
    return *cluster_.applications[*s.application].inactivity_timeout_s;
  }
  const Timeouts& t = cluster_.service_sets[s.service_set].timeouts;
  return (s.key[0].protocol == kTcp ? t.inactivity_tcp_s : t.inactivity_non_tcp_s).value_or(t.inactivity_s);
}

void Model::set_timeout(Live& s) {
  const Timeouts& t = cluster_.service_sets[s.service_set].timeouts;
  switch (s.tcp.state) {
    case TcpState::syn_sent:
    case TcpState::syn_received:
      s.timeout_s = t.open_s;
      break;
    case TcpState::closing:
    case TcpState::time_wait:
    case TcpState::closed:
      s.timeout_s = t.close_s;
      break;
    default:
      s.timeout_s = idle_timeout(s);
  }
}

Ticks Model::deadline(const Live& s) const {
  Ticks end = s.last + s.timeout_s * 10;
  if (s.last < activated_) end = std::max(end, activated_ + std::min(kGrace, s.timeout_s * 10));
  const std::uint32_t lifetime = cluster_.service_sets[s.service_set].timeouts.session_s;
  if (lifetime != 0) end = std::min(end, s.created + lifetime * 10);
  return end;
}

void Model::expire() {
  for (auto s = sessions_.begin(); s != sessions_.end();) {
    Live& session = *s++;
    if (deadline(session) <= rig_.ticks()) end(session);
  }
}

void Model::wait(Ticks ticks) {
  for (Ticks i = 0; i < ticks; ++i) {
    rig_.tick();
    expire();
  }
}

// -- First packets --

bool Model::take_setup_token(std::uint16_t service_set) {
  const auto rate = cluster_.service_sets[service_set].max_session_setup_rate;
  if (!rate) return true;
  // One second's worth of tenths at most, filled up ten times a second.
  const std::uint64_t full = std::uint64_t{*rate} * 10;
  auto& [tokens, filled] =
      setup_tokens_.try_emplace({rig_.incarnation(), service_set}, full, rig_.ticks()).first->second;
  tokens = std::min(full, tokens + std::uint64_t{*rate} * (rig_.ticks() - filled));
  filled = rig_.ticks();
  if (tokens < 10) return false;
  tokens -= 10;
  return true;
}

Model::Verdict Model::judge_first(std::uint32_t unit, const Wire& w) {
  Verdict v;
  const std::uint16_t ss = service_set_of(unit);
  const ServiceSet& set = cluster_.service_sets[ss];
  const bool inside = is_inside(unit);
  const auto drop = [&](Drop reason) {
    v.reasons = {reason};
    return v;
  };
  const std::uint8_t request = w.v6() ? 128 : 8;
  if (w.icmp() && w.icmp_type != request) return drop(Drop::icmp_no_session);
  if (nat_.is_pool_address(ss, w.key.destination)) return drop(Drop::nat_no_session);
  const FirewallWord word = firewall(cluster_, ss, w.key, inside);
  if (word.action == FirewallAction::discard) return drop(Drop::firewall_discard);
  if (word.action == FirewallAction::reject) {
    v.reject = true;
    return drop(Drop::firewall_reject);
  }
  const NatWord nat = nat_rule(cluster_, ss, w.key, inside);
  if (w.key.protocol == kTcp && (w.flags & (kSyn | kAck)) != kSyn) {
    const bool may = set.tcp_non_syn == TcpNonSyn::allow && nat.term == nullptr && (w.flags & kRst) == 0;
    if (!may) return drop((w.flags & kRst) != 0 ? Drop::tcp_rst_in_listen : Drop::tcp_non_syn);
  }
  const auto mine =
      std::count_if(sessions_.begin(), sessions_.end(), [&](const Live& s) { return s.service_set == ss; });
  if (set.max_sessions && mine >= static_cast<std::ptrdiff_t>(*set.max_sessions)) return drop(Drop::session_limit);
  if (!take_setup_token(ss)) return drop(Drop::session_setup_rate);
  if (sessions_.size() == cluster_.redundancy_sets[0].max_sessions) return drop(Drop::no_session_id);
  if (nat.term != nullptr) {
    const auto refusal = nat_.refusal(*nat.term, w.key);
    if (refusal && refusal->sure) return drop(refusal->reason);
    v.may_fail = refusal;
    // Without ports an address is shared: it depends on the address whether the answers are taken already. And another
    // service set may have let a flow to the chosen port in, as what is nobody's.
    const bool shared = w.key.protocol != kTcp && w.key.protocol != kUdp && !w.icmp();
    const bool may_meet = std::any_of(flows_.begin(), flows_.end(), [&](const auto& other) {
      const FlowKey& key = other.first;
      return key.protocol == w.key.protocol && key.source == w.key.destination &&
             other.second.session->translation.type == NatType::none && nat_.is_pool_address(ss, key.destination);
    });
    if (shared || may_meet) v.may_fail = NatRefusal{Drop::nat_conflict, false};
  } else if (flow_of(w.key.mirrored()).session != nullptr) {
    return drop(Drop::nat_conflict);
  }
  return v;
}

Model::Verdict Model::judge(std::uint32_t unit, const Wire& w) {
  const Flow flow = flow_of(w.key);
  if (flow.session == nullptr) return judge_first(unit, w);
  Verdict v;
  v.flow = flow;
  if (flow.session->unit[flow.direction] != unit) {
    v.reasons = {Drop::wrong_interface};
    return v;
  }
  if (w.key.protocol != kTcp) return v;
  const TcpFate fate = nat_model::judge(flow.session->tcp, flow.direction, w);
  if (fate == TcpFate::restart) {
    end(*flow.session);
    return judge_first(unit, w);
  }
  if (const auto reason = drop_of(fate, flow.session->tcp, w)) v.reasons = {*reason};
  return v;
}

// -- Sessions --

Live* Model::begin(std::uint32_t unit, const Wire& w, const FlowKey& egress) {
  const std::uint16_t ss = service_set_of(unit);
  const bool inside = is_inside(unit);
  Live s;
  s.key = {w.key, egress.mirrored()};
  s.unit = {unit, inside ? outside_unit(ss) : inside_unit(ss)};
  s.service_set = ss;
  const NatWord nat = nat_rule(cluster_, ss, w.key, inside);
  s.application = firewall(cluster_, ss, w.key, inside).application;
  if (!s.application) s.application = nat.application;
  if (nat.term != nullptr) {
    const std::string wrong = nat_.take(*nat.term, w.key, egress, s.translation);
    if (!wrong.empty()) {
      fail("left as " + describe(egress) + ": " + wrong);
      return nullptr;
    }
  } else if (!(egress == w.key)) {
    fail("left as " + describe(egress) + ", but no term translates it");
    return nullptr;
  }
  s.created = s.last = rig_.ticks();
  if (w.key.protocol == kTcp) open(s.tcp, w);
  set_timeout(s);
  sessions_.push_back(std::move(s));
  Live& session = sessions_.back();
  for (unsigned d = 0; d < 2; ++d) {
    if (!flows_.try_emplace(session.key[d], Flow{&session, d}).second) {
      fail("two sessions with the flow " + describe(session.key[d]));
      return nullptr;
    }
  }
  return &session;
}

void Model::touch(const Flow& flow, const Wire& w) {
  Live& s = *flow.session;
  s.last = rig_.ticks();
  if (w.key.protocol != kTcp) return;
  const TcpState before = s.tcp.state;
  follow(s.tcp, flow.direction, w);
  if (s.tcp.state != before) set_timeout(s);
}

void Model::end(Live& session) {
  nat_.release(session.translation);
  for (const FlowKey& key : session.key) flows_.erase(key);
  sessions_.remove_if([&](const Live& s) { return &s == &session; });
}

void Model::clear(std::size_t which) {
  if (sessions_.empty()) return;
  Live& session = *std::next(sessions_.begin(), static_cast<std::ptrdiff_t>(which % sessions_.size()));
  about_ = "clearing " + describe(session.key[0]);
  const auto slot = rig_.active().table().find(session.key[0]);
  if (!slot) return fail("the engine does not know the session");
  rig_.active().remove(slot->slot);
  end(session);
}

// -- Packets --

void Model::expect_reject(const Outcome& o, std::uint32_t unit, const Wire& w, const Bytes& as_sent) {
  std::erase_if(rejects_, [&](Ticks t) { return rig_.ticks() - t >= 20; });
  if (w.key.protocol == kTcp && (w.flags & kRst) != 0) {
    if (!o.sent.empty()) fail("a RST was answered");
    return;
  }
  // At most a hundred a second; how seconds are counted is the engine's.
  if (o.sent.empty() && o.rejects_suppressed == 1 && rejects_.size() >= 100) return;
  rejects_.push_back(rig_.ticks());
  if (o.sent.size() != 1 || o.rejects != 1) return fail("a rejected packet was not answered");
  const std::size_t header = w.v6() ? (as_sent[6] == 44 ? 48 : 40) : 20;
  Wire answer;
  answer.key = w.key.mirrored();
  answer.dont_fragment = true;
  if (w.key.protocol == kTcp) {
    answer.window = 0;
    const std::size_t octets = as_sent.size() - header - (as_sent[header + 12] >> 4) * 4U;
    if ((w.flags & kAck) != 0) {
      answer.flags = kRst;
      answer.seq = w.ack;
    } else {
      answer.flags = kRst | kAck;
      answer.ack = w.seq + static_cast<std::uint32_t>(octets) + ((w.flags & kSyn) != 0 ? 1U : 0U) +
                   ((w.flags & kFin) != 0 ? 1U : 0U);
    }
  } else {
    answer.key.protocol = w.v6() ? kIcmp6 : kIcmp;
    answer.icmp_type = w.v6() ? 1 : 3;
    answer.icmp_code = w.v6() ? 1 : 13;
    answer.about_octets = as_sent;
    answer.quoted = w.v6() ? 1280 - 48 : 576 - 28;
  }
  if (o.sent[0].unit != unit) fail("the answer to a rejected packet goes elsewhere");
  if (const Bytes want = build(answer); o.sent[0].bytes != want) {
    fail("the answer to a rejected packet is\n " + hex(o.sent[0].bytes) + "\ninstead of\n " + hex(want));
  }
}

bool Model::packet(std::uint32_t unit, const Wire& w, const Cut& cut) {
  about_ = fmt::format("unit {}: {}", unit, describe(w));
  const std::uint32_t id = next_ip_id();
  const auto pieces_of = [&](const Wire& wire) {
    return cut.chunk == 0 ? std::vector<Bytes>{build(wire)} : fragments_of(build(wire), cut.chunk, id);
  };
  const std::vector<Bytes> in = pieces_of(w);
  const bool fragments = in.size() > 1;
  std::vector<std::size_t> order = cut.order;
  if (!fragments) order = {0};
  if (trace()) fmt::print("{} {} in {} of {} pieces\n", rig_.ticks(), about_, order.size(), in.size());

  Verdict verdict;
  Flow flow;
  bool decided = false, passed = false;
  std::vector<Bytes> want;
  std::vector<std::size_t> waiting;
  for (const std::size_t i : order) {
    if (i >= in.size()) continue;
    if (i == 0) verdict = judge(unit, w);
    const Outcome o = rig_.send(unit, in[i]);
    ++packets_;
    if (o.unreadable != 0) fail("the packet was not read");
    if (i != 0 && !decided) {
      if (o.held != 1 || !o.sent.empty() || !o.drops.empty()) fail("a fragment before the first was not held");
      waiting.push_back(i);
      continue;
    }
    if (i != 0) {
      const bool right = passed ? o.drops.empty() && o.sent.size() == 1 && o.sent[0].bytes == want[i]
                                : o.sent.empty() && o.drops == std::vector<Drop>{Drop::fragment_refused};
      if (!right) fail(fmt::format("fragment {} did not share the fate of the first", i));
      if (passed) account(flow, in[i]);
      continue;
    }
    decided = true;
    passed = first_piece(unit, w, o, verdict, in, waiting.size());
    if (!passed) continue;
    flow = flow_of(w.key);
    Wire out = w;
    out.key = flow.session->key[1 - flow.direction].mirrored();
    want = pieces_of(out);
    if (fragments) flow.session->tcp.strict = false;
    compare(o, flow, want, waiting);
    account(flow, in[0]);
    for (const std::size_t later : waiting) account(flow, in[later]);
  }
  return passed;
}

bool Model::first_piece(std::uint32_t unit, const Wire& w, const Outcome& o, const Verdict& verdict,
                        const std::vector<Bytes>& in, std::size_t waiting) {
  std::vector<Drop> reasons = verdict.reasons;
  if (verdict.may_fail && o.sent.empty()) reasons.push_back(verdict.may_fail->reason);
  if (!reasons.empty()) {
    std::vector<Drop> drops = o.drops;
    const bool right =
        drops.size() == 1 + waiting &&
        std::find_first_of(drops.begin(), drops.end(), reasons.begin(), reasons.end()) != drops.end() &&
        std::count(drops.begin(), drops.end(), Drop::fragment_refused) >= static_cast<std::ptrdiff_t>(waiting);
    if (!right) fail(fmt::format("not dropped for {}, but {}", to_string(reasons[0]), fate_of(o)));
    if (verdict.reject) {
      expect_reject(o, unit, w, in[0]);
    } else if (!o.sent.empty()) {
      fail("a dropped packet came out");
    }
    return false;
  }
  if (o.sent.size() != 1 + waiting || !o.drops.empty()) {
    fail("did not pass, but " + fate_of(o));
    return false;
  }
  if (verdict.flow.session != nullptr) {
    touch(verdict.flow, w);
    return true;
  }
  return begin(unit, w, key_of(o.sent[0].bytes)) != nullptr;
}

void Model::compare(const Outcome& o, const Flow& flow, const std::vector<Bytes>& want,
                    const std::vector<std::size_t>& waiting) {
  const std::uint32_t unit = flow.session->unit[1 - flow.direction];
  std::vector<Bytes> left = {want[0]};
  for (const std::size_t i : waiting) left.push_back(want[i]);
  for (const Outcome::Sent& sent : o.sent) {
    if (sent.unit != unit) fail(fmt::format("left by unit {} instead of {}", sent.unit, unit));
    const auto found = std::find(left.begin(), left.end(), sent.bytes);
    if (found == left.end()) return fail("left as\n " + hex(sent.bytes) + "\ninstead of\n " + hex(left[0]));
    left.erase(found);
  }
}

void Model::account(const Flow& flow, const Bytes& in) {
  ++flow.session->packets[flow.direction];
  flow.session->bytes[flow.direction] += in.size();
  flow.session->last = rig_.ticks();
}

std::string Model::fate_of(const Outcome& o) {
  std::string out = fmt::format("{} sent", o.sent.size());
  for (const Drop d : o.drops) out += fmt::format(", {}", to_string(d));
  return out;
}

void Model::icmp_error(std::uint32_t unit, const Wire& w) {
  about_ = fmt::format("unit {}: {}", unit, describe(w));
  if (trace()) fmt::print("{} {}\n", rig_.ticks(), about_);
  const Outcome o = rig_.send(unit, build(w));
  ++packets_;
  const Flow flow = flow_of(w.about->key.mirrored());
  std::optional<Drop> reason;
  if (w.quoted < (w.v6() ? 48U : 28U)) {
    reason = Drop::icmp_error_malformed;
  } else if (flow.session == nullptr) {
    reason = Drop::icmp_error_no_session;
  } else if (flow.session->unit[flow.direction] != unit) {
    reason = Drop::wrong_interface;
  }
  if (reason) {
    if (!o.sent.empty() || o.drops != std::vector<Drop>{*reason}) {
      fail(fmt::format("not dropped for {}, but {}", to_string(*reason), fate_of(o)));
    }
    return;
  }
  // RFC 5508 section 4.2: both headers; the outer source if it is the host that is translated, or a router beside it.
  const Live& s = *flow.session;
  const FlowKey egress = s.key[1 - flow.direction].mirrored();
  Wire out = w;
  out.key.destination = egress.destination;
  const bool translated = !(s.key[flow.direction].source == egress.source);
  if (w.key.source == s.key[flow.direction].source || (is_inside(unit) && translated)) out.key.source = egress.source;
  Wire inner = *w.about;
  inner.key = s.key[1 - flow.direction];
  out.about = std::make_shared<Wire>(inner);
  if (o.sent.size() != 1 || !o.drops.empty()) return fail("did not pass, but " + fate_of(o));
  compare(o, flow, {build(out)}, {});
}

// -- The twin --

void Model::replicate() {
  about_ = "news for the twin";
  if (const std::string wrong = rig_.replicate(); !wrong.empty()) fail(wrong);
}

void Model::take_over(bool fresh) {
  about_ = fresh ? "a restart from records" : "a takeover";
  if (trace()) fmt::print("{} {}\n", rig_.ticks(), about_);
  if (const std::string wrong = rig_.take_over(fresh); !wrong.empty()) fail(wrong);
  activated_ = rig_.ticks();
  rejects_.assign(100, rig_.ticks());  // the other engine counts for itself
  for (Live& s : sessions_) s.tcp.strict = false;
}

// -- Totals --

void Model::check() {
  about_ = "comparing sessions";
  const auto records = rig_.records();
  if (records.size() != sessions_.size()) {
    return fail(fmt::format("{} sessions instead of {}", records.size(), sessions_.size()));
  }
  if (rig_.active().sessions() != sessions_.size()) return fail("sessions are counted wrongly");
  if (rig_.active().ports_in_use() != nat_.ports()) {
    return fail(fmt::format("{} ports in use instead of {}", rig_.active().ports_in_use(), nat_.ports()));
  }
  for (const SessionRecord& r : records) compare(r);
}

void Model::compare(const SessionRecord& r) {
  about_ = "the record of " + describe(r.flow[0]);
  const Flow flow = flow_of(r.flow[0]);
  if (flow.session == nullptr || flow.direction != 0) return fail("no such session");
  const Live& s = *flow.session;
  if (!(r.flow[1] == s.key[1])) return fail("the answers come as " + describe(r.flow[1]));
  if (r.service_set != s.service_set || r.nat_type != s.translation.type) return fail("service set or NAT type");
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
  for (Ticks i = 0; i < kBeyondAll && !(sessions_.empty() && i > 700); ++i) wait(1);
  if (rig_.active().sessions() != 0 || !sessions_.empty()) fail("a session is left");
  if (rig_.active().ports_in_use() != 0) fail("a port has leaked");
  if (rig_.active().digest() != 0) fail("the digest of nothing");
  replicate();
  if (rig_.standby().sessions() != 0 || rig_.standby().ports_in_use() != 0) fail("something is left in the twin");
  if (const std::string wrong = rig_.accounts(0); !wrong.empty()) fail(wrong);
}

}  // namespace icr::node::test::nat_model
