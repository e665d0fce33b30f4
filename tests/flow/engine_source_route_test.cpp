// IPv4 source routes, which no port and no rule lets through (RFC 7126 sections 4.3 and 4.4), and IPv6 routing headers.
#include <gtest/gtest.h>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

constexpr auto kClient6 = "2001:db8:18::1";
constexpr auto kServer6 = "2001:db8:19::1";
constexpr std::uint8_t kLoose = 131, kStrict = 137;

Spec routed(Spec spec, std::uint8_t option) {
  spec.ip_options = {option, 7, 4, 198, 51, 100, 9, 0};
  return spec;
}

TEST(EngineSourceRoutes, NoneSetsUpASessionOrBelongsToOne) {
  for (const std::uint8_t option : {kLoose, kStrict}) {
    Bed bed;
    bed.expect_drop(kInside, routed(udp(kClient, 5000, kServer, 53), option), Drop::source_route);
    bed.expect_drop(kInside, routed(tcp(kClient, 5000, kServer, 80, kSyn, 1000, 0), option), Drop::source_route);
    bed.expect_drop(kInside, routed(echo(kClient, kServer, 7), option), Drop::source_route);
    EXPECT_EQ(bed.shard->sessions(), 0U);
    const Seen out = bed.pass(kInside, udp(kClient, 5000, kServer, 53));
    bed.expect_drop(kInside, routed(udp(kClient, 5000, kServer, 53), option), Drop::source_route);
    bed.expect_drop(kOutside, routed(udp(kServer, 53, out.source, out.source_port), option), Drop::source_route);
    EXPECT_EQ(bed.record().counters[0].packets, 1U);
    EXPECT_EQ(bed.record().counters[1].packets, 0U);
    (void)bed.pass(kOutside, udp(kServer, 53, out.source, out.source_port));
    EXPECT_EQ(bed.engine->counters_of(0)->of(Drop::source_route), 5U);
    bed.expect_accounted();
  }
}

TEST(EngineSourceRoutes, NoneEndsAConnection) {
  Bed bed;
  const Seen syn = bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kSyn, 1000, 0));
  (void)bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 5000, 1001));
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001, 5001));
  bed.expect_drop(kOutside, routed(tcp(kServer, 80, syn.source, syn.source_port, kRst, 5001, 0), kLoose),
                  Drop::source_route);
  bed.expect_drop(kInside, routed(tcp(kClient, 40000, kServer, 80, kFin | kAck, 1001, 5001), kLoose),
                  Drop::source_route);
  EXPECT_EQ(bed.record().tcp_state, TcpState::established);
  bed.expect_accounted();
}

TEST(EngineSourceRoutes, AnIcmpErrorWithOneIsDropped) {
  Bed bed;
  const auto sent = bed.send(kInside, udp(kClient, 5000, kServer, 53));
  ASSERT_EQ(sent.size(), 1U);
  const std::string pool = look(sent[0].bytes).source;
  const Bytes error = icmp_error(kServer, pool, 3, 3, sent[0].bytes);
  Bytes with = error;
  with.insert(with.begin() + 20, {kLoose, 7, 4, 198, 51, 100, 9, 0});
  with[0] = 0x47;
  with[2] = static_cast<std::uint8_t>(with.size() >> 8);
  with[3] = static_cast<std::uint8_t>(with.size());
  fix_ip_checksum(with);
  bed.expect_drop(kOutside, with, Drop::source_route);
  EXPECT_EQ(bed.send(kOutside, error).size(), 1U);
}

TEST(EngineSourceRoutes, OfFragmentsNoneIsLeftToWait) {
  Bed bed;
  // The option is copied into each fragment (RFC 791). The last one comes first, and would be held.
  const auto pieces = fragments_of(build(routed(udp(kClient, 5000, kServer, 53, 100), kLoose)), 64);
  ASSERT_EQ(pieces.size(), 2U);
  bed.expect_drop(kInside, pieces[1], Drop::source_route);
  bed.expect_drop(kInside, pieces[0], Drop::source_route);
  EXPECT_EQ(bed.engine->counters().fragments_held, 0U);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  bed.expect_accounted();
}

TEST(EngineSourceRoutes, OtherOptionsPass) {
  Bed bed;
  for (const Bytes& options : {Bytes{7, 7, 4, 0, 0, 0, 0, 0}, Bytes{68, 8, 5, 0, 0, 0, 0, 0}, Bytes{148, 4, 0, 0},
                               Bytes{1, 1, 0, 0}, Bytes{0, kLoose, 3, 4}}) {  // what follows the end is no option
    Spec spec = udp(kClient, 5000, kServer, 53);
    spec.ip_options = options;
    EXPECT_EQ(bed.send(kInside, spec).size(), 1U) << int{options[0]};
  }
  EXPECT_EQ(bed.drops(Drop::source_route), 0U);
}

TEST(EngineSourceRoutes, AScreenChangesTheCounterOnly) {
  for (const bool named : {false, true}) {
    Bed bed;
    Screen screen;
    screen.name = "screen";
    screen.ip_source_route_option = named;
    bed.cluster.screens.push_back(screen);
    bed.cluster.service_sets[0].screen = static_cast<std::uint16_t>(bed.cluster.screens.size() - 1);
    bed.make_engine();
    const Drop reason = named ? Drop::screen_source_route : Drop::source_route;
    bed.expect_drop(kInside, routed(udp(kClient, 5000, kServer, 53), kLoose), reason);
    ServiceSetStatus status;
    bed.engine->statistics(0, status);
    std::uint64_t shown = 0;
    for (const NamedCounter& each : status.group(StatisticsGroup::stateful_firewall)) {
      if (each.name == "drop_counters/ip-option") shown += each.value;
    }
    EXPECT_EQ(shown, 1U);
  }
}

TEST(EngineSourceRoutes, OfIpv6RoutingHeadersType0IsRefused) {  // RFC 5095
  Bed bed;
  Spec spec = udp(kClient6, 5000, kServer6, 53);
  spec.v6_first = 43;
  for (const std::uint8_t left : {std::uint8_t{0}, std::uint8_t{1}}) {
    spec.v6_extensions = {17, 2, 0, left, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    EXPECT_TRUE(bed.send(kInside, spec).empty());
    spec.v6_extensions[2] = 4;  // segment routing is the business of the hosts that use it
    EXPECT_EQ(bed.send(kInside, spec).size(), 1U);
  }
  EXPECT_EQ(bed.engine->counters_of(0)->of(HeaderError::ip_extension_header), 2U);
  EXPECT_EQ(bed.drops(Drop::source_route), 0U);
  bed.expect_accounted();
}

}  // namespace
}  // namespace icr::node::test
