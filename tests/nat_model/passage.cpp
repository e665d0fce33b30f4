// What must come out for a packet that goes in.
#include <fmt/format.h>

#include <algorithm>

#include "tests/nat_model/arithmetic.h"
#include "tests/nat_model/model.h"
#include "tests/nat_model/wire64.h"

namespace icr::node::test::nat_model {

bool Model::tells_host(std::uint32_t unit, const std::vector<Drop>& reasons) const {
  static const std::set<Drop> kUsedUp = {Drop::out_of_ports,  Drop::out_of_addresses,        Drop::nat_parity,
                                         Drop::nat_range,     Drop::nat_port_limit,          Drop::nat_out_of_blocks,
                                         Drop::nat_no_memory, Drop::nat_paired_out_of_ports, Drop::nat_block_limit,
                                         Drop::nat_conflict,  Drop::session_limit,           Drop::subscriber_limit,
                                         Drop::flow_limit,    Drop::no_session_id,           Drop::session_setup_rate};
  const ServiceSet& set = cluster_.service_sets[service_set_of(unit)];
  return is_inside(unit) && set.session_refusal != SessionRefusal::silent &&
         std::any_of(reasons.begin(), reasons.end(), [](Drop d) { return kUsedUp.count(d) != 0; });
}

void Model::expect_reject(const Outcome& o, std::uint32_t unit, const Wire& w, const Bytes& as_sent, bool reset,
                          std::vector<Ticks>& sent) {
  std::erase_if(sent, [&](Ticks t) { return rig_.ticks() - t >= 20; });
  if (w.key.protocol == kTcp && (w.flags & kRst) != 0) {
    if (!o.sent.empty()) fail("a RST was answered");
    return;
  }
  // At most a hundred a second; how seconds are counted is the engine's.
  if (o.sent.empty() && o.rejects_suppressed == 1 && sent.size() >= 100) return;
  sent.push_back(rig_.ticks());
  if (o.sent.size() != 1 || o.rejects != 1) return fail("a rejected packet was not answered");
  const std::size_t header = w.v6() ? (as_sent[6] == 44 ? 48 : 40) : 20;
  Wire answer;
  answer.key = w.key.mirrored();
  answer.dont_fragment = true;
  if (reset) {
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

bool Model::renumbered(const Wire& w, const IpAddress& source, bool fragments) {
  return !w.v6() && source.is_v4() && !(w.key.source == source) && (fragments || !w.dont_fragment);
}

void Model::expect_new_id(const Wire& out) {
  const bool fresh = ids_[{out.key.source, out.key.destination, out.key.protocol}].insert(out.ip_id).second;
  if (!fresh) fail("two packets between the same addresses with one identification");
}

Wire Model::leaves(const Wire& w, const Flow& flow, const Outcome& o, bool fragments) const {
  const Live& s = *flow.session;
  const ServiceSet& set = cluster_.service_sets[s.service_set];
  const FlowKey egress = s.key[1 - flow.direction].mirrored();
  const bool crosses = egress.source.is_v4() == w.v6();
  const bool renumbered = Model::renumbered(w, egress.source, fragments);
  Wire out = w;
  out.key = egress;
  if (crosses) {
    out = across(w, egress, set.nat64.clear_dont_fragment);
    if (!out.v6() && o.sent[0].bytes.size() >= 20) {  // the translator's own identification
      out.ip_id = static_cast<std::uint16_t>(o.sent[0].bytes[4] << 8 | o.sent[0].bytes[5]);
    }
  }
  if (!crosses && renumbered && o.sent[0].bytes.size() >= 20) {
    out.ip_id = static_cast<std::uint16_t>(o.sent[0].bytes[4] << 8 | o.sent[0].bytes[5]);
  }
  if ((w.flags & kSyn) != 0 && w.mss >= 0) {
    int limit = set.tcp_mss == 0 ? 65535 : set.tcp_mss;
    if (s.translation.type == NatType::stateful_nat64) {
      // tcp-mss is meant for IPv4, whose header is 20 octets shorter; and what goes to IPv4 must fit as IPv6.
      if (set.tcp_mss != 0) limit -= 20;
      if (crosses && w.v6()) limit = std::min(limit, static_cast<int>(set.nat64.ipv6_mtu) - 60);
    }
    out.mss = std::min(w.mss, limit);
  }
  return out;
}

bool Model::packet(std::uint32_t unit, const Wire& w, const Cut& cut) {
  about_ = fmt::format("unit {}: {}", unit, describe(w));
  std::uint32_t id = next_ip_id();
  const std::size_t all = build(w).size() - (w.v6() ? 40 : 20);
  const bool fragments = cut.chunk != 0 && cut.chunk < all;
  const auto pieces_of = [&](const Wire& wire) {
    return fragments ? fragments_of(build(wire), cut.chunk, id) : std::vector<Bytes>{build(wire)};
  };
  const std::vector<Bytes> in = pieces_of(w);
  std::vector<std::size_t> order = cut.order;
  if (!fragments) order = {0};
  trace(fmt::format("{} in {} of {} pieces", about_, order.size(), in.size()));

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
    coverage_.drops.insert(o.drops.begin(), o.drops.end());
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
    flow = flow_of(service_set_of(unit), w.key);
    const Wire out = leaves(w, flow, o, fragments);
    if (renumbered(w, out.key.source, fragments)) {
      expect_new_id(out);
      id = out.ip_id;
    }
    want = pieces_of(out);
    if (fragments) cut_up(flow.session->tcp, flow.direction);
    compare(o, flow, want, waiting);
    account(flow, in[0]);
    for (const std::size_t later : waiting) account(flow, in[later]);
  }
  return passed;
}

bool Model::first_piece(std::uint32_t unit, const Wire& w, const Outcome& o, const Verdict& verdict,
                        const std::vector<Bytes>& in, std::size_t waiting) {
  std::vector<Drop> reasons = verdict.reasons;
  // One of the packets that leave may be an answer to the sender.
  if (o.sent.empty() || o.rejects != 0) reasons.insert(reasons.end(), verdict.may_fail.begin(), verdict.may_fail.end());
  if (!reasons.empty()) {
    std::vector<Drop> drops = o.drops;
    const bool right =
        drops.size() == 1 + waiting &&
        std::find_first_of(drops.begin(), drops.end(), reasons.begin(), reasons.end()) != drops.end() &&
        std::count(drops.begin(), drops.end(), Drop::fragment_refused) >= static_cast<std::ptrdiff_t>(waiting);
    if (!right) fail(fmt::format("not dropped for {}, but {}", to_string(reasons[0]), fate_of(o)));
    const bool reset = w.key.protocol == kTcp && o.drops.size() == 1 + waiting && reasons[0] == Drop::tcp_non_syn &&
                       cluster_.service_sets[service_set_of(unit)].tcp_non_syn == TcpNonSyn::drop_flow_send_rst;
    const bool with_rst = w.key.protocol == kTcp;
    if (verdict.reject || reset) {
      expect_reject(o, unit, w, in[0], with_rst, rejects_);
    } else if (tells_host(unit, o.drops)) {
      const bool by_rst = cluster_.service_sets[service_set_of(unit)].session_refusal == SessionRefusal::reset;
      expect_reject(o, unit, w, in[0], with_rst && by_rst, refusals_);
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
  return begin(unit, w, verdict.plan, key_of(o.sent[0].bytes)) != nullptr;
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

IpAddress Model::error_source(std::uint32_t unit, const Wire& w, const Flow& flow) const {
  const Live& s = *flow.session;
  const IpAddress& source = s.key[flow.direction].source;
  const IpAddress& translated = s.key[1 - flow.direction].destination;
  if (w.key.source == source) return translated;
  if (w.v6() != translated.is_v4()) {
    // A router keeps its address, but inside it has none that the outside knows (RFC 5508 section 4.2).
    return is_inside(unit) && !(source == translated) ? translated : w.key.source;
  }
  if (w.v6()) return translated;
  for (const NatTerm* term : nat_terms(cluster_, s.service_set)) {
    if (term->type == NatType::stateful_nat64 && in_prefix(*term->destination_prefix, translated)) {
      return embedded(*term->destination_prefix, w.key.source);
    }
  }
  return translated;
}

void Model::icmp_error(std::uint32_t unit, const Wire& w) {
  about_ = fmt::format("unit {}: {}", unit, describe(w));
  trace(about_);
  const Outcome o = rig_.send(unit, build(w));
  ++packets_;
  const Flow flow = flow_of(service_set_of(unit), w.about->key.mirrored());
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
  // RFC 5508 section 4.2: both headers.
  const Live& s = *flow.session;
  const FlowKey egress = s.key[1 - flow.direction].mirrored();
  FlowKey outer = w.key;
  outer.source = error_source(unit, w, flow);
  outer.destination = egress.destination;
  Wire out = w;
  if (egress.source.is_v4() == w.v6()) {
    outer.protocol = egress.source.is_v4() ? kIcmp : kIcmp6;
    const auto other =
        error_across(w, outer, s.key[1 - flow.direction], cluster_.service_sets[s.service_set].nat64.ipv6_mtu);
    if (!other) {
      if (o.sent.empty() && o.drops == std::vector<Drop>{Drop::nat64_icmp_no_equal}) return;
      return fail("an error without equivalent in the other family, but " + fate_of(o));
    }
    out = *other;
    if (!o.sent.empty() && !out.v6()) {
      out.ip_id = static_cast<std::uint16_t>(o.sent[0].bytes[4] << 8 | o.sent[0].bytes[5]);
    }
  } else {
    Wire inner = *w.about;
    inner.key = s.key[1 - flow.direction];
    out.key = outer;
    out.about = std::make_shared<Wire>(inner);
    if (o.sent.size() == 1 && renumbered(w, outer.source, false)) {
      out.ip_id = static_cast<std::uint16_t>(o.sent[0].bytes[4] << 8 | o.sent[0].bytes[5]);
      expect_new_id(out);
    }
  }
  if (o.sent.size() != 1 || !o.drops.empty()) return fail("did not pass, but " + fate_of(o));
  compare(o, flow, {build(out)}, {});
}

}  // namespace icr::node::test::nat_model
