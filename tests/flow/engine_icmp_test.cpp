// ICMP: echo by identifier, errors matched to the session of the packet inside them and translated there too.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

constexpr auto kRouter = "198.19.0.1";

TEST(EngineIcmp, EchoIsTranslatedByIdentifier) {
  Bed bed;
  const Seen out = bed.pass(kInside, echo(kClient, kServer, 7));
  EXPECT_NE(out.source, kClient);
  const Seen back = bed.pass(kOutside, echo(kServer, out.source, out.source_port, true));
  EXPECT_EQ(back.destination, kClient);
  EXPECT_EQ(back.source_port, 7);
  EXPECT_EQ(back.icmp_type, 0);
  // Two hosts with the same identifier stay apart.
  const Seen other = bed.pass(kInside, echo("198.18.0.11", kServer, 7));
  EXPECT_FALSE(other.source == out.source && other.source_port == out.source_port);
  EXPECT_EQ(application_protocol_keyword(bed.record().alg), "icmp");
  bed.expect_accounted();
}

TEST(EngineIcmp, WhatStartsNothingIsRefused) {
  Bed bed;
  bed.expect_drop(kOutside, echo(kServer, kClient, 9, true), Drop::icmp_no_session);
  Spec redirect = echo(kClient, kServer, 9);
  redirect.icmp_type = 5;
  bed.expect_drop(kInside, redirect, Drop::icmp_no_session);
  Spec solicitation = echo("2001:db8:18::1", "2001:db8:19::1", 0);
  solicitation.icmp_type = 135;
  bed.expect_drop(kInside, solicitation, Drop::icmp_no_session);
}

TEST(EngineIcmp, OnlyAnswersComeBackToAnEcho) {
  Bed bed;
  const Seen out = bed.pass(kInside, echo(kClient, kServer, 7));
  bed.wait(20s);
  // Whoever is asked may not ask, nor keep the way open.
  bed.expect_drop(kOutside, echo(kServer, out.source, out.source_port), Drop::icmp_echo_direction);
  bed.expect_drop(kInside, echo(kClient, kServer, 7, true), Drop::icmp_echo_direction);
  EXPECT_EQ(bed.record().counters[0].packets, 1U);
  EXPECT_EQ(bed.record().counters[1].packets, 0U);
  EXPECT_EQ(bed.pass(kOutside, echo(kServer, out.source, out.source_port, true)).destination, kClient);
  bed.wait(20s);
  bed.expect_drop(kOutside, echo(kServer, out.source, out.source_port), Drop::icmp_echo_direction);
  bed.wait(11s);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  ServiceSetStatus status;
  bed.engine->statistics(0, status);
  const auto& drops = status.group(StatisticsGroup::packet_drops);
  const auto shown = std::find_if(drops.begin(), drops.end(),
                                  [](const NamedCounter& counter) { return counter.name == "icmp-echo-direction"; });
  ASSERT_NE(shown, drops.end());
  EXPECT_EQ(shown->value, 3U);

  // ICMPv6; and what has no identifier is not taken for an echo with identifier 0.
  constexpr auto kSix = "2001:db8:18::1", kSixServer = "2001:db8:19::1";
  (void)bed.pass(kInside, echo(kSix, kSixServer, 0));
  bed.expect_drop(kOutside, echo(kSixServer, kSix, 0), Drop::icmp_echo_direction);
  Spec redirect = echo(kSixServer, kSix, 0);
  redirect.icmp_type = 137;
  bed.expect_drop(kOutside, redirect, Drop::icmp_echo_direction);
  (void)bed.pass(kOutside, echo(kSixServer, kSix, 0, true));
  bed.expect_accounted();
}

/// The error's inside as its receiver sees it.
Seen inside_of(const Seen& error) { return look(error.payload); }

TEST(EngineIcmp, ErrorFromOutsideReachesTheInitiator) {
  for (const std::uint8_t protocol : {std::uint8_t{17}, std::uint8_t{6}, std::uint8_t{1}}) {
    Bed bed;
    Spec asked = protocol == 1   ? echo(kClient, kServer, 99)
                 : protocol == 6 ? tcp(kClient, 40000, kServer, 80, kSyn, 1, 0)
                                 : udp(kClient, 40000, kServer, 80, 64);
    asked.dont_fragment = true;  // atomic: it keeps its identification
    const auto sent = bed.send(kInside, asked);
    ASSERT_EQ(sent.size(), 1U);
    // A router on the way, not the server.
    const Bytes error = icmp_error(kRouter, look(sent[0].bytes).source, 3, 1, sent[0].bytes);
    const auto in = bed.send(kOutside, error);
    ASSERT_EQ(in.size(), 1U);
    EXPECT_EQ(in[0].unit, kInside);
    const Seen seen = look(in[0].bytes);
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.source, kRouter);
    EXPECT_EQ(seen.destination, kClient);
    EXPECT_EQ(seen.icmp_type, 3);
    // The packet inside is the one that the client sent, octet by octet.
    EXPECT_EQ(seen.payload, build(asked));
    EXPECT_EQ(bed.engine->counters().icmp_errors_translated, 1U);
    EXPECT_EQ(bed.record().flag, SessionFlag::found_existing);
    bed.expect_accounted();
  }
}

TEST(EngineIcmp, ErrorWithTheLeastThatMayBeQuoted) {
  Bed bed;
  Spec spec = tcp(kClient, 40000, kServer, 80, kSyn, 1, 0);
  spec.dont_fragment = true;
  const Bytes asked = build(spec);
  const auto sent = bed.send(kInside, asked);
  ASSERT_EQ(sent.size(), 1U);
  const Bytes head(sent[0].bytes.begin(), sent[0].bytes.begin() + 28);
  const auto in = bed.send(kOutside, icmp_error(kRouter, look(sent[0].bytes).source, 11, 0, head));
  ASSERT_EQ(in.size(), 1U);
  const Seen seen = look(in[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.payload, Bytes(asked.begin(), asked.begin() + 28));
}

TEST(EngineIcmp, ErrorFromInsideReachesTheServer) {
  Bed bed;
  const Seen out = bed.pass(kInside, udp(kClient, 40000, kServer, 53));
  const Bytes answer = build(udp(kServer, 53, out.source, out.source_port, 64));
  const auto delivered = bed.send(kOutside, answer);
  ASSERT_EQ(delivered.size(), 1U);
  // The client has closed its port.
  const auto back = bed.send(kInside, icmp_error(kClient, kServer, 3, 3, delivered[0].bytes));
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].unit, kOutside);
  const Seen seen = look(back[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, out.source) << "the client's own address is translated as well";
  EXPECT_EQ(seen.destination, kServer);
  EXPECT_EQ(seen.payload, answer);
}

TEST(EngineIcmp, Icmp6ErrorsPass) {
  Bed bed;
  const Spec asked = udp("2001:db8:18::1", 4000, "2001:db8:19::1", 53, 64);
  (void)bed.pass(kInside, asked);
  const auto in = bed.send(kOutside, icmp_error("2001:db8:19::ff", "2001:db8:18::1", 2, 0, build(asked)));
  ASSERT_EQ(in.size(), 1U);
  const Seen seen = look(in[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.icmp_type, 2);
  EXPECT_EQ(inside_of(seen).source_port, 4000);
  Bytes broken = icmp_error("2001:db8:19::ff", "2001:db8:18::1", 2, 0, build(asked));
  broken.back() ^= 1;
  bed.expect_drop(kOutside, broken, Drop::icmp_checksum);
}

TEST(EngineIcmp, ErrorsThatAreRefused) {
  Bed bed;
  const auto sent = bed.send(kInside, udp(kClient, 40000, kServer, 53, 64));
  ASSERT_EQ(sent.size(), 1U);
  const Seen out = look(sent[0].bytes);
  // Of no session.
  bed.expect_drop(kOutside, icmp_error(kRouter, out.source, 3, 1, build(udp(out.source, 9, kServer, 53))),
                  Drop::icmp_error_no_session);
  // Of a session, on its wrong side.
  bed.expect_drop(kInside, icmp_error(kRouter, out.source, 3, 1, sent[0].bytes), Drop::wrong_interface);
  // Too little inside; an error about an error; nothing inside; other family inside; not for who sent the packet.
  bed.expect_drop(kOutside,
                  icmp_error(kRouter, out.source, 3, 1, Bytes(sent[0].bytes.begin(), sent[0].bytes.begin() + 23)),
                  Drop::icmp_error_malformed);
  bed.expect_drop(kOutside, icmp_error(kRouter, out.source, 3, 1, icmp_error(out.source, kServer, 3, 1, sent[0].bytes)),
                  Drop::icmp_error_malformed);
  bed.expect_drop(kOutside, icmp_error(kRouter, out.source, 3, 1, {}), Drop::icmp_error_malformed);
  bed.expect_drop(kOutside, icmp_error(kRouter, out.source, 3, 1, build(udp("2001:db8:18::1", 1, "2001:db8:19::1", 1))),
                  Drop::icmp_error_malformed);
  bed.expect_drop(kOutside, icmp_error(kRouter, "203.0.113.3", 3, 1, build(udp("203.0.113.2", 1, kServer, 1))),
                  Drop::icmp_error_no_session);
  const std::string not_him = out.source == "203.0.113.1" ? "203.0.113.2" : "203.0.113.1";
  bed.expect_drop(kOutside, icmp_error(kRouter, not_him, 3, 1, sent[0].bytes), Drop::icmp_error_malformed);
  // A wrong checksum.
  Bytes broken = icmp_error(kRouter, out.source, 3, 1, sent[0].bytes);
  broken.back() ^= 1;
  bed.expect_drop(kOutside, broken, Drop::icmp_checksum);
  // In fragments.
  for (const Bytes& f : fragments_of(icmp_error(kRouter, out.source, 3, 1, sent[0].bytes), 40)) {
    EXPECT_TRUE(bed.send(kOutside, f).empty());
  }
  EXPECT_EQ(bed.record().flag, SessionFlag::none);
  bed.wait(5s);
  bed.expect_accounted();
}

}  // namespace
}  // namespace icr::node::test
