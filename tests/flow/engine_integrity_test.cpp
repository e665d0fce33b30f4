// Tests packets with wrong claims (checksums, quoted headers, overlaps), identifications of hosts that share an
// address, and ICMP queries other than echo.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

constexpr auto kOther = "198.18.0.11";
constexpr std::size_t kIpv4 = 20;

Bytes damaged(const Spec& spec) {
  Bytes packet = build(spec);
  const std::size_t at = kIpv4 + (spec.protocol == 6 ? 16U : spec.protocol == 17 ? 6U : 2U);
  packet[at] = static_cast<std::uint8_t>(packet[at] ^ 0x55U);
  return packet;
}

std::uint16_t id_of(const Bytes& packet) { return static_cast<std::uint16_t>(packet[4] << 8 | packet[5]); }

// -- RFC 9293 section 3.1, RFC 7857 section 2.2: no state by what its receiver throws away --

TEST(EngineChecksums, ASegmentThatWouldChangeTheStateIsSound) {
  Bed bed;
  bed.expect_drop(kInside, damaged(tcp(kClient, 40000, kServer, 80, kSyn, 1000, 0)), Drop::tcp_checksum);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  const Seen syn = bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kSyn, 1000, 0));
  const auto back = [&](std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
    return tcp(kServer, 80, syn.source, syn.source_port, flags, seq, ack);
  };
  bed.expect_drop(kOutside, damaged(back(kSyn | kAck, 5000, 1001)), Drop::tcp_checksum);
  (void)bed.pass(kOutside, back(kSyn | kAck, 5000, 1001));
  bed.expect_drop(kInside, damaged(tcp(kClient, 40000, kServer, 80, kAck, 1001, 5001)), Drop::tcp_checksum);
  EXPECT_EQ(bed.record().tcp_state, TcpState::syn_received);
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001, 5001));
  bed.expect_drop(kOutside, damaged(back(kRst, 5001, 0)), Drop::tcp_checksum);
  bed.expect_drop(kOutside, damaged(back(kFin | kAck, 5001, 1001)), Drop::tcp_checksum);
  bed.expect_drop(kOutside, damaged(back(kSyn, 5001, 0)), Drop::tcp_checksum);
  EXPECT_EQ(bed.record().tcp_state, TcpState::established);
  // The fast path does not verify checksums.
  EXPECT_EQ(bed.send(kOutside, damaged(back(kAck, 5001, 1001))).size(), 1U);
  (void)bed.pass(kOutside, back(kRst, 5001, 0));
  EXPECT_EQ(bed.record().tcp_state, TcpState::closed);
  bed.expect_accounted();
}

TEST(EngineChecksums, ADatagramThatWouldSetUpASession) {
  Bed bed;
  bed.expect_drop(kInside, damaged(udp(kClient, 5000, kServer, 53)), Drop::udp_checksum);
  Spec ping = echo(kClient, kServer, 7);
  bed.expect_drop(kInside, damaged(ping), Drop::icmp_checksum);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  Spec without = udp(kClient, 5000, kServer, 53);
  without.udp_without_checksum = true;
  (void)bed.pass(kInside, without);
  (void)bed.pass(kInside, ping);
  (void)bed.pass(kInside, udp("2001:db8:18::1", 9, "2001:db8:19::1", 53));
  EXPECT_EQ(bed.shard->sessions(), 3U);
  bed.expect_accounted();
}

TEST(EngineChecksums, WhatTheKernelHasNotFinishedIsNoDamage) {
  Bed bed;
  Bytes packet = damaged(tcp(kClient, 40000, kServer, 80, kSyn, 1000, 0));
  packet.reserve(2048);
  Packet unfinished{packet.data(), static_cast<std::uint32_t>(packet.size()), 2048, kInside};
  unfinished.partial_checksum = true;
  Capture out;
  bed.engine->process({&unfinished, 1}, bed.now, out);
  EXPECT_EQ(out.count, 1U);
  EXPECT_EQ(bed.shard->sessions(), 1U);
}

TEST(EngineChecksums, AQuotedHeaderIsSound) {  // RFC 5508 REQ-3 a
  Bed bed;
  const auto sent = bed.send(kInside, udp(kClient, 5000, kServer, 53));
  ASSERT_EQ(sent.size(), 1U);
  Bytes quoted = sent[0].bytes;
  const std::string pool = look(quoted).source;
  EXPECT_EQ(bed.send(kOutside, icmp_error(kServer, pool, 3, 3, quoted)).size(), 1U);
  quoted[8] = static_cast<std::uint8_t>(quoted[8] - 1);  // a router that counted down without the checksum
  bed.expect_drop(kOutside, icmp_error(kServer, pool, 3, 3, quoted), Drop::icmp_error_checksum);
  bed.expect_accounted();
}

// -- RFC 5722, RFC 8200 section 4.5 --

TEST(EngineOverlap, TheWholeDatagramIsDiscarded) {  // pf.overlap6
  for (const bool six : {false, true}) {
    Bed bed;
    const Spec spec = six ? udp("2001:db8:18::1", 5, "2001:db8:19::1", 53, 600) : udp(kClient, 5, kServer, 53, 600);
    const auto f = fragments_of(build(spec), 160, 9);
    ASSERT_EQ(f.size(), 4U);
    const Bytes overlap = fragments_of(build(spec), 80, 9)[3];  // octets 240 to 320: the end of the second
    EXPECT_EQ(bed.send(kInside, f[0]).size(), 1U);
    EXPECT_EQ(bed.send(kInside, f[1]).size(), 1U);
    bed.expect_drop(kInside, overlap, Drop::fragment_overlap);
    bed.expect_drop(kInside, f[2], Drop::fragment_refused);
    bed.expect_drop(kInside, f[3], Drop::fragment_refused);
    bed.expect_accounted();
  }
}

TEST(EngineOverlap, WhatIsHeldGoesToo) {
  Bed bed;
  const Spec spec = udp(kClient, 5, kServer, 53, 600);
  const auto f = fragments_of(build(spec), 160, 9);
  EXPECT_TRUE(bed.send(kInside, f[1]).empty());
  EXPECT_TRUE(bed.send(kInside, f[2]).empty());
  EXPECT_TRUE(bed.send(kInside, fragments_of(build(spec), 80, 9)[3]).empty());
  EXPECT_EQ(bed.drops(Drop::fragment_overlap), 1U);
  EXPECT_EQ(bed.drops(Drop::fragment_refused), 2U);
  bed.expect_drop(kInside, f[0], Drop::fragment_refused);
  bed.expect_accounted();
}

TEST(EngineOverlap, OneThatTheNetworkDoubledIsNone) {  // RFC 8200 section 4.5, last paragraph of the rule
  Bed bed;
  const auto f = fragments_of(build(udp(kClient, 5, kServer, 53, 600)), 160, 9);
  EXPECT_EQ(bed.send(kInside, f[0]).size(), 1U);
  EXPECT_EQ(bed.send(kInside, f[2]).size(), 1U);
  bed.expect_drop(kInside, f[2], Drop::fragment_duplicate);
  EXPECT_EQ(bed.send(kInside, f[1]).size(), 1U);
  EXPECT_EQ(bed.send(kInside, f[3]).size(), 1U);
  bed.expect_accounted();
}

TEST(EngineOverlap, OneDatagramHasOneEnd) {
  Bed bed;
  const auto f = fragments_of(build(udp(kClient, 5, kServer, 53, 600)), 160, 9);
  const auto shorter = fragments_of(build(udp(kClient, 5, kServer, 53, 200)), 160, 9);
  EXPECT_EQ(bed.send(kInside, f[0]).size(), 1U);
  EXPECT_EQ(bed.send(kInside, f[3]).size(), 1U);
  bed.expect_drop(kInside, shorter[1], Drop::fragment_overlap);
  bed.expect_drop(kInside, f[2], Drop::fragment_refused);
  bed.expect_accounted();
}

// -- RFC 6864 sections 4.3 and 5.3.1, RFC 4787 REQ-14 --

TEST(EngineIpId, FragmentsOfHostsThatShareAnAddressNeverShareOne) {
  Plan plan;
  plan.pool = "203.0.113.1/32";
  Bed bed(plan);
  std::set<std::uint16_t> seen;
  for (int round = 0; round < 200; ++round) {
    for (const char* host : {kClient, kOther}) {
      const auto f = fragments_of(build(udp(host, 5000, kServer, 53, 600)), 160, 9);
      std::vector<std::size_t> order = {0, 1, 2, 3};
      std::rotate(order.begin(), order.begin() + round % 4, order.end());
      std::vector<Bytes> out;
      for (const std::size_t i : order) {
        for (const Sent& s : bed.send(kInside, f[i])) out.push_back(s.bytes);
      }
      ASSERT_EQ(out.size(), 4U);
      for (const Bytes& b : out) EXPECT_EQ(id_of(b), id_of(out[0]));
      EXPECT_TRUE(look(reassembled(out)).checksums);
      EXPECT_TRUE(seen.insert(id_of(out[0])).second) << "of another datagram";
    }
  }
  bed.expect_accounted();
}

TEST(EngineIpId, WhatMayBecomeFragmentsHasItsOwnAndAtomicOnesAreFree) {
  Plan plan;
  plan.pool = "203.0.113.1/32";
  Bed bed(plan);
  std::set<std::uint16_t> seen;
  for (int round = 0; round < 100; ++round) {
    for (const char* host : {kClient, kOther}) {  // first packets, and then the plain path
      const auto sent = bed.send(kInside, udp(host, 5000, kServer, 53));
      ASSERT_EQ(sent.size(), 1U);
      EXPECT_TRUE(look(sent[0].bytes).checksums);
      EXPECT_TRUE(seen.insert(id_of(sent[0].bytes)).second);
    }
  }
  Spec atomic = udp(kClient, 5000, kServer, 53);
  atomic.dont_fragment = true;
  EXPECT_EQ(id_of(bed.send(kInside, atomic).at(0).bytes), atomic.ip_id);
  // Packets of the server keep their identification, because their source is not shared.
  const Seen out = look(bed.send(kInside, atomic).at(0).bytes);
  const Spec answer = udp(kServer, 53, out.source, out.source_port);
  EXPECT_EQ(id_of(bed.send(kOutside, answer).at(0).bytes), answer.ip_id);
  bed.expect_accounted();
}

// -- RFC 5508 REQ-1 --

Spec timestamp(const char* from, const std::string& to, std::uint16_t id, bool reply) {
  Spec s = echo(from, to, id, reply);
  s.icmp_type = reply ? 14 : 13;
  s.payload.assign(12, 0);
  return s;
}

TEST(EngineIcmpQuery, ATimestampHasItsSession) {
  Bed bed;
  const Seen out = bed.pass(kInside, timestamp(kClient, kServer, 7, false));
  EXPECT_EQ(out.icmp_type, 13);
  EXPECT_NE(out.source, kClient);
  EXPECT_TRUE(out.checksums);
  const Seen back = bed.pass(kOutside, timestamp(kServer, out.source, out.source_port, true));
  EXPECT_EQ(back.destination, kClient);
  EXPECT_EQ(back.source_port, 7);
  EXPECT_EQ(back.icmp_type, 14);
  EXPECT_TRUE(back.checksums);
  EXPECT_EQ(bed.record().timeout_s, 30U);
  // A query from the other end is dropped, and an answer sets up no session.
  bed.expect_drop(kOutside, timestamp(kServer, out.source, out.source_port, false), Drop::icmp_echo_direction);
  bed.expect_drop(kInside, timestamp(kClient, kServer, 8, true), Drop::icmp_no_session);
  bed.expect_accounted();
}

TEST(EngineIcmpQuery, AnApplicationForEchoDoesNotAdmitIt) {
  Plan plan;
  plan.applications = "  - { name: ping, protocol: icmp, icmp-type: echo-request }\n";
  plan.firewall_terms = "      - { name: ping, from: { applications: [ping] }, then: accept }\n";
  Bed bed(plan);
  (void)bed.pass(kInside, echo(kClient, kServer, 7));
  bed.expect_drop(kInside, timestamp(kClient, kServer, 8, false), Drop::firewall_discard);
  bed.expect_drop(kInside, timestamp(kClient, kServer, 7, false), Drop::firewall_discard);  // nor in the echo's session
}

TEST(EngineIcmpQuery, ATermForTimestampsDiscardsThem) {  // RFC 792 type 13
  Plan plan;
  plan.applications = "  - { name: time, protocol: icmp, icmp-type: 13 }\n";
  plan.firewall_terms =
      "      - { name: time, from: { applications: [time] }, then: discard }\n"
      "      - { name: all, then: accept }\n";
  Bed bed(plan);
  bed.expect_drop(kInside, timestamp(kClient, kServer, 8, false), Drop::firewall_discard);
  (void)bed.pass(kInside, echo(kClient, kServer, 7));
  bed.expect_drop(kInside, timestamp(kClient, kServer, 7, false), Drop::firewall_discard);
  (void)bed.pass(kInside, echo(kClient, kServer, 7));
  bed.expect_accounted();
}

TEST(EngineIcmpQuery, QueriesOfAnotherCodeBeginNoSession) {  // no rule could name them
  Bed bed;
  for (Spec s : {echo(kClient, kServer, 7), timestamp(kClient, kServer, 8, false)}) {
    s.icmp_code = 1;
    bed.expect_drop(kInside, s, Drop::icmp_no_session);
  }
}

TEST(EngineIcmpQuery, ObsoleteQueriesAreDropped) {  // RFC 6918
  Bed bed;
  for (const std::uint8_t type : {std::uint8_t{15}, std::uint8_t{17}}) {
    Spec s = echo(kClient, kServer, 7);
    s.icmp_type = type;
    bed.expect_drop(kInside, s, Drop::icmp_no_session);
  }
}

}  // namespace
}  // namespace icr::node::test
