// The largest sessions are those that sorting all of them gives, whatever the order in which they come.
#include "model/query/session_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <tuple>

namespace icr {
namespace {

SessionRecord session(std::uint32_t slot, std::uint64_t bytes) {
  SessionRecord out;
  out.ref.slot = slot;
  out.counters = {FlowCounters{0, bytes / 2}, FlowCounters{0, bytes - bytes / 2}};
  return out;
}

using Row = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;  ///< size, source, slot

std::vector<Row> rows_of(LargestSessions largest) {
  std::vector<Row> out;
  for (const auto& each : largest.take_sorted()) out.emplace_back(each.size, each.source, each.record.ref.slot);
  return out;
}

TEST(SessionOrder, SizesAreOfBothDirections) {
  SessionRecord record;
  record.counters = {FlowCounters{3, 1000}, FlowCounters{4, 500}};
  record.age = 77;
  EXPECT_EQ(size_of(record, SessionOrder::packets), 7U);
  EXPECT_EQ(size_of(record, SessionOrder::bytes), 1500U);
  EXPECT_EQ(size_of(record, SessionOrder::age), 77U);
  record.counters[0].bytes = std::numeric_limits<std::uint64_t>::max() - 499;
  EXPECT_EQ(size_of(record, SessionOrder::bytes), std::numeric_limits<std::uint64_t>::max()) << "not a small number";
}

TEST(LargestSessions, AreThoseThatSortingGives) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const auto room = static_cast<std::uint32_t>(1 + random() % 40);
    std::vector<Row> all;
    for (auto i = static_cast<std::uint32_t>(random() % 200); i != 0; --i) {
      all.emplace_back(random() % 30, random() % 3, i);  // many are of equal size
    }
    LargestSessions largest(SessionOrder::bytes, room);
    for (const auto& [size, source, slot] : all) {
      const std::uint64_t floor = largest.floor();
      const bool admitted = largest.admits(size, source, slot);
      EXPECT_TRUE(size >= floor || !admitted);
      largest.add(source, session(slot, size));
    }
    std::sort(all.begin(), all.end(), [](const Row& a, const Row& b) {
      if (std::get<0>(a) != std::get<0>(b)) return std::get<0>(a) > std::get<0>(b);
      return std::tuple(std::get<1>(a), std::get<2>(a)) < std::tuple(std::get<1>(b), std::get<2>(b));
    });
    if (all.size() > room) all.resize(room);
    EXPECT_EQ(rows_of(largest), all);
  }
}

TEST(LargestSessions, TheFloorIsWhatIsStillWanted) {
  LargestSessions largest(SessionOrder::bytes, 2, 10);
  EXPECT_EQ(largest.floor(), 10U) << "there is room, but not for everything";
  largest.add(0, session(1, 9));
  EXPECT_EQ(largest.count(), 0U);
  largest.add(0, session(2, 10));
  largest.add(0, session(3, 30));
  EXPECT_EQ(largest.floor(), 10U);
  largest.add(0, session(4, 20));
  EXPECT_EQ(largest.floor(), 20U);
  EXPECT_TRUE(largest.admits(20, 0, 3)) << "of equal sessions, the one of the lower slot";
  EXPECT_FALSE(largest.admits(20, 0, 5));
  EXPECT_EQ(rows_of(largest), (std::vector<Row>{{30, 0, 3}, {20, 0, 4}}));
}

}  // namespace
}  // namespace icr
