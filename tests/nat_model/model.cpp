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
/// The same: while both ends have finished, and not heard of it. Seconds.
constexpr std::uint32_t kTransitory = 240;

auto order_of(const FlowKey& k) {
  return std::tie(k.source, k.destination, k.source_port, k.destination_port, k.protocol);
}

Drop drop_of(NatWhy why) {
  switch (why) {
    case NatWhy::no_binding:
      return Drop::nat_no_session;
    case NatWhy::filtered:
      return Drop::nat_filtered;
    case NatWhy::flow_limit:
      return Drop::nat_flow_limit;
    case NatWhy::out_of_ports:
      return Drop::out_of_ports;
    case NatWhy::out_of_addresses:
      return Drop::out_of_addresses;
    case NatWhy::parity:
      return Drop::nat_parity;
    case NatWhy::range:
      return Drop::nat_range;
    case NatWhy::paired_out_of_ports:
      return Drop::nat_paired_out_of_ports;
    case NatWhy::port_limit:
      return Drop::nat_port_limit;
    case NatWhy::out_of_blocks:
      return Drop::nat_out_of_blocks;
    case NatWhy::block_limit:
      return Drop::nat_block_limit;
    case NatWhy::no_memory:
      return Drop::nat_no_memory;
    case NatWhy::untranslatable:
      break;
  }
  return Drop::nat_untranslatable;
}

}  // namespace

bool Model::KeyOrder::operator()(const FlowKey& a, const FlowKey& b) const { return order_of(a) < order_of(b); }

Model::Model(const World& world, Rig& rig, Coverage& coverage)
    : coverage_(coverage), cluster_(world.cluster), rig_(rig), nat_(world.cluster) {}

void Model::fail(const std::string& what) {
  failed_ = true;
  ADD_FAILURE() << what << "\n  with " << about_ << "\n  at tick " << rig_.ticks();
}

void Model::trace(const std::string& what) const {
  static const bool on = std::getenv("ICR_TEST_TRACE") != nullptr;
  if (on) fmt::print("{} {}\n", rig_.ticks(), what);
}

Model::Flow Model::flow_of(std::uint16_t service_set, const FlowKey& key) const {
  const auto flows = flows_.find(service_set);
  if (flows == flows_.end()) return Flow{};
  const auto found = flows->second.find(key);
  return found == flows->second.end() ? Flow{} : found->second;
}

Live* Model::find(std::uint32_t unit, const FlowKey& key) { return flow_of(service_set_of(unit), key).session; }

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
      s.timeout_s = std::min(idle_timeout(s), kTransitory);
      break;
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
  nat_.expire(rig_.ticks());
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
  const NatWord nat = nat_rule(cluster_, ss, w.key, inside);
  v.plan = nat_.plan(ss, nat.term, w.key, inside, rig_.ticks());
  const NatPlan& plan = v.plan;
  // To an external address, and nobody waits there. (What is behind a NAT64 prefix is looked at later.)
  const bool nobody = plan.refused == std::vector<NatWhy>{NatWhy::no_binding};
  if (nobody && w.key.destination.is_v4()) return drop(Drop::nat_no_session);
  const FirewallWord word = firewall(cluster_, ss, w.key, inside);
  if (word.action == FirewallAction::discard) return drop(Drop::firewall_discard);
  if (word.action == FirewallAction::reject) {
    v.reject = true;
    return drop(Drop::firewall_reject);
  }
  if (w.key.protocol == kTcp && (w.flags & (kSyn | kAck)) != kSyn) {
    const bool may = set.tcp_non_syn == TcpNonSyn::allow && nat.term == nullptr && (w.flags & kRst) == 0;
    if (!may) return drop((w.flags & kRst) != 0 ? Drop::tcp_rst_in_listen : Drop::tcp_non_syn);
  }
  const auto mine =
      std::count_if(sessions_.begin(), sessions_.end(), [&](const Live& s) { return s.service_set == ss; });
  if (set.max_sessions && mine >= static_cast<std::ptrdiff_t>(*set.max_sessions)) return drop(Drop::session_limit);
  if (set.max_flows != 0 && 2 * (mine + 1) > static_cast<std::ptrdiff_t>(set.max_flows)) return drop(Drop::flow_limit);
  if (!take_setup_token(ss)) return drop(Drop::session_setup_rate);
  if (sessions_.size() == cluster_.redundancy_sets[0].max_sessions) return drop(Drop::no_session_id);
  const auto refused = [&] {
    for (const NatWhy why : plan.refused) v.reasons.push_back(drop_of(why));
    return v;
  };
  if (plan.nowhere) return refused();
  if (const std::uint32_t limit = set.max_sessions_per_subscriber; limit != 0) {
    const IpAddress& subscriber = inside ? w.key.source : plan.to.destination;
    const auto theirs = std::count_if(sessions_.begin(), sessions_.end(),
                                      [&](const Live& s) { return s.service_set == ss && s.subscriber == subscriber; });
    if (theirs >= static_cast<std::ptrdiff_t>(limit)) return drop(Drop::subscriber_limit);
  }
  if (!plan.refused.empty()) return refused();
  // Answers must find one session only.
  const auto ways = Nat::ways(plan, w.key);
  for (const FlowKey& way : ways) {
    if (flow_of(ss, way.mirrored()).session != nullptr) v.plan.taken.push_back(way);
  }
  const bool resolved = Nat::may_change_source_port(plan, w.key);
  if (v.plan.taken.size() == ways.size() && !resolved) return drop(Drop::nat_conflict);
  if (!v.plan.taken.empty() && !resolved) v.may_fail.push_back(Drop::nat_conflict);
  for (const NatWhy why : plan.may_refuse) v.may_fail.push_back(drop_of(why));
  return v;
}

Model::Verdict Model::judge(std::uint32_t unit, const Wire& w) {
  const Flow flow = flow_of(service_set_of(unit), w.key);
  if (flow.session == nullptr) return judge_first(unit, w);
  Verdict v;
  v.flow = flow;
  if (flow.session->unit[flow.direction] != unit) {
    v.reasons = {Drop::wrong_interface};
    return v;
  }
  if (w.icmp()) {
    const std::uint8_t request = w.v6() ? 128 : 8, reply = w.v6() ? 129 : 0;
    if (w.icmp_type != (flow.direction == 0 ? request : reply)) v.reasons = {Drop::icmp_echo_direction};
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

Live* Model::begin(std::uint32_t unit, const Wire& w, const NatPlan& plan, const FlowKey& egress) {
  const std::uint16_t ss = service_set_of(unit);
  const bool inside = is_inside(unit);
  Live s;
  s.key = {w.key, egress.mirrored()};
  const std::uint32_t across = inside ? outside_unit(ss) : inside_unit(ss);
  s.unit = {unit, plan.hairpin ? unit : across};
  s.subscriber = inside ? w.key.source : s.key[1].source;
  s.service_set = ss;
  const NatWord nat = nat_rule(cluster_, ss, w.key, inside);
  s.application = firewall(cluster_, ss, w.key, inside).application;
  if (!s.application) s.application = nat.application;
  const std::string wrong = nat_.take(plan, ss, w.key, inside, egress, rig_.ticks(), s.translation);
  if (!wrong.empty()) {
    fail("left as " + describe(egress) + ": " + wrong);
    return nullptr;
  }
  coverage_.types.insert(s.translation.type);
  coverage_.hairpins += s.translation.hairpin ? 1U : 0U;
  coverage_.inbound += s.translation.inbound ? 1U : 0U;
  coverage_.both_ends += s.translation.inbound && !(s.key[0].source == s.key[1].destination) ? 1U : 0U;
  s.created = s.last = rig_.ticks();
  if (w.key.protocol == kTcp) open(s.tcp, w);
  set_timeout(s);
  sessions_.push_back(std::move(s));
  Live& session = sessions_.back();
  for (unsigned d = 0; d < 2; ++d) {
    if (!flows_[ss].try_emplace(session.key[d], Flow{&session, d}).second) {
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
  // Whether a FIN was acknowledged before a takeover is not known to every twin.
  if (!s.tcp.strict && (s.tcp.state == TcpState::closing || s.tcp.state == TcpState::time_wait)) {
    const auto found = rig_.active().table().find(s.service_set, s.key[0]);
    if (found && rig_.active().table().at(found->slot).tcp_state == TcpState::closing) s.tcp.state = TcpState::closing;
  }
  if (s.tcp.state != before) set_timeout(s);
}

void Model::end(Live& session) {
  const TcpState state = session.tcp.state;
  const bool ended = session.key[0].protocol == kTcp && (state == TcpState::time_wait || state == TcpState::closed);
  nat_.release(session.translation, ended, rig_.ticks());
  for (const FlowKey& key : session.key) flows_[session.service_set].erase(key);
  sessions_.remove_if([&](const Live& s) { return &s == &session; });
}

void Model::clear(std::size_t which) {
  if (sessions_.empty()) return;
  Live& session = *std::next(sessions_.begin(), static_cast<std::ptrdiff_t>(which % sessions_.size()));
  about_ = "clearing " + describe(session.key[0]);
  const auto slot = rig_.active().table().find(session.service_set, session.key[0]);
  if (!slot) return fail("the engine does not know the session");
  rig_.active().remove(slot->slot);
  end(session);
}

}  // namespace icr::node::test::nat_model
