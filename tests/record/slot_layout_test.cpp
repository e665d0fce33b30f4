#include "model/record/slot_layout.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "model/record/session.h"

namespace icr {
namespace {

using Use = SlotRange::Use;

SlotRange owned(std::uint32_t first, StableId pool, std::uint32_t external, std::uint32_t addresses,
                std::uint32_t per_address, std::uint16_t block_size = 64) {
  return {Use::owned, first, addresses * per_address, pool, external, per_address, 1024, block_size};
}

/// 100 sessions, pool 7 with two addresses of four blocks, 10 pairings, 20 mappings.
SlotLayout usual() {
  return {{Use::sessions, 0, 100}, owned(100, 7, 0xcb007100, 2, 4), {Use::pairings, 108, 10}, {Use::mappings, 118, 20}};
}

TEST(SlotMap, ATableOfTheSameLayoutNeedsNone) {
  EXPECT_TRUE(SlotMap().is_identity());
  EXPECT_TRUE(SlotMap(usual(), usual()).is_identity());
  EXPECT_EQ(SlotMap(usual(), usual()).own(77), 77U);
  EXPECT_TRUE(SlotMap({}, usual()).is_identity()) << "of a table that has sessions only";
}

TEST(SlotMap, AFurtherPoolInFrontMovesEverythingThatIsBehindIt) {
  const SlotLayout more = {{Use::sessions, 0, 100},
                           owned(100, 3, 0xcb007200, 1, 4),
                           owned(104, 7, 0xcb007100, 2, 4),
                           {Use::pairings, 112, 10},
                           {Use::mappings, 122, 20}};
  const SlotMap there(usual(), more);
  const SlotMap back(more, usual());
  std::set<std::uint32_t> used;
  for (std::uint32_t slot = 0; slot < 138; ++slot) {
    const auto own = there.own(slot);
    ASSERT_EQ(own, slot < 100 ? slot : slot + 4) << slot;
    EXPECT_EQ(back.own(*own), slot);
    EXPECT_TRUE(used.insert(*own).second);
  }
  EXPECT_EQ(there.own(138), std::nullopt);
  EXPECT_EQ(back.own(101), std::nullopt) << "a block of the pool that is not there";
}

TEST(SlotMap, AddressesOfAPoolAreFoundWhereverTheyAre) {
  // The same pool with an address in front and one behind, in two ranges.
  const SlotLayout grown = {{Use::sessions, 0, 100}, owned(100, 7, 0xcb007101, 2, 4), owned(108, 7, 0xcb0070ff, 2, 4)};
  const SlotMap map(usual(), grown);
  EXPECT_EQ(map.own(100), 112U) << "block 0 of 203.0.113.0";
  EXPECT_EQ(map.own(103), 115U);
  EXPECT_EQ(map.own(104), 100U) << "block 0 of 203.0.113.1";
  EXPECT_EQ(map.own(107), 103U);
  EXPECT_EQ(map.own(108), std::nullopt) << "it has no pairings";
}

TEST(SlotMap, BlocksOfAnotherShapeHaveNoCounterpart) {
  for (const SlotRange& other :
       {owned(100, 7, 0xcb007100, 2, 4, 32), owned(100, 7, 0xcb007100, 2, 8), owned(100, 8, 0xcb007100, 2, 4)}) {
    const SlotMap map(usual(), {{Use::sessions, 0, 100}, other});
    EXPECT_EQ(map.own(99), 99U);
    EXPECT_EQ(map.own(100), std::nullopt);
    EXPECT_EQ(map.own(107), std::nullopt);
  }
}

TEST(SlotMap, OfTablesOfDifferentSizesTheSmallerDecides) {
  const SlotMap map(usual(), {{Use::sessions, 0, 50}, {Use::pairings, 50, 5}, {Use::mappings, 55, 40}});
  EXPECT_EQ(map.own(49), 49U);
  EXPECT_EQ(map.own(50), std::nullopt);
  EXPECT_EQ(map.own(108), 50U);
  EXPECT_EQ(map.own(112), 54U);
  EXPECT_EQ(map.own(113), std::nullopt);
  EXPECT_EQ(map.own(137), 74U);
}

TEST(SlotLayout, ComesBackAsItWasWritten) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(encode_layout(usual(), builder));
  const auto* rows = flatbuffers::GetRoot<flatbuffers::Vector<const fbs::SlotRange*>>(builder.GetBufferPointer());
  const auto read = decode_layout(rows);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, usual());
  const auto none = decode_layout(nullptr);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(SlotLayout, WhatCannotBeIsRefusedAndWhatIsNewerIsLeftOut) {
  const auto read = [](const SlotLayout& layout) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(encode_layout(layout, builder));
    return decode_layout(flatbuffers::GetRoot<flatbuffers::Vector<const fbs::SlotRange*>>(builder.GetBufferPointer()));
  };
  EXPECT_FALSE(read({{Use::sessions, kMaxRecordSlots, 1}}));
  EXPECT_FALSE(read({{Use::sessions, 1, 0xffffffff}}));
  EXPECT_FALSE(read({owned(0, 1, 0xffffffff, 2, 1)})) << "beyond the last address";
  SlotRange odd = owned(0, 1, 1, 2, 4);
  odd.count = 7;
  EXPECT_FALSE(read({odd}));
  odd = owned(0, 1, 1, 2, 4);
  odd.per_address = 0;
  EXPECT_FALSE(read({odd}));
  const auto later = read({{static_cast<Use>(kSlotUseCount), 0, 0xffffffff}, {Use::sessions, 0, 9}});
  ASSERT_TRUE(later);
  EXPECT_EQ(*later, (SlotLayout{{Use::sessions, 0, 9}}));
}

}  // namespace
}  // namespace icr
