// Fragments: in every order, overlapping, too many, too late, refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

std::vector<Bytes> bytes_of(const std::vector<Sent>& sent) {
  std::vector<Bytes> out;
  for (const Sent& s : sent) out.push_back(s.bytes);
  return out;
}

/// Sends fragments in the given order; what came out, put together.
Bytes through(Bed& bed, std::uint32_t unit, const std::vector<Bytes>& fragments,
              const std::vector<std::size_t>& order) {
  std::vector<Bytes> out;
  for (const std::size_t i : order) {
    for (Bytes& b : bytes_of(bed.send(unit, fragments[i]))) out.push_back(std::move(b));
  }
  EXPECT_EQ(out.size(), fragments.size());
  return reassembled(out);
}

TEST(EngineFragments, EveryOrderOfFourFragments) {
  std::vector<std::size_t> order = {0, 1, 2, 3};
  Bed bed;
  std::uint32_t id = 1;
  do {
    const Spec spec = udp(kClient, 5000, kServer, 53, 900);
    const Bytes whole = through(bed, kInside, fragments_of(build(spec), 256, id), order);
    ASSERT_FALSE(whole.empty());
    const Seen seen = look(whole);
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.payload, spec.payload);
    EXPECT_EQ(seen.destination_port, 53);
    EXPECT_NE(seen.source, kClient);
    // And back.
    const Spec answer = udp(kServer, 53, seen.source, seen.source_port, 901);
    const Bytes back = through(bed, kOutside, fragments_of(build(answer), 256, id), order);
    ASSERT_FALSE(back.empty());
    EXPECT_TRUE(look(back).checksums);
    EXPECT_EQ(look(back).destination, kClient);
    EXPECT_EQ(look(back).payload, answer.payload);
    ++id;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(bed.shard->sessions(), 1U);
  EXPECT_EQ(bed.record().counters[0].packets, 24U * 4);
  bed.expect_accounted();
}

TEST(EngineFragments, TcpIcmpAndIpv6) {
  Bed bed;
  const Bytes ping = build([] {
    Spec s = echo(kClient, kServer, 4);
    s.payload.resize(600, 1);
    return s;
  }());
  Bytes whole = through(bed, kInside, fragments_of(ping, 248), {2, 0, 1});
  ASSERT_FALSE(whole.empty());
  EXPECT_TRUE(look(whole).checksums);
  const Spec six = udp("2001:db8:18::1", 5, "2001:db8:19::1", 53, 3000);
  whole = through(bed, kInside, fragments_of(build(six), 1232, 0xdeadbeef), {1, 2, 0});
  EXPECT_EQ(whole, build(six));
  bed.expect_accounted();
}

TEST(EngineFragments, AConnectionGoesOnAfterASegmentInFragments) {
  Bed bed;
  const Seen syn = bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kSyn, 1000, 0));
  (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 5000, 1001));
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001, 5001));
  for (std::uint32_t i = 0; i < 20; ++i) {
    // The first fragment shows only a part of what the server will acknowledge.
    const Spec data = tcp(kClient, 40000, kServer, 80, kAck | kPsh, 1001 + i * 3000, 5001, 3000);
    const Bytes whole = through(bed, kInside, fragments_of(build(data), 1480, i + 1), {0, 1, 2});
    ASSERT_FALSE(whole.empty());
    ASSERT_TRUE(look(whole).checksums);
    (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kAck, 5001, 1001 + (i + 1) * 3000));
  }
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001 + 60000, 5001, 10));
}

TEST(EngineFragments, OverlapIsRefused) {
  Bed bed;
  const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  EXPECT_EQ(bed.send(kInside, f[0]).size(), 1U);
  bed.expect_drop(kInside, f[0], Drop::fragment_duplicate);
  EXPECT_EQ(bed.send(kInside, f[1]).size(), 1U);
  bed.expect_drop(kInside, f[1], Drop::fragment_duplicate);
  // One that begins in the middle of another.
  const auto shifted = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 296);
  bed.expect_drop(kInside, shifted[1], Drop::fragment_overlap);
  bed.expect_drop(kInside, f[2], Drop::fragment_refused);
  bed.expect_drop(kInside, f[3], Drop::fragment_refused);
  // The same fragments pass where nothing overlaps.
  const auto other = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256, 78);
  for (const Bytes& piece : other) EXPECT_EQ(bed.send(kInside, piece).size(), 1U);
  bed.expect_accounted();
}

TEST(EngineFragments, LimitOfFragmentsPerPacket) {
  Plan plan;
  plan.timeouts = "  fragment-limit: 3\n";
  Bed bed(plan);
  const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 128);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(bed.send(kInside, f[i]).size(), 1U);
  bed.expect_drop(kInside, f[3], Drop::fragment_limit);
}

TEST(EngineFragments, LimitsAreThoseOfTheServiceSet) {
  Plan plan;
  plan.second_service_set = true;
  plan.timeouts = "  fragment-limit: 4\n  reassembly-timeout: 5\n";
  plan.service_options = "timeouts: { fragment-limit: 2, reassembly-timeout: 1 }\n";
  Bed bed(plan);
  const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  const auto late = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256, 5);
  constexpr std::uint32_t kOtherInside = 3;
  for (const std::uint32_t unit : {kInside, kOtherInside}) {
    EXPECT_EQ(bed.send(unit, f[0]).size(), 1U);
    EXPECT_EQ(bed.send(unit, f[1]).size(), 1U);
    EXPECT_TRUE(bed.send(unit, late[1]).empty());
  }
  bed.expect_drop(kInside, f[2], Drop::fragment_limit);
  EXPECT_EQ(bed.send(kOtherInside, f[2]).size(), 1U);
  bed.wait(2s);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 1U);
  EXPECT_EQ(bed.engine->counters_of(0)->of(Drop::fragment_timeout), 1U);
  bed.wait(5s);
  EXPECT_EQ(bed.engine->counters_of(1)->of(Drop::fragment_timeout), 1U);
  bed.expect_accounted();
}

TEST(EngineFragments, WithoutTheFirstTheyGoAfterTheReassemblyTimeout) {
  Plan plan;
  plan.timeouts = "  reassembly-timeout: 2\n";
  Bed bed(plan);
  const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  EXPECT_TRUE(bed.send(kInside, f[1]).empty());
  EXPECT_TRUE(bed.send(kInside, f[3]).empty());
  EXPECT_EQ(bed.engine->counters().fragments_held, 2U);
  bed.wait(1500ms);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 0U);
  bed.wait(1500ms);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 2U);
  bed.expect_accounted();
  // The first one comes at last: it goes out alone.
  EXPECT_EQ(bed.send(kInside, f[0]).size(), 1U);
}

TEST(EngineFragments, HeldOnesThatTimedOutAreCountedAlsoWhenTheirPlaceIsTakenBefore) {
  Plan plan;
  plan.timeouts = "  reassembly-timeout: 1\n";
  Bed bed(plan);
  const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  EXPECT_TRUE(bed.send(kInside, f[1]).empty());
  bed.now += 2s;  // no tick in between: the same packet comes again
  EXPECT_TRUE(bed.send(kInside, f[1]).empty());
  bed.wait(3s);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 2U);
  bed.expect_accounted();
}

TEST(EngineFragments, TheOthersShareTheFateOfARefusedFirst) {
  Plan plan;
  plan.firewall_terms = "      - { name: no, then: discard }\n";
  Bed bed(plan);
  const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  EXPECT_TRUE(bed.send(kInside, f[2]).empty());
  EXPECT_EQ(bed.drops(Drop::fragment_refused), 0U);
  EXPECT_TRUE(bed.send(kInside, f[0]).empty());
  EXPECT_EQ(bed.drops(Drop::firewall_discard), 1U);
  EXPECT_EQ(bed.drops(Drop::fragment_refused), 1U);
  // What comes later is refused at once, and takes no room.
  bed.expect_drop(kInside, f[1], Drop::fragment_refused);
  bed.expect_drop(kInside, f[3], Drop::fragment_refused);
  EXPECT_EQ(bed.engine->counters().fragments_held, 1U);
  bed.expect_accounted();
}

/// A first fragment that is dropped with that reason, before it is entered or looked up.
void expect_others_refused(Bed& bed, const std::vector<Bytes>& f, std::uint64_t answers) {
  EXPECT_TRUE(bed.send(kInside, f[2]).empty());
  EXPECT_EQ(bed.engine->counters().fragments_held, 1U);
  EXPECT_EQ(bed.send(kInside, f[0]).size(), answers);
  EXPECT_EQ(bed.drops(Drop::fragment_refused), 1U) << "the one that was held";
  bed.expect_drop(kInside, f[1], Drop::fragment_refused);
  // Also where the first fragment is the first that comes.
  std::vector<Bytes> next = f;
  for (Bytes& piece : next) {
    piece[5] ^= 1;  // another identification
    fix_ip_checksum(piece);
  }
  EXPECT_EQ(bed.send(kInside, next[0]).size(), answers);
  bed.expect_drop(kInside, next[1], Drop::fragment_refused);
  bed.expect_drop(kInside, next[2], Drop::fragment_refused);
  EXPECT_EQ(bed.engine->counters().fragments_held, 1U) << "nothing waits in vain";
  bed.wait(5s);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 0U);
  // The place is free again: another packet of the same identification passes.
  const auto good = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  for (const Bytes& piece : good) EXPECT_EQ(bed.send(kInside, piece).size(), 1U);
  bed.expect_accounted();
}

TEST(EngineFragments, TheOthersShareTheFateOfAFirstThatTheScreenRefuses) {
  Bed bed;
  Screen& screen = bed.cluster.screens.emplace_back();
  screen.tcp_syn_frag = true;
  bed.cluster.service_sets[0].screen = static_cast<std::uint16_t>(bed.cluster.screens.size() - 1);
  bed.make_engine();
  expect_others_refused(bed, fragments_of(build(tcp(kClient, 40000, kServer, 80, kSyn, 1000, 0, 900)), 256), 0);
  EXPECT_EQ(bed.drops(Drop::screen_syn_fragment), 2U);
}

TEST(EngineFragments, TheOthersShareTheFateOfAFirstThatCannotBeRead) {
  Bed bed;
  expect_others_refused(bed, fragments_of(build(tcp(kClient, 40000, kServer, 80, kSyn | kFin, 1000, 0, 900)), 256), 0);
  EXPECT_EQ(bed.engine->counters_of(0)->of(HeaderError::tcp_syn_fin), 2U);
}

TEST(EngineFragments, TheOthersShareTheFateOfAnIcmpErrorInFragments) {
  Bed bed;
  const Bytes error = icmp_error(kClient, kServer, 3, 3, build(udp(kServer, 53, kClient, 5000, 800)));
  expect_others_refused(bed, fragments_of(error, 256), 0);
  EXPECT_EQ(bed.drops(Drop::icmp_error_malformed), 2U);
}

TEST(EngineFragments, TheOthersShareTheFateOfAFirstWithASourceRoute) {
  Bed bed;
  auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  Spec routed = udp(kClient, 5000, kServer, 53, 900);
  routed.ip_options = {131, 7, 4, 198, 51, 100, 9, 0};
  f[0] = fragments_of(build(routed), 256)[0];
  expect_others_refused(bed, f, 0);
  EXPECT_EQ(bed.drops(Drop::source_route), 2U);
}

TEST(EngineFragments, OfASessionThatIsGoneMeanwhile) {
  Bed bed;
  const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256);
  EXPECT_EQ(bed.send(kInside, f[0]).size(), 1U);
  bed.shard->remove(0);
  bed.expect_drop(kInside, f[1], Drop::fragment_refused);
}

TEST(EngineFragments, RoomIsBoundedAndComesBack) {
  Bed bed;
  // 64 of a source are held at most; every one of them has its own packet.
  std::uint32_t id = 1;
  const Bytes packet = build(udp(kClient, 5000, kServer, 53, 900));
  for (; id <= 400; ++id) EXPECT_TRUE(bed.send(kInside, fragments_of(packet, 256, id)[1]).empty());
  EXPECT_EQ(bed.engine->counters().fragments_held, 64U);
  EXPECT_EQ(bed.drops(Drop::fragment_table_full), 400U - 64);
  // What was not held has left no trace: as first fragments they pass, and the ones that follow too.
  for (const std::size_t i : {0U, 1U}) EXPECT_EQ(bed.send(kInside, fragments_of(packet, 256, 400)[i]).size(), 1U);
  bed.wait(5s);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 64U);
  EXPECT_TRUE(bed.send(kInside, fragments_of(packet, 256, id)[1]).empty());
  EXPECT_EQ(bed.engine->counters().fragments_held, 65U);
  bed.wait(5s);
  bed.expect_accounted();
}

std::string host(std::uint32_t n) { return "198.18." + std::to_string(n / 250) + "." + std::to_string(n % 250 + 1); }

TEST(EngineFragments, WhatWaitsLongestGivesWay) {
  Bed bed;
  // 256 are held of all sources together.
  for (std::uint32_t n = 0; n < 300; ++n) {
    bed.now += 1ms;
    EXPECT_TRUE(bed.send(kInside, fragments_of(build(udp(host(n), 5000, kServer, 53, 900)), 256, n + 1)[1]).empty());
  }
  EXPECT_EQ(bed.engine->counters().fragments_held, 300U);
  bed.wait(1s);
  EXPECT_EQ(bed.drops(Drop::fragment_table_full), 44U);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 0U);
  // The youngest are still there.
  for (std::uint32_t n = 290; n < 300; ++n) {
    EXPECT_EQ(bed.send(kInside, fragments_of(build(udp(host(n), 5000, kServer, 53, 900)), 256, n + 1)[0]).size(), 2U);
  }
  bed.wait(5s);
  EXPECT_EQ(bed.drops(Drop::fragment_timeout), 246U);
  bed.expect_accounted();
}

TEST(EngineFragments, OneSourceCannotTakeAllPlaces) {
  // First fragments whose others never come, or alone later ones, which take places without any rule.
  for (const std::size_t piece : {0U, 1U}) {
    Plan plan;
    plan.max_sessions = 8192;
    Bed bed(plan);
    bed.out.recording = false;
    for (std::uint32_t id = 1; id <= 3000; ++id) {
      bed.now += 100us;
      (void)bed.send(kInside, fragments_of(build(udp("198.18.0.66", 5000, kServer, 53, 900)), 256, id)[piece]);
    }
    bed.out.recording = true;
    const std::uint64_t dropped = bed.engine->counters().dropped();
    for (std::uint32_t n = 0; n < 100; ++n) {
      const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 256, n + 1);
      // In and out of order, while the other goes on.
      EXPECT_EQ(bed.send(kInside, f[n % 2]).size(), 1 - n % 2) << n;
      (void)bed.send(kInside, fragments_of(build(udp("198.18.0.66", 5000, kServer, 53, 900)), 256, 4000 + n)[piece]);
      EXPECT_EQ(bed.send(kInside, f[1 - n % 2]).size(), 1 + n % 2) << n;
      for (const std::size_t i : {2U, 3U}) EXPECT_EQ(bed.send(kInside, f[i]).size(), 1U) << n;
    }
    EXPECT_EQ(bed.engine->counters().dropped() - dropped, piece == 0 ? 0U : 100U) << "of the other alone";
    bed.wait(5s);
    bed.expect_accounted();
  }
}

/// IPv6 with destination options of that many octets behind the fragment header.
Bytes behind_options(Spec spec, std::size_t octets) {
  spec.v6_first = 60;
  spec.v6_extensions.assign(octets, 0);
  spec.v6_extensions[0] = spec.protocol;
  spec.v6_extensions[1] = static_cast<std::uint8_t>(octets / 8 - 1);
  return build(spec);
}

TEST(EngineFragments, ExtensionHeadersBehindTheFragmentHeaderCountForWhatAFragmentCovers) {
  Bed bed;
  constexpr auto kSix = "2001:db8:18::1", kSixServer = "2001:db8:19::1";
  const Bytes syn = behind_options(tcp(kSix, 40000, kSixServer, 80, kSyn, 1000, 0, 1000), 1008);
  auto f = fragments_of(syn, 1032, 9);
  EXPECT_EQ(bed.send(kInside, f[0]).size(), 1U);
  // What would put another TCP header over the one that was judged.
  auto over = fragments_of(syn, 24, 9)[1];
  over.resize(48 + 1000);
  over[4] = (1000 + 8) >> 8;
  over[5] = (1000 + 8) & 0xff;
  bed.expect_drop(kInside, over, Drop::fragment_overlap);
  bed.expect_drop(kInside, f[1], Drop::fragment_refused);
  // A stream of whole datagrams leaves no entries behind.
  for (std::uint32_t id = 1; id <= 3000; ++id) {
    for (const Bytes& piece : fragments_of(behind_options(udp(kSix, 5000, kSixServer, 53, 900), 64), 512, id + 100)) {
      ASSERT_EQ(bed.send(kInside, piece).size(), 1U) << id;
    }
  }
  bed.expect_accounted();
}

TEST(EngineFragments, CompletePacketsLeaveRoomAtOnce) {
  Bed bed;
  // Far more packets within the reassembly time than there are entries.
  for (std::uint32_t id = 1; id <= 5000; ++id) {
    const auto f = fragments_of(build(udp(kClient, 5000, kServer, 53, 900)), 512, id);
    for (const std::size_t i : {std::size_t{1}, std::size_t{0}}) (void)bed.send(kInside, f[i]);
  }
  EXPECT_EQ(bed.engine->counters().packets_out, 10000U);
  EXPECT_EQ(bed.engine->counters().dropped(), 0U);
}

TEST(EngineFragments, AnAtomicFragmentIsAWholePacket) {
  Bed bed;
  Spec s = udp("2001:db8:18::1", 5, "2001:db8:19::1", 53, 100);
  s.v6_first = 44;
  s.v6_extensions = {17, 0, 0, 0, 0, 0, 0, 9};
  const auto sent = bed.send(kInside, s);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].bytes, build(s));
  EXPECT_EQ(bed.shard->sessions(), 1U);
}

}  // namespace
}  // namespace icr::node::test
