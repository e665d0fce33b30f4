// Sums by group are those that adding up all sessions gives.
#include "model/query/session_groups.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace icr {
namespace {

SessionRecord from(const char* source, std::uint64_t packets = 1, std::uint64_t bytes = 100) {
  SessionRecord out;
  out.flow[0].source = IpAddress::parse(source).value();
  out.counters = {FlowCounters{packets, bytes}, FlowCounters{1, 10}};
  return out;
}

std::map<SessionGroupKey, SessionSums> sums_in(SessionGroups groups) {
  std::map<SessionGroupKey, SessionSums> out;
  for (const auto& group : groups.take()) EXPECT_TRUE(out.emplace(group.key, group.sums).second);
  return out;
}

TEST(SessionGroups, AddUpWhatEachGroupHas) {
  std::mt19937 random(5);
  const GroupingRule rule{SessionGrouping::source_prefix, 24};
  SessionGroups groups(rule, 1000);
  std::map<SessionGroupKey, SessionSums> expected;
  for (int i = 0; i < 5000; ++i) {
    SessionRecord record = from("192.0.2.1", random() % 100, random() % 10'000);
    record.flow[0].source = IpAddress::v4(0xc0000200U + static_cast<std::uint32_t>(random() % 100'000));
    ASSERT_TRUE(groups.add(record));
    expected[rule.key_of(record)].add(sums_of(record));
  }
  EXPECT_EQ(groups.count(), expected.size());
  EXPECT_GT(expected.size(), 300U);
  EXPECT_EQ(sums_in(groups), expected);
}

TEST(SessionGroups, PrefixesHaveTheLengthOfTheirFamily) {
  const GroupingRule hosts{SessionGrouping::source_prefix, 128};
  EXPECT_EQ(hosts.key_of(from("192.0.2.7")).prefix, IpAddress::parse("192.0.2.7"));
  EXPECT_EQ(hosts.key_of(from("2001:db8::7")).prefix, IpAddress::parse("2001:db8::7"));
  const GroupingRule sixteen{SessionGrouping::source_prefix, 16};
  EXPECT_EQ(sixteen.key_of(from("192.0.2.7")).prefix, IpAddress::parse("192.0.0.0"));
  EXPECT_EQ(sixteen.key_of(from("2001:db8::7")).prefix, IpAddress::parse("2001::"));
  const GroupingRule all{SessionGrouping::source_prefix, 0};
  EXPECT_NE(all.key_of(from("192.0.2.7")), all.key_of(from("2001:db8::7"))) << "two families";
}

TEST(SessionGroups, ANewGroupWithoutRoomIsRefusedAndKnownOnesGoOn) {
  SessionGroups groups({SessionGrouping::source_prefix, 32}, 2);
  EXPECT_TRUE(groups.add(from("192.0.2.2")));
  EXPECT_TRUE(groups.add(from("192.0.2.1")));
  EXPECT_FALSE(groups.add(from("192.0.2.3")));
  EXPECT_TRUE(groups.add(from("192.0.2.2")));
  const auto sums = sums_in(groups);
  ASSERT_EQ(sums.size(), 2U);
  EXPECT_EQ(sums.rbegin()->second, (SessionSums{2, 4, 220}));
}

TEST(SessionGroups, OtherGroupings) {
  SessionRecord record = from("192.0.2.1");
  record.service_set = 7;
  record.alg = 3;
  record.nat_type = NatType::napt44;
  record.nat_pool = 9;
  EXPECT_EQ((GroupingRule{SessionGrouping::service_set, 0}.key_of(record)), (SessionGroupKey{{}, 7}));
  EXPECT_EQ((GroupingRule{SessionGrouping::application_protocol, 0}.key_of(record)), (SessionGroupKey{{}, 3}));
  EXPECT_EQ((GroupingRule{SessionGrouping::nat_pool, 0}.key_of(record)), (SessionGroupKey{{}, 9}));
  EXPECT_EQ((GroupingRule{SessionGrouping::source, 0}.key_of(record)), SessionGroupKey{});
}

}  // namespace
}  // namespace icr
