// The engine between IPv6 and IPv4. Sessions are planted, so that what is tested is how they are followed, and not who
// sets them up.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

constexpr auto kHost = "2001:db8:1::10";
constexpr auto kHost2 = "2001:db8:1::20";
constexpr auto kPool = "203.0.113.1";
constexpr auto kServer4 = "198.51.100.7";
constexpr auto kServer6 = "2001:db8:64::c633:6407";
constexpr auto kRouter4 = "192.0.2.250";
constexpr auto kRouter4As6 = "2001:db8:64::c000:2fa";
constexpr auto kRouter6 = "2001:db8:1::1";

FlowKey key(const std::string& source, std::uint16_t sport, const std::string& destination, std::uint16_t dport,
            std::uint8_t protocol) {
  return {*IpAddress::parse(source), *IpAddress::parse(destination), sport, dport, protocol};
}

/// One NAT64 session: a host behind 203.0.113.1, port 5000, and a server, port 80.
struct Nat64Bed : Bed {
  explicit Nat64Bed(std::uint8_t protocol = 17, std::uint32_t mtu = 1280) {
    NatTerm term;
    term.name = "six";
    term.type = NatType::stateful_nat64;
    term.destination_prefix = Prefix::parse("2001:db8:64::/96");
    cluster.nat_rules[0].terms.push_back(term);
    cluster.service_sets[0].nat64.ipv6_mtu = mtu;
    make_engine();
    const bool icmp = protocol == 58;
    const std::uint8_t protocol4 = icmp ? 1 : protocol;
    slot = plant(key(kHost, 40000, kServer6, icmp ? 40000 : 80, protocol),
                 key(kServer4, icmp ? 5000 : 80, kPool, 5000, protocol4), NatType::stateful_nat64);
  }
  [[nodiscard]] const ServiceSetCounters& set() const { return *engine->counters_of(0); }
  std::uint32_t slot = 0;
};

std::uint32_t at16(const Bytes& p, std::size_t at) { return static_cast<std::uint32_t>(p[at] << 8 | p[at + 1]); }

TEST(EngineNat64, UdpBothWays) {
  Nat64Bed bed;
  Spec s = udp(kHost, 40000, kServer6, 80, 100);
  const Seen out = bed.pass(kInside, s);
  EXPECT_EQ(out.source, kPool);
  EXPECT_EQ(out.source_port, 5000);
  EXPECT_EQ(out.destination, kServer4);
  EXPECT_EQ(out.payload, s.payload);
  EXPECT_EQ(out.ttl, 63);
  const Seen back = bed.pass(kOutside, udp(kServer4, 80, kPool, 5000, 60));
  EXPECT_EQ(back.source, kServer6);
  EXPECT_EQ(back.destination, kHost);
  EXPECT_EQ(back.destination_port, 40000);
  EXPECT_EQ(bed.set().nat64_to_v4, 1U);
  EXPECT_EQ(bed.set().nat64_to_v6, 1U);
  EXPECT_EQ(bed.set().existing_accepts, 2U);
  bed.expect_accounted();
}

TEST(EngineNat64, EchoBothWays) {
  Nat64Bed bed(58);
  const Seen out = bed.pass(kInside, echo(kHost, kServer6, 40000));
  EXPECT_EQ(out.protocol, 1);
  EXPECT_EQ(out.icmp_type, 8);
  EXPECT_EQ(out.source_port, 5000);
  const Seen back = bed.pass(kOutside, echo(kServer4, kPool, 5000, true));
  EXPECT_EQ(back.protocol, 58);
  EXPECT_EQ(back.icmp_type, 129);
  EXPECT_EQ(back.destination, kHost);
  EXPECT_EQ(back.source_port, 40000);
}

TEST(EngineNat64, TooBigIsToldToTheServer) {
  Nat64Bed bed;
  Spec s = udp(kServer4, 80, kPool, 5000, 1400);
  s.dont_fragment = true;
  const auto sent = bed.send(kOutside, s);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].unit, kOutside);
  const Seen told = look(sent[0].bytes);
  EXPECT_TRUE(told.checksums);
  EXPECT_EQ(told.source, kPool);
  EXPECT_EQ(told.destination, kServer4);
  EXPECT_EQ(told.icmp_type, 3);
  EXPECT_EQ(told.icmp_code, 4);
  EXPECT_EQ(at16(sent[0].bytes, 26), 1260U);
  EXPECT_EQ(look(told.payload).source_port, 80);
  EXPECT_EQ(bed.drops(Drop::nat64_too_big), 1U);
  EXPECT_EQ(bed.engine->counters().errors_sent, 1U);
  bed.expect_accounted();
}

TEST(EngineNat64, WithoutDontFragmentItIsCut) {
  Nat64Bed bed;
  const Spec s = udp(kServer4, 80, kPool, 5000, 3000);
  const auto sent = bed.send(kOutside, s);
  ASSERT_EQ(sent.size(), 3U);
  std::vector<Bytes> pieces;
  for (const Sent& one : sent) {
    EXPECT_EQ(one.unit, kInside);
    EXPECT_LE(one.bytes.size(), 1280U);
    pieces.push_back(one.bytes);
  }
  const Seen seen = look(reassembled(pieces));
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.payload, s.payload);
  EXPECT_EQ(bed.engine->counters().fragments_made, 2U);
  bed.expect_accounted();
}

TEST(EngineNat64, HopLimitIsToldToTheSender) {
  Nat64Bed bed;
  Spec six = udp(kHost, 40000, kServer6, 80);
  six.ttl = 1;
  auto sent = bed.send(kInside, six);
  ASSERT_EQ(sent.size(), 1U);
  Seen told = look(sent[0].bytes);
  EXPECT_TRUE(told.checksums);
  EXPECT_EQ(sent[0].unit, kInside);
  EXPECT_EQ(told.destination, kHost);
  EXPECT_EQ(told.icmp_type, 3);
  EXPECT_EQ(told.payload, build(six));
  Spec four = udp(kServer4, 80, kPool, 5000);
  four.ttl = 1;
  sent = bed.send(kOutside, four);
  ASSERT_EQ(sent.size(), 1U);
  told = look(sent[0].bytes);
  EXPECT_TRUE(told.checksums);
  EXPECT_EQ(told.icmp_type, 11);
  EXPECT_EQ(told.icmp_code, 0);
  EXPECT_EQ(bed.drops(Drop::nat64_hop_limit), 2U);
  bed.expect_accounted();
}

TEST(EngineNat64, SourceRoutesAreToldToTheSender) {
  Nat64Bed bed;
  Spec four = udp(kServer4, 80, kPool, 5000);
  four.ip_options = {131, 7, 4, 198, 51, 100, 9, 0};
  auto sent = bed.send(kOutside, four);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(look(sent[0].bytes).icmp_type, 3);
  EXPECT_EQ(look(sent[0].bytes).icmp_code, 5);
  Spec six = udp(kHost, 40000, kServer6, 80);
  six.v6_first = 60;
  six.v6_extensions = {43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 4, 1, 0, 0, 0, 0};
  sent = bed.send(kInside, six);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(look(sent[0].bytes).icmp_type, 4);
  EXPECT_EQ(look(sent[0].bytes).icmp_code, 0);
  EXPECT_EQ(at16(sent[0].bytes, 46), 40U + 8 + 3) << "the Segments Left field";
  EXPECT_EQ(bed.drops(Drop::nat64_source_route), 2U);
  bed.expect_accounted();
}

TEST(EngineNat64, OfSourceRoutesOnlyItsOwnSessionsAreTold) {
  Nat64Bed bed;
  Spec four = udp(kServer4, 81, kPool, 5000);  // of no session
  four.ip_options = {131, 7, 4, 198, 51, 100, 9, 0};
  bed.expect_drop(kOutside, four, Drop::source_route);
  four.source_port = 80;
  bed.expect_drop(kInside, four, Drop::source_route);  // of its session, but from the wrong side
  const auto pieces = fragments_of(build(four), 16);
  EXPECT_EQ(bed.send(kOutside, pieces[0]).size(), 1U);
  bed.expect_drop(kOutside, pieces[1], Drop::source_route);  // a later fragment
  EXPECT_EQ(bed.drops(Drop::nat64_source_route), 1U);
  bed.expect_accounted();

  Nat64Bed pings(58);
  Bytes error = icmp_error(kServer4, kPool, 3, 3, build(udp(kPool, 5000, kServer4, 80)));
  error.insert(error.begin() + 20, {131, 7, 4, 198, 51, 100, 9, 0});
  error[0] = 0x47;
  error[3] = static_cast<std::uint8_t>(error[3] + 8);
  fix_ip_checksum(error);
  pings.expect_drop(kOutside, error, Drop::source_route);
}

/// A fragment header has no length: where one would be, a sender may write anything (RFC 8200 section 4.5).
TEST(EngineNat64, SegmentsLeftIsFoundBehindAFragmentHeader) {
  for (const std::uint8_t reserved : std::initializer_list<std::uint8_t>{0, 1, 255}) {
    Nat64Bed bed;
    Spec six = udp(kHost, 40000, kServer6, 80);
    six.v6_first = 44;
    six.v6_extensions = {43, reserved, 0, 0, 0, 0, 0, 9, 17, 0, 4, 1, 0, 0, 0, 0};
    const auto sent = bed.send(kInside, six);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(look(sent[0].bytes).icmp_type, 4);
    EXPECT_EQ(at16(sent[0].bytes, 44) << 16 | at16(sent[0].bytes, 46), 40U + 8 + 3);
    EXPECT_EQ(bed.drops(Drop::nat64_source_route), 1U);
  }
}

TEST(EngineNat64, RefusalsOfTheSenderAreLimited) {
  Nat64Bed bed;
  Spec four = udp(kServer4, 80, kPool, 5000);
  four.ttl = 1;
  for (int i = 0; i < 1500; ++i) (void)bed.send(kOutside, four);
  EXPECT_EQ(bed.engine->counters().errors_sent, 1000U);
  EXPECT_EQ(bed.engine->counters().rejects_suppressed, 500U);
  bed.wait(1s);
  EXPECT_EQ(bed.send(kOutside, four).size(), 1U);
}

TEST(EngineNat64, FragmentsInAnyOrder) {
  for (const bool first_comes_last : {false, true}) {
    Nat64Bed bed;
    const Spec s = udp(kHost, 40000, kServer6, 80, 3000);
    auto pieces = fragments_of(build(s), 1200, 0x1234abcd);
    if (first_comes_last) std::reverse(pieces.begin(), pieces.end());
    std::vector<Bytes> out;
    for (const Bytes& piece : pieces) {
      for (const Sent& sent : bed.send(kInside, piece)) out.push_back(sent.bytes);
    }
    ASSERT_EQ(out.size(), 3U);
    Seen seen = look(reassembled(out));
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.payload, s.payload);
    EXPECT_EQ(seen.source, kPool);
    const Spec b = udp(kServer4, 80, kPool, 5000, 3000);
    pieces = fragments_of(build(b), 1200, 0x77);
    if (first_comes_last) std::reverse(pieces.begin(), pieces.end());
    out.clear();
    for (const Bytes& piece : pieces) {
      for (const Sent& sent : bed.send(kOutside, piece)) out.push_back(sent.bytes);
    }
    ASSERT_EQ(out.size(), 3U);
    seen = look(reassembled(out));
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.payload, b.payload);
    EXPECT_EQ(seen.destination, kHost);
    bed.expect_accounted();
  }
}

TEST(EngineNat64, AFragmentedDatagramWithoutChecksumGoesWhole) {
  Nat64Bed bed;
  Spec s = udp(kServer4, 80, kPool, 5000, 3000);
  s.udp_without_checksum = true;
  const auto pieces = fragments_of(build(s), 1200);
  EXPECT_TRUE(bed.send(kOutside, pieces[1]).empty());  // held
  EXPECT_TRUE(bed.send(kOutside, pieces[0]).empty());
  EXPECT_TRUE(bed.send(kOutside, pieces[2]).empty());
  EXPECT_EQ(bed.drops(Drop::nat64_udp_no_checksum), 1U);
  EXPECT_EQ(bed.drops(Drop::fragment_refused), 2U);
  bed.expect_accounted();
}

TEST(EngineNat64, ErrorOfAnIpv4RouterComesFromBelowThePrefix) {
  Nat64Bed bed;
  const Spec asked = udp(kHost, 40000, kServer6, 80, 50);
  const auto sent = bed.send(kInside, asked);
  ASSERT_EQ(sent.size(), 1U);
  const auto in = bed.send(kOutside, icmp_error(kRouter4, kPool, 11, 0, sent[0].bytes));
  ASSERT_EQ(in.size(), 1U);
  EXPECT_EQ(in[0].unit, kInside);
  const Seen seen = look(in[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, kRouter4As6);
  EXPECT_EQ(seen.destination, kHost);
  EXPECT_EQ(seen.icmp_type, 3);
  const Seen inside = look(seen.payload);
  EXPECT_TRUE(inside.checksums);
  EXPECT_EQ(inside.source, kHost);
  EXPECT_EQ(inside.source_port, 40000);
  EXPECT_EQ(inside.destination, kServer6);
  EXPECT_EQ(inside.payload, asked.payload);
  // From the server itself: its own address.
  const auto own = bed.send(kOutside, icmp_error(kServer4, kPool, 3, 3, sent[0].bytes));
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(look(own[0].bytes).source, kServer6);
  EXPECT_EQ(bed.set().icmp_errors, 2U);
  bed.expect_accounted();
}

TEST(EngineNat64, ErrorOfAnIpv6RouterComesFromThePool) {
  Nat64Bed bed;
  const Spec asked = udp(kServer4, 80, kPool, 5000, 50);
  const auto sent = bed.send(kOutside, asked);
  ASSERT_EQ(sent.size(), 1U);
  const auto out = bed.send(kInside, icmp_error(kRouter6, kServer6, 1, 3, sent[0].bytes));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].unit, kOutside);
  const Seen seen = look(out[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, kPool);
  EXPECT_EQ(seen.destination, kServer4);
  EXPECT_EQ(seen.icmp_type, 3);
  EXPECT_EQ(seen.icmp_code, 1);
  const Seen inside = look(seen.payload);
  EXPECT_TRUE(inside.checksums);
  EXPECT_EQ(inside.destination, kPool);
  EXPECT_EQ(inside.destination_port, 5000);
  bed.expect_accounted();
}

TEST(EngineNat64, ErrorsWithoutEquivalentAreDropped) {
  Nat64Bed bed;
  const auto sent = bed.send(kInside, udp(kHost, 40000, kServer6, 80, 50));
  ASSERT_EQ(sent.size(), 1U);
  bed.expect_drop(kOutside, icmp_error(kRouter4, kPool, 3, 14, sent[0].bytes), Drop::nat64_icmp_no_equal);
  bed.expect_drop(kOutside, icmp_error(kRouter4, kPool, 4, 0, sent[0].bytes), Drop::nat64_icmp_no_equal);
}

// RFC 6146 section 3.8: two IPv6 hosts that talk through the pool; the packet turns back as IPv6.
TEST(EngineNat64, Hairpin) {
  Nat64Bed bed;
  (void)bed.plant(key(kHost, 7000, "2001:db8:64::cb00:7102", 6000, 17),
                  key(kHost2, 9000, "2001:db8:64::cb00:7101", 5001, 17), NatType::stateful_nat64, false, true);
  auto sent = bed.send(kInside, udp(kHost, 7000, "2001:db8:64::cb00:7102", 6000));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].unit, kInside);
  Seen seen = look(sent[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, "2001:db8:64::cb00:7101");
  EXPECT_EQ(seen.destination, kHost2);
  sent = bed.send(kInside, udp(kHost2, 9000, "2001:db8:64::cb00:7101", 5001));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].unit, kInside);
  EXPECT_EQ(look(sent[0].bytes).destination, kHost);
  bed.expect_drop(kOutside, udp(kHost2, 9000, "2001:db8:64::cb00:7101", 5001), Drop::wrong_interface);
}

TEST(EngineNat64, AHairpinSessionPassesNoSegmentsLeft) {
  Nat64Bed bed;
  (void)bed.plant(key(kHost, 7000, "2001:db8:64::cb00:7102", 6000, 17),
                  key(kHost2, 9000, "2001:db8:64::cb00:7101", 5001, 17), NatType::stateful_nat64, false, true);
  Spec there = udp(kHost, 7000, "2001:db8:64::cb00:7102", 6000);
  Spec back = udp(kHost2, 9000, "2001:db8:64::cb00:7101", 5001);
  for (Spec* const six : {&there, &back}) {
    six->v6_first = 60;
    six->v6_extensions = {43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 4, 1, 0, 0, 0, 0};
    const auto sent = bed.send(kInside, *six);
    ASSERT_EQ(sent.size(), 1U);
    const Seen told = look(sent[0].bytes);
    EXPECT_TRUE(told.checksums);
    EXPECT_EQ(told.destination, six == &there ? kHost : kHost2);
    EXPECT_EQ(told.icmp_type, 4);
    EXPECT_EQ(told.icmp_code, 0);
    EXPECT_EQ(at16(sent[0].bytes, 46), 40U + 8 + 3) << "the Segments Left field";
    six->v6_extensions[11] = 0;
    const auto passed = bed.send(kInside, *six);
    ASSERT_EQ(passed.size(), 1U);
    EXPECT_EQ(look(passed[0].bytes).destination, six == &there ? kHost2 : kHost);
  }
  EXPECT_EQ(bed.drops(Drop::nat64_source_route), 2U);
  bed.expect_accounted();
}

Bytes mss(unsigned value) { return {2, 4, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)}; }

TEST(EngineMss, Nat64KeepsSegmentsWithinTheIpv6Mtu) {
  Nat64Bed bed(6, 1400);
  Spec syn = tcp(kHost, 40000, kServer6, 80, kSyn, 1, 0);
  syn.tcp_options = mss(1440);
  auto sent = bed.send(kInside, syn);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(look(sent[0].bytes).checksums);
  EXPECT_EQ(at16(sent[0].bytes, 20 + 22), 1340U);
  // The server's answer bounds what the host sends; that is IPv4's business.
  Spec answer = tcp(kServer4, 80, kPool, 5000, kSyn | kAck, 100, 2);
  answer.tcp_options = mss(1460);
  sent = bed.send(kOutside, answer);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(at16(sent[0].bytes, 40 + 22), 1460U);
  EXPECT_EQ(bed.set().mss_syns, 1U);
  EXPECT_EQ(bed.set().mss_lowered, 1U);
}

TEST(EngineMss, OfTheServiceSet) {
  Plan plan;
  plan.service_options = "tcp-mss: 1300";
  Bed bed(plan);
  Spec syn = tcp("198.18.0.10", 40000, "198.19.0.10", 80, kSyn, 1, 0);
  syn.tcp_options = mss(1460);
  auto sent = bed.send(kInside, syn);
  ASSERT_EQ(sent.size(), 1U);
  const Seen out = look(sent[0].bytes);
  EXPECT_TRUE(out.checksums);
  EXPECT_EQ(at16(sent[0].bytes, 42), 1300U);
  Spec answer = tcp("198.19.0.10", 80, out.source, out.source_port, kSyn | kAck, 100, 2);
  answer.tcp_options = mss(1299);
  sent = bed.send(kOutside, answer);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(at16(sent[0].bytes, 42), 1299U);
  const ServiceSetCounters& set = *bed.engine->counters_of(0);
  EXPECT_EQ(set.mss_syns, 2U);
  EXPECT_EQ(set.mss_lowered, 1U);
}

}  // namespace
}  // namespace icr::node::test
