// The session table against a std::map, up to the last slot.
#include "node/flow/session_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "model/base/guilt.h"

namespace icr::node::test {
namespace {

FlowKey key_of(std::uint32_t a, std::uint32_t b, std::uint16_t port) {
  return {IpAddress::v4(a), IpAddress::v4(b), port, 80, 17};
}

auto order(const FlowKey& k) {
  return std::tuple(k.source.bytes, k.destination.bytes, k.source_port, k.destination_port, k.protocol);
}

struct Less {
  bool operator()(const FlowKey& a, const FlowKey& b) const { return order(a) < order(b); }
};

TEST(SessionTable, BehavesLikeAMapUnderRandomUse) {
  for (const std::uint32_t capacity : {1U, 2U, 7U, 64U, 1000U}) {
    SessionTable table(capacity, capacity * 77);
    std::map<FlowKey, std::pair<std::uint32_t, Direction>, Less> model;
    std::set<std::uint32_t> live;
    std::mt19937_64 random(capacity);
    // Few keys, so that many collide; phases of growth and of decline.
    for (int step = 0; step < 40000; ++step) {
      const bool grow = (step / 4000) % 2 == 0 ? random() % 4 != 0 : random() % 4 == 0;
      if (grow) {
        const FlowKey i =
            key_of(static_cast<std::uint32_t>(random() % (capacity + 2)), 7, static_cast<std::uint16_t>(random() % 4));
        const FlowKey r = key_of(0xffff0000U, static_cast<std::uint32_t>(random() % (capacity + 2)),
                                 static_cast<std::uint16_t>(random() % 4));
        const auto slot = table.allocate();
        ASSERT_EQ(slot.has_value(), live.size() < capacity);
        if (!slot) continue;
        ASSERT_FALSE(live.contains(*slot));
        table.at(*slot).set_keys(i, r);
        // Half of those that are not there are entered without looking again.
        const bool looked_for = random() % 2 == 0 && !model.contains(i);
        const bool inserted = looked_for ? table.insert_first(*slot, table.hash(0, i)) : table.insert(*slot);
        ASSERT_EQ(inserted, !model.contains(i) && !model.contains(r));
        ASSERT_EQ(table.at(*slot).live, inserted);
        if (!inserted) {
          table.release(*slot);
          continue;
        }
        live.insert(*slot);
        model[i] = {*slot, Direction::initiator};
        model[r] = {*slot, Direction::responder};
      } else if (!live.empty()) {
        auto victim = live.lower_bound(static_cast<std::uint32_t>(random() % capacity));
        if (victim == live.end()) victim = live.begin();
        const std::uint32_t slot = *victim;
        model.erase(table.at(slot).initiator());
        model.erase(table.at(slot).responder());
        table.remove(slot);
        ASSERT_FALSE(table.at(slot).live);
        table.release(slot);
        live.erase(victim);
      }
      ASSERT_EQ(table.size(), live.size());
      if (step % 500 != 0) continue;
      for (const auto& [key, where] : model) {
        const auto found = table.find(0, key);
        ASSERT_TRUE(found.has_value());
        ASSERT_EQ(found->slot, where.first);
        ASSERT_EQ(found->direction, where.second);
      }
      for (std::uint32_t a = 0; a < capacity + 2; ++a) {
        const FlowKey absent = key_of(a, 7, 9);
        ASSERT_FALSE(table.find(0, absent).has_value());
      }
    }
  }
}

TEST(SessionTable, FillsToTheLastSlot) {
  const std::uint32_t capacity = 60000;
  SessionTable table(capacity, 5);
  for (std::uint32_t i = 0; i < capacity; ++i) {
    const auto slot = table.allocate();
    ASSERT_TRUE(slot.has_value());
    table.at(*slot).set_keys(key_of(i, 7, 1), key_of(0xffff0000U, i, 1));
    ASSERT_TRUE(table.insert(*slot));
  }
  EXPECT_FALSE(table.allocate().has_value());
  EXPECT_EQ(table.high_water(), capacity);
  for (std::uint32_t i = 0; i < capacity; ++i) {
    ASSERT_EQ(table.find(0, key_of(i, 7, 1))->slot, table.find(0, key_of(0xffff0000U, i, 1))->slot);
  }
  for (std::uint32_t slot = 0; slot < capacity; ++slot) {
    table.remove(slot);
    table.release(slot);
  }
  EXPECT_EQ(table.size(), 0U);
  for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_FALSE(table.find(0, key_of(i, 7, 1)).has_value());
}

TEST(SessionTable, TheSideListTakesWhatFindsBothBucketsFull) {
  // Two buckets of eight: with capacity 4 there are 16 places for 8 flows. More slots than the index was made for are
  // not possible, so the keys are chosen: all of them fall into one bucket.
  const std::uint32_t capacity = 1024;
  SessionTable table(capacity, 99);
  const std::uint64_t buckets = (capacity + 1) / 2;
  const auto bucket = [&](std::uint64_t hash) { return (hash >> 32) * buckets >> 32; };
  std::vector<std::uint32_t> slots;
  std::uint32_t next = 0;
  const auto chosen = [&] {
    for (;; ++next) {
      const FlowKey key = key_of(next, 1, 1);
      const std::uint64_t h = table.hash(0, key);
      if (bucket(h) < 2 && bucket(h * 0x9e3779b97f4a7c15ULL) < 20) {
        ++next;
        return key;
      }
    }
  };
  bool refused = false;
  while (slots.size() < capacity && !refused) {
    const auto slot = table.allocate();
    const FlowKey initiator = chosen();
    const FlowKey responder = chosen();
    table.at(*slot).set_keys(initiator, responder);
    refused = !table.insert(*slot);
    if (refused) {
      // Not because a flow is already there, and nothing of it stays.
      EXPECT_FALSE(table.find(0, initiator).has_value());
      EXPECT_FALSE(table.find(0, responder).has_value());
      table.release(*slot);
    } else {
      slots.push_back(*slot);
    }
  }
  ASSERT_TRUE(refused) << "the index must have an end";
  EXPECT_GT(slots.size() * 2, 16U + 32U) << "beyond two full buckets";
  for (const auto slot : slots) {
    EXPECT_EQ(table.find(0, table.at(slot).initiator())->slot, slot);
    EXPECT_EQ(table.find(0, table.at(slot).responder())->direction, Direction::responder);
  }
  // Removing makes room again, wherever the flows were.
  std::mt19937 random(1);
  std::shuffle(slots.begin(), slots.end(), random);
  for (const auto slot : slots) {
    const FlowKey initiator = table.at(slot).initiator();
    table.remove(slot);
    table.release(slot);
    EXPECT_FALSE(table.find(0, initiator).has_value());
  }
  const auto slot = table.allocate();
  table.at(*slot).set_keys(chosen(), chosen());
  EXPECT_TRUE(table.insert(*slot));
}

TEST(SessionTable, ToClaimASlotThatIsTakenIsCounted) {
  const auto faults = [] {
    CounterList out;
    guilt::append_to(out);
    return out.at(0).value;
  };
  const auto before = faults();
  SessionTable table(64, 1);
  table.claim(5);
  EXPECT_EQ(faults(), before);
  table.claim(5);
  EXPECT_EQ(faults(), before + 1);
}

TEST(SessionTable, SlotsAreNotReusedAtOnce) {
  SessionTable table(100, 1);
  const auto first = table.allocate();
  table.release(*first);
  EXPECT_NE(*table.allocate(), *first) << "a slot rests before its number comes again";
  table.claim(50);
  for (int i = 0; i < 98; ++i) ASSERT_NE(table.allocate().value_or(50), 50U);
  EXPECT_FALSE(table.allocate().has_value());
}

}  // namespace
}  // namespace icr::node::test
