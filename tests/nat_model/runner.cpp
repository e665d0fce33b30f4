#include "tests/nat_model/runner.h"

#include <algorithm>

namespace icr::node::test::nat_model {
Runner::Runner(std::uint64_t seed, Dice& dice, const World& world, Coverage& coverage)
    : dice_(dice), world_(world), rig_(world.cluster, seed), model_(world, rig_, coverage) {
  for (const World::Side& side : world.sides) nat64_ |= !side.internal6.empty();
}

void Runner::run(std::uint64_t packets) {
  advance(packets);
  if (!model_.failed()) model_.quiet();
}

void Runner::advance(std::uint64_t packets) {
  while (model_.packets() < packets && !model_.failed()) {
    ++step_;
    act();
    if (step_ % 64 == 0 && !model_.failed()) model_.check();
  }
}

void Runner::act() {
  const auto what = dice_.below(1000);
  if (what < 330) return from_inside();
  if (what < 700) return answer();
  if (what < 800) return from_outside();
  if (what < 850) return error_about();
  if (what < 865) return wrong_side();
  if (what < 980) return pass_time();
  if (what < 988) return model_.clear(dice_.word());
  if (what < 996) return model_.replicate();
  model_.take_over(dice_.chance(30));
}

std::uint16_t Runner::any_service_set() {
  return static_cast<std::uint16_t>(dice_.below(static_cast<std::uint32_t>(world_.cluster.service_sets.size())));
}

Live* Runner::any_session() {
  auto& all = model_.sessions();
  if (all.empty()) return nullptr;
  return &*std::next(all.begin(), dice_.below(static_cast<std::uint32_t>(all.size())));
}

// -- Packets --

void Runner::decorate(Wire& w) {
  w.traffic_class = dice_.chance(20) ? static_cast<std::uint8_t>(dice_.word()) : std::uint8_t{0};
  w.hop_limit = static_cast<std::uint8_t>(dice_.between(3, 255));
  w.dont_fragment = dice_.chance(40);
  w.ip_id = static_cast<std::uint16_t>(dice_.word());
  w.flow_label = dice_.chance(30) ? dice_.word() & 0xfffffU : 0;
}

Wire Runner::fresh(const IpAddress& source, std::uint16_t sport, const IpAddress& destination, std::uint16_t dport,
                   std::uint8_t protocol) {
  Wire w;
  w.key = {source, destination, sport, dport, protocol};
  decorate(w);
  if (w.icmp()) {
    w.key.destination_port = sport;
    w.icmp_type = w.v6() ? 128 : 8;
    w.icmp_sequence = static_cast<std::uint16_t>(dice_.word());
  } else if (protocol != kTcp && protocol != kUdp) {
    w.key.source_port = w.key.destination_port = 0;
  }
  if (protocol == kTcp) {
    w.flags = kSyn;
    w.seq = dice_.word();
    w.scale = dice_.chance(50) ? -1 : static_cast<int>(dice_.below(3));
    w.mss = dice_.chance(50) ? static_cast<int>(dice_.between(500, 9000)) : -1;
    return w;
  }
  w.payload.resize(dice_.chance(10) ? dice_.between(0, 900) : dice_.between(0, 80));
  for (std::uint8_t& octet : w.payload) octet = static_cast<std::uint8_t>(dice_.word());
  // An empty echo of zeros would have two right checksums.
  if (w.icmp() && !w.payload.empty()) w.payload[0] = 0xa5;
  if (w.icmp() && w.payload.empty()) w.icmp_sequence = static_cast<std::uint16_t>(w.icmp_sequence | 1U);
  w.udp_without_checksum = protocol == kUdp && !w.v6() && dice_.chance(10);
  return w;
}

std::uint8_t Runner::portless(bool v6) {
  if (dice_.chance(40)) return v6 ? kIcmp : kIcmp6;  // ICMP of the other family
  if (dice_.chance(30)) return kGre;
  // Not those that have ports, nor extension headers, nor what no packet may have.
  const std::vector<std::uint8_t> others = {kIcmp, kTcp, kUdp, kIcmp6, 43, 44, 60, 132};
  std::uint32_t protocol = 0;
  do {
    protocol = dice_.between(1, 254);
  } while (std::find(others.begin(), others.end(), protocol) != others.end());
  return static_cast<std::uint8_t>(protocol);
}

Cut Runner::cut(const Wire& w) {
  Cut c;
  const std::size_t size = w.payload.size() + 8;
  // What the other family cannot have in fragments.
  if (nat64_ && (w.icmp() || w.udp_without_checksum)) return c;
  if (size < 64 || !dice_.chance(25)) return c;
  c.chunk = (dice_.between(48, static_cast<std::uint32_t>(std::max<std::size_t>(56, size - 1))) + 7) / 8 * 8;
  const std::size_t pieces = (size + (w.key.protocol == kTcp ? 20 : 0)) / c.chunk + 1;
  for (std::size_t i = 0; i < pieces; ++i) c.order.push_back(i);
  if (dice_.chance(50)) {
    for (std::size_t i = pieces; i > 1; --i)
      std::swap(c.order[i - 1], c.order[dice_.below(static_cast<std::uint32_t>(i))]);
  }
  if (dice_.chance(10)) c.order.erase(c.order.begin() + dice_.below(static_cast<std::uint32_t>(pieces)));
  return c;
}

void Runner::send(std::uint32_t unit, Wire w) {
  // One of a flow that is known already: as TCP wants it.
  if (Live* const known = model_.find(unit, w.key); known != nullptr && w.key.protocol == kTcp) return tcp(*known);
  (void)model_.packet(unit, w, cut(w));
}

void Runner::from_inside() {
  const std::uint16_t ss = any_service_set();
  const World::Side& side = world_.sides[ss];
  const bool v6 = dice_.chance(20);
  const std::uint32_t roll = dice_.below(100);
  const std::uint8_t protocol = roll < 40 ? kUdp : roll < 75 ? kTcp : roll < 95 ? (v6 ? kIcmp6 : kIcmp) : portless(v6);
  IpAddress destination = dice_.pick(v6 ? world_.servers6 : world_.servers);
  std::uint16_t port = dice_.pick(world_.server_ports);
  const auto& other_names = v6 ? side.internal6 : side.internal;
  if (!other_names.empty() && dice_.chance(50)) {
    destination = dice_.pick(other_names);
  } else if (!side.external.empty() && dice_.chance(15)) {  // another host, by its external address
    if (const IpAddress& external = dice_.pick(side.external); external.is_v4() != v6) {
      destination = external;
      port = known_port(external, port);
    }
  }
  IpAddress source = dice_.pick(v6 ? world_.hosts6 : world_.hosts);
  if (!side.external.empty() && dice_.chance(2)) {  // an external address as its own
    if (const IpAddress& external = dice_.pick(side.external); external.is_v4() != v6) source = external;
  }
  if (source == destination) return;
  Wire w = fresh(source, dice_.pick(world_.client_ports), destination, port, protocol);
  if (protocol == kTcp && dice_.chance(10)) {  // from the middle of a connection
    w.flags = dice_.chance(70) ? kAck : dice_.chance(50) ? kAck | kSyn : kAck | kRst;
    w.mss = -1;
    if ((w.flags & kSyn) == 0) w.scale = -1;
    w.ack = dice_.word();
  }
  if (w.icmp() && dice_.chance(5)) w.icmp_type = v6 ? 129 : 0;
  send(inside_unit(ss), w);
}

std::uint16_t Runner::known_port(const IpAddress& external, std::uint16_t otherwise) {
  if (dice_.chance(30)) return otherwise;
  std::vector<std::uint16_t> ports;
  for (const Live& s : model_.sessions()) {
    if (s.key[1].destination == external && s.key[1].destination_port != 0) ports.push_back(s.key[1].destination_port);
  }
  for (const Mapping& m : model_.nat().mappings()) {
    if (m.external.address == external) ports.push_back(m.external.port);
  }
  return ports.empty() ? otherwise : dice_.pick(ports);
}

void Runner::from_outside() {
  const std::uint16_t ss = any_service_set();
  const World::Side& side = world_.sides[ss];
  const std::uint32_t roll = dice_.below(100);
  bool v6 = dice_.chance(15);
  IpAddress destination = dice_.pick(v6 ? world_.hosts6 : world_.hosts);
  std::uint16_t port = dice_.pick(world_.client_ports);
  if (!side.external.empty() && dice_.chance(75)) {
    destination = dice_.pick(side.external);
    port = known_port(destination, dice_.chance(50) ? port : dice_.pick(world_.server_ports));
    v6 = !destination.is_v4();
  }
  const std::uint8_t protocol = roll < 45 ? kUdp : roll < 80 ? kTcp : roll < 95 ? (v6 ? kIcmp6 : kIcmp) : portless(v6);
  std::uint16_t from = dice_.pick(world_.server_ports);
  if (protocol == (v6 ? kIcmp6 : kIcmp)) from = port;  // the identifier
  const Wire w = fresh(dice_.pick(v6 ? world_.servers6 : world_.servers), from, destination, port, protocol);
  send(outside_unit(ss), w);
}

void Runner::answer() {
  if (Live* const session = any_session()) talk(*session);
}

void Runner::talk(Live& s) {
  if (s.key[0].protocol == kTcp) return tcp(s);
  const unsigned d = dice_.chance(60) ? 1 : 0;
  const FlowKey& key = s.key[d];
  Wire w = fresh(key.source, key.source_port, key.destination, key.destination_port, key.protocol);
  if (w.icmp() && (d == 1) != dice_.chance(3)) w.icmp_type = w.v6() ? 129 : 0;
  (void)model_.packet(s.unit[d], w, cut(w));
}

void Runner::tcp(Live& s) {
  const Segment segment = next_segment(s.tcp, dice_);
  Wire w;
  w.key = s.key[segment.direction];
  decorate(w);
  w.flags = segment.flags;
  w.seq = segment.seq;
  w.ack = segment.ack;
  w.scale = segment.scale;
  w.mss = segment.mss;
  w.payload.resize(segment.payload);
  for (std::uint8_t& octet : w.payload) octet = static_cast<std::uint8_t>(dice_.word());
  const bool plain = (w.flags & (kSyn | kRst | kFin)) == 0;
  (void)model_.packet(s.unit[segment.direction], w, plain ? cut(w) : Cut{});
}

void Runner::error_about() {
  Live* const s = any_session();
  if (s == nullptr) return;
  const unsigned d = dice_.below(2);  // the flow that the error travels with
  const bool v6 = !s->key[d].source.is_v4();
  // The packet that the sender of the error saw: of the other flow, as it left the engine.
  auto about = std::make_shared<Wire>(fresh(s->key[d].destination, s->key[d].destination_port, s->key[d].source,
                                            s->key[d].source_port, s->key[d].protocol));
  about->key = s->key[d].mirrored();
  if (about->icmp() && d == 0) about->icmp_type = v6 ? 129 : 0;
  const bool ports = translated_by_port(about->key);
  if (ports && dice_.chance(5))
    about->key.source_port = about->key.destination_port = static_cast<std::uint16_t>(dice_.word() | 1U);
  Wire w;
  decorate(w);
  const bool router = dice_.chance(50);
  const IpAddress somewhere = *IpAddress::parse(v6 ? "2001:db8:77::1" : "192.0.2.77");
  w.key = {router ? somewhere : s->key[d].source, about->key.source, 0, 0, v6 ? kIcmp6 : kIcmp};
  w.icmp_type =
      v6 ? static_cast<std::uint8_t>(dice_.between(1, 4)) : std::vector<std::uint8_t>{3, 4, 11, 12}[dice_.below(4)];
  w.icmp_code = static_cast<std::uint8_t>(dice_.below(5));
  w.icmp_rest = dice_.chance(30) ? dice_.below(1500) : 0;
  if (!v6 && w.icmp_type == 12) w.icmp_rest = dice_.below(24) << 24;
  if (v6 && w.icmp_type == 4) w.icmp_rest = dice_.below(48);
  w.about = about;
  const std::uint32_t header = v6 ? 40 : 20;
  w.quoted = dice_.chance(5) ? header + 2 : header + 8 + 4 * dice_.below(30);
  if (!ports) w.quoted = std::max<std::size_t>(w.quoted, header + 8);
  const std::uint32_t unit = dice_.chance(95) ? s->unit[d] : s->unit[1 - d];
  model_.icmp_error(unit, w);
}

void Runner::wrong_side() {
  Live* const s = any_session();
  if (s == nullptr || s->unit[0] == s->unit[1]) return;
  const unsigned d = dice_.below(2);
  const FlowKey& key = s->key[d];
  const Wire w = fresh(key.source, key.source_port, key.destination, key.destination_port, key.protocol);
  (void)model_.packet(s->unit[1 - d], w);
}

void Runner::pass_time() {
  const auto roll = dice_.below(100);
  model_.wait(roll < 60 ? dice_.between(1, 5) : roll < 90 ? dice_.between(1, 30) : dice_.between(30, 600));
}

}  // namespace icr::node::test::nat_model
