// Tests how the engine forwards the packets by which a chassis tests itself, and that nobody can imitate them.
#include <gtest/gtest.h>

#include "node/packet/checksum.h"
#include "node/packet/self_test_packet.h"
#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

constexpr std::uint64_t kSecret = 0x0123456789abcdefULL;

Bytes test_packet(std::uint64_t secret, std::uint32_t unit, std::uint32_t number = 7) {
  const auto made = self_test_packet::make({secret, unit, number});
  return {made.begin(), made.end()};
}

TEST(EngineSelfTest, BothDirectionsPassWithoutSessionRuleOrStatistics) {
  Plan closed;
  closed.firewall_terms = "      - { name: none, then: discard }\n";
  for (const bool active : {true, false}) {
    Bed bed(closed, 1, active);
    bed.engine->expect_self_tests(kSecret);
    for (const std::uint32_t unit : {kInside, kOutside}) {
      const auto sent = bed.send(unit, test_packet(kSecret, unit));
      ASSERT_EQ(sent.size(), 1U);
      EXPECT_EQ(sent[0].unit, unit == kInside ? kOutside : kInside);
      const Bytes& out = sent[0].bytes;
      EXPECT_EQ(Bytes(out.begin() + 16, out.begin() + 20), (Bytes{224, 0, 0, 254})) << "a group that nobody forwards";
      EXPECT_EQ(checksum_finish(checksum_add(out.data(), 20)), 0) << "the checksum of the header is right";
      EXPECT_EQ(self_test_packet::read(out), (self_test_packet::Content{kSecret, unit, 7}));
    }
    EXPECT_EQ(bed.shard->sessions(), 0U);
    EXPECT_EQ(bed.engine->counters().self_tests_forwarded, 2U);
    EXPECT_EQ(bed.engine->counters().dropped(), 0U);
    const ServiceSetCounters& counters = *bed.engine->counters_of(0);
    EXPECT_EQ(counters.dropped() + counters.new_accepts + counters.existing_accepts, 0U);
    bed.expect_accounted();
  }
}

TEST(EngineSelfTest, APacketWithAnotherSecretIsAnOrdinaryPacket) {
  Plan closed;
  closed.firewall_terms = "      - { name: none, then: discard }\n";
  Bed bed(closed);
  bed.expect_drop(kOutside, test_packet(kSecret, kOutside), Drop::firewall_discard);  // no test is expected at all
  bed.engine->expect_self_tests(kSecret);
  bed.expect_drop(kOutside, test_packet(kSecret + 1, kOutside), Drop::firewall_discard);
  bed.expect_drop(kOutside, test_packet(0, kOutside), Drop::firewall_discard);
  Bytes longer = test_packet(kSecret, kOutside);
  longer.push_back(0);
  longer[3] = static_cast<std::uint8_t>(longer.size());
  longer[11] = static_cast<std::uint8_t>(longer[11] - 1);
  bed.expect_drop(kOutside, longer, Drop::firewall_discard);
  EXPECT_EQ(bed.engine->counters().self_tests_forwarded, 0U);

  Bed standby({}, 1, false);
  standby.engine->expect_self_tests(kSecret);
  standby.expect_drop(kOutside, test_packet(kSecret + 1, kOutside), Drop::not_master);
}

TEST(EngineSelfTest, ASessionOfTheSameAddressesDoesNotTakeThem) {
  Plan open;
  open.nat = false;
  Bed bed(open);
  bed.engine->expect_self_tests(kSecret);
  ASSERT_EQ(bed.send(kInside, test_packet(kSecret + 1, kInside)).size(), 1U) << "a host inside imitates a test";
  ASSERT_EQ(bed.shard->sessions(), 1U);
  const auto sent = bed.send(kInside, test_packet(kSecret, kInside));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].bytes[16], 224) << "the test itself does not leave the machine";
  EXPECT_EQ(bed.engine->counters().self_tests_forwarded, 1U);
}

}  // namespace
}  // namespace icr::node::test
