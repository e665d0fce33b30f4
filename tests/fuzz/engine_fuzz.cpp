// Sequences of packets through the engine, with every kind of NAT. An input is a list of steps: a packet of a small
// world, an answer to a packet that left or an ICMP error about it, either in fragments, time, a takeover. All
// checksums are right on the way in, so they are on the way out.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/flow/engine.h"
#include "tests/fuzz/engine_cluster.h"
#include "tests/support/packets.h"

namespace {

using namespace icr;
using namespace icr::node;
using test::Bytes;
using test::Spec;

constexpr std::size_t kRemembered = 16;

struct Left {
  Bytes bytes;
  std::uint32_t unit = 0;
};

class Sink final : public PacketSink {
 public:
  void send(const Packet& packet) override {
    Bytes bytes(packet.data, packet.data + packet.length);
    Headers headers;
    fuzz::require(read_headers(bytes.data(), packet.length, headers) == HeaderError::none);
    fuzz::require(packet.unit >= 1 && packet.unit <= 4 && headers.l3_length == packet.length);
    if (!headers.fragment && !headers.fragment_header && headers.l4 == headers.l3 + (headers.v6 ? 40 : 20)) {
      const test::Seen seen = test::look(bytes);
      fuzz::require(seen.checksums);
      // In IPv6 there is no UDP without checksum, unless it came so.
      const bool udp_zero = headers.protocol == 17 && headers.l4[6] == 0 && headers.l4[7] == 0;
      fuzz::require(!udp_zero || !headers.v6);
    }
    if (left.size() == kRemembered) left.erase(left.begin());
    left.push_back({std::move(bytes), packet.unit});
  }
  std::vector<Left> left;
};

class Steps {
 public:
  Steps(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  [[nodiscard]] bool over() const { return at_ == end_; }
  std::uint8_t take() { return over() ? std::uint8_t{0} : *at_++; }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

std::string inside_v4(unsigned n) { return "198.18.0." + std::to_string(1 + n % 14); }
std::string outside_v4(unsigned n) {
  // Servers, and what is translated to something.
  static constexpr std::array<const char*, 12> kAddresses = {
      "198.19.0.1",  "198.19.0.2",  "198.19.0.3",   "198.19.0.4",   "203.0.113.0",  "203.0.113.2",
      "203.0.113.4", "203.0.113.8", "203.0.113.12", "203.0.113.16", "203.0.113.80", "203.0.113.81"};
  return kAddresses[n % kAddresses.size()];
}
std::string inside_v6(unsigned n) { return "2001:db8:18::" + std::to_string(1 + n % 4); }
std::string outside_v6(unsigned n) {
  static constexpr std::array<const char*, 8> kAddresses = {
      "2001:db8:19::1",         "2001:db8:19::4",         "2001:db8:64::c613:1",    "2001:db8:64::c613:2",
      "2001:db8:64::cb00:710e", "2001:db8:64::cb00:710f", "2001:db8:64::cb00:7100", "2001:db8:99::1"};
  return kAddresses[n % kAddresses.size()];
}
std::uint16_t port_of(unsigned n) {
  static constexpr std::array<std::uint16_t, 8> kPorts = {80, 2000, 2001, 2016, 139, 4000, 5001, 65535};
  return kPorts[n % kPorts.size()];
}

void shape(Spec& s, Steps& in) {
  const std::uint8_t kind = in.take();
  const std::uint8_t more = in.take();
  s.ttl = (more & 1U) != 0 ? 1 : 64;
  s.dont_fragment = (more & 2U) != 0;
  const bool six = s.source.find(':') != std::string::npos;
  const std::size_t size = (more & 4U) != 0 ? 1390 : in.take();
  s.payload.assign(size, kind);
  switch (kind % 4) {
    case 0:
      s.protocol = 17;
      s.udp_without_checksum = (more & 8U) != 0 && !six;
      break;
    case 1:
      s.protocol = 6;
      s.flags = in.take() & 0x3f;
      s.seq = 1000U + in.take();
      s.ack = 1000U + in.take();
      if ((more & 8U) != 0) s.tcp_options = {2, 4, 5, 0xb4};
      break;
    case 2:
      s.protocol = six ? 58 : 1;
      s.icmp_type = static_cast<std::uint8_t>(six ? 128U + (more >> 4 & 1U) : (more & 16U) != 0 ? 0U : 8U);
      break;
    default:
      s.protocol = (more & 32U) != 0 ? 47 : 132;
      if (s.protocol == 132) s.payload.resize(std::max<std::size_t>(size, 12), 1);
      break;
  }
  if ((more & 64U) != 0 && !six) s.ip_options = {7, 4, 4, 0};
  if ((more & 64U) != 0 && six) {
    s.v6_first = 60;
    s.v6_extensions = {s.protocol, 0, 1, 4, 0, 0, 0, 0};
  }
}

/// A packet of the world.
Bytes fresh(std::uint32_t unit, Steps& in) {
  Spec s;
  const std::uint8_t who = in.take();
  const bool six = unit > 2 && (who & 0x80U) == 0;
  const bool from_inside = unit % 2 == 1;
  s.source = six ? (from_inside ? inside_v6(who) : outside_v6(who)) : (from_inside ? inside_v4(who) : outside_v4(who));
  const std::uint8_t whom = in.take();
  s.destination = six ? outside_v6(whom) : outside_v4(whom);
  if ((whom & 0x40U) != 0) s.destination = six ? inside_v6(whom) : inside_v4(whom);
  const std::uint8_t ports = in.take();
  s.source_port = port_of(ports >> 4);
  s.destination_port = port_of(ports);
  shape(s, in);
  return build(s);
}

/// An answer to a packet that left, as far as it can be taken apart.
Bytes answer(const Bytes& to, Steps& in) {
  const test::Seen seen = test::look(to);
  Spec s;
  s.source = seen.destination;
  s.destination = seen.source;
  s.source_port = seen.destination_port;
  s.destination_port = seen.source_port;
  s.protocol = seen.protocol;
  s.ttl = 64;
  s.payload.assign(in.take(), 7);
  s.icmp_type = seen.protocol == 58 ? 129 : 0;
  const std::uint8_t flags = in.take();
  s.flags = flags & 0x3f;
  s.ack = seen.seq + 1;
  s.seq = (flags & 0x40U) != 0 ? seen.ack : 5000;
  if (seen.protocol == 132) s.payload.resize(std::max<std::size_t>(s.payload.size(), 12), 1);
  return build(s);
}

Bytes error(const Bytes& about, Steps& in) {
  const test::Seen seen = test::look(about);
  const bool six = about[0] >> 4 == 6;
  const std::uint8_t kind = in.take();
  const std::string router = six ? "2001:db8:19::99" : "198.19.0.99";
  const std::size_t quoted = std::min<std::size_t>(about.size(), (kind & 1U) != 0 ? 1000 : (six ? 48 : 28));
  static constexpr std::array<std::uint8_t, 4> kTypes4 = {3, 11, 12, 4};
  const auto type = six ? static_cast<std::uint8_t>(1 + (kind >> 2) % 4) : kTypes4[(kind >> 2) % 4];
  return test::icmp_error((kind & 2U) != 0 ? seen.destination : router, seen.source, type,
                          static_cast<std::uint8_t>((kind >> 4) % 16),
                          Bytes(about.begin(), about.begin() + static_cast<std::ptrdiff_t>(quoted)));
}

struct World {
  TimePoint now{std::chrono::hours(1)};
  Shard shard{fuzz::engine_cluster(), 0, 1, now};
  Engine engine{fuzz::engine_cluster(), {&shard}, 1};
  Sink sink;

  /// In one burst.
  void send(std::uint32_t unit, const std::vector<Bytes>& packets) {
    std::vector<Bytes> buffers;
    std::vector<Packet> burst;
    for (const Bytes& bytes : packets) {
      Bytes& buffer = buffers.emplace_back(kPacketHeadroom);
      buffer.insert(buffer.end(), bytes.begin(), bytes.end());
      const auto size = static_cast<std::uint32_t>(bytes.size());
      burst.push_back({buffer.data() + kPacketHeadroom, size, size, unit, kPacketHeadroom});
    }
    engine.process(burst, now, sink);
  }
  /// Whole, or in fragments in some order.
  void deliver(std::uint32_t unit, const Bytes& bytes, std::uint8_t how) {
    if (how % 4 != 0 || bytes.size() < 60) return send(unit, {bytes});
    // fragments_of() does not know extension headers, whose fragments would not make a packet.
    if (bytes[0] >> 4 == 6 && (bytes[6] == 60 || bytes[6] == 44)) return send(unit, {bytes});
    auto pieces = test::fragments_of(bytes, 8U * (3U + how / 16U), how);
    if ((how & 4U) != 0) std::reverse(pieces.begin(), pieces.end());
    if ((how & 8U) != 0) pieces.pop_back();
    send(unit, pieces);
  }
  void let_time_pass(Duration time) {
    now += time;
    while (!shard.tick(now, 1000)) {
    }
    engine.tick(now);
  }

  /// An external endpoint stands for one internal endpoint only. SCTP ports are not translated, so hosts may share an
  /// endpoint of SCTP, but not towards the same peer.
  void check_owners() const {
    constexpr std::uint8_t kSctp = 132;
    using Endpoint = std::pair<IpAddress, std::uint32_t>;
    std::map<std::pair<Endpoint, Endpoint>, std::pair<IpAddress, std::uint16_t>> owners;
    SessionRecord r;
    for (std::uint32_t slot = 0; slot < fuzz::engine_cluster().redundancy_sets[0].max_sessions; ++slot) {
      if (!shard.read(slot, now, r) || r.nat_pool == 0 || r.initiated_outside) continue;
      if (r.flow[1].destination == r.flow[0].source || r.flow[1].destination_port == 0) continue;
      const Endpoint external{r.flow[1].destination,
                              std::uint32_t{r.flow[1].destination_port} << 8 | r.flow[1].protocol};
      const Endpoint peer =
          r.flow[1].protocol == kSctp ? Endpoint{r.flow[1].source, r.flow[1].source_port} : Endpoint{};
      const std::pair<IpAddress, std::uint16_t> internal{r.flow[0].source, r.flow[0].source_port};
      const auto [found, added] = owners.emplace(std::pair{external, peer}, internal);
      fuzz::require(added || found->second == internal);
    }
  }
};

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Made once, because that takes longer than an input; each input leaves nothing behind.
  static World world;
  world.shard.activate(world.now);
  world.sink.left.clear();
  Steps in(data, size);
  while (!in.over()) {
    const std::uint8_t step = in.take();
    const std::uint8_t which = in.take();
    const std::uint32_t unit = 1U + step / 8U % 4U;
    const bool any = !world.sink.left.empty();
    switch (step % 8) {
      case 2: {
        std::vector<Bytes> burst(1 + which % 4);
        for (Bytes& packet : burst) packet = fresh(unit, in);
        world.send(unit, burst);
        break;
      }
      case 0:
      case 1:
        world.deliver(unit, fresh(unit, in), which);
        break;
      case 3:
      case 4:
        if (any) {
          const Left to = world.sink.left[which % world.sink.left.size()];
          world.deliver(to.unit, answer(to.bytes, in), step);
        }
        break;
      case 5:
        if (any) {
          const Left about = world.sink.left[which % world.sink.left.size()];
          world.send(about.unit, {error(about.bytes, in)});
        }
        break;
      case 6:
        world.let_time_pass(std::chrono::milliseconds(which * which));
        break;
      default:
        if (which < 64) {  // a takeover: windows are learnt again
          world.shard.deactivate(world.now);
          world.shard.activate(world.now);
          world.shard.await_former_packet();
        } else if (any) {  // it comes back
          const Left again = world.sink.left[which % world.sink.left.size()];
          world.send(unit, {again.bytes});
        }
        break;
    }
  }
  world.check_owners();
  // Longer than any timeout of the cluster, twice: bindings outlive their sessions.
  for (int i = 0; i < 2; ++i) world.let_time_pass(400s);
  fuzz::require(world.shard.sessions() == 0 && world.shard.ports_in_use() == 0 && world.shard.digest() == 0);
  const EngineCounters& c = world.engine.counters();
  fuzz::require(c.packets_in + c.rejects_sent + c.errors_sent + c.fragments_made == c.packets_out + c.dropped());
  std::uint64_t of_sets = 0;
  for (const std::uint16_t set : {std::uint16_t{0}, std::uint16_t{1}})
    of_sets += world.engine.counters_of(set)->dropped();
  fuzz::require(c.dropped() == of_sets);
  return 0;
}
