#include "model/base/bit_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace icr {
namespace {

/// The same contract in an obvious way.
class Oracle {
 public:
  explicit Oracle(std::uint32_t capacity) : capacity_(capacity) {}
  bool mark(std::uint32_t slot) { return slots_.insert(slot).second; }
  bool unmark(std::uint32_t slot) { return slots_.erase(slot) != 0; }
  std::optional<std::uint32_t> take() {
    if (slots_.empty()) return std::nullopt;
    auto next = slots_.lower_bound(cursor_);
    if (next == slots_.end()) next = slots_.begin();
    const auto slot = *next;
    slots_.erase(next);
    cursor_ = slot + 1 == capacity_ ? 0 : slot + 1;
    return slot;
  }
  void clear() {
    slots_.clear();
    cursor_ = 0;
  }
  [[nodiscard]] const std::set<std::uint32_t>& slots() const { return slots_; }

 private:
  std::uint32_t capacity_;
  std::uint32_t cursor_ = 0;
  std::set<std::uint32_t> slots_;
};

class BitSetAgainstSet : public testing::TestWithParam<std::uint32_t> {};

TEST_P(BitSetAgainstSet, RandomOperationsAgree) {
  const std::uint32_t capacity = GetParam();
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed * 7919 + capacity);
    BitSet set(capacity);
    Oracle oracle(capacity);
    // Phases that fill, drain and keep the level, so that full and empty words and groups all occur.
    for (unsigned phase = 0; phase < 12; ++phase) {
      const unsigned mark_share = phase % 3 == 0 ? 80 : phase % 3 == 1 ? 15 : 48;
      for (unsigned step = 0; step < 3000; ++step) {
        const std::uint32_t slot = static_cast<std::uint32_t>(random() % capacity);
        const unsigned dice = static_cast<unsigned>(random() % 100);
        if (dice < mark_share) {
          ASSERT_EQ(set.mark(slot), oracle.mark(slot));
        } else if (dice < 97) {
          if (dice % 2 == 0) {
            ASSERT_EQ(set.unmark(slot), oracle.unmark(slot));
          } else {
            ASSERT_EQ(set.take(), oracle.take());
          }
        } else if (dice == 99 && random() % 50 == 0) {
          set.clear();
          oracle.clear();
        }
        ASSERT_EQ(set.size(), oracle.slots().size());
        ASSERT_EQ(set.empty(), oracle.slots().empty());
        ASSERT_EQ(set.contains(slot), oracle.slots().count(slot) != 0);
      }
    }
    while (const auto slot = oracle.take()) ASSERT_EQ(set.take(), slot);
    ASSERT_EQ(set.take(), std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Capacities, BitSetAgainstSet,
                         testing::Values(1, 2, 63, 64, 65, 4095, 4096, 4097, 8191, 8192, 100'000));

TEST(BitSet, EverySlotIsTakenOnceInOrder) {
  constexpr std::uint32_t kCapacity = 3 * 4096 + 17;
  BitSet set(kCapacity);
  for (std::uint32_t slot = 0; slot < kCapacity; ++slot) ASSERT_TRUE(set.mark(slot));
  EXPECT_FALSE(set.mark(4096));
  EXPECT_EQ(set.size(), kCapacity);
  for (std::uint32_t slot = 0; slot < kCapacity; ++slot) ASSERT_EQ(set.take(), slot);
  EXPECT_TRUE(set.empty());
}

TEST(BitSet, ABusySlotDoesNotStarveTheOthers) {
  BitSet set(10'000);
  set.mark(3);
  set.mark(9'000);
  EXPECT_EQ(set.take(), 3U);
  set.mark(3);  // changed again at once
  EXPECT_EQ(set.take(), 9'000U);
  EXPECT_EQ(set.take(), 3U);
  EXPECT_EQ(set.take(), std::nullopt);
}

TEST(BitSet, UpcomingIsWhatTakeReturns) {
  BitSet set(3 * 4096 + 17);
  for (std::uint32_t slot = 5; slot < set.capacity(); slot += 1 + slot % 97) set.mark(slot);
  for (int i = 0; i < 10; ++i) (void)set.take();
  while (!set.empty()) {
    std::vector<std::uint32_t> expected;
    set.upcoming(64, [&](std::uint32_t slot) { expected.push_back(slot); });
    ASSERT_FALSE(expected.empty());
    ASSERT_LE(expected.size(), 64U);
    for (const std::uint32_t slot : expected) ASSERT_EQ(set.take(), slot);
  }
  set.upcoming(64, [](std::uint32_t) { ADD_FAILURE(); });
  // The cursor is behind it: what comes round again is not said.
  set.mark(7);
  set.upcoming(64, [](std::uint32_t) { ADD_FAILURE(); });
  EXPECT_EQ(set.take(), 7U);
}

TEST(BitSet, AnEmptyOneOfNoCapacityAnswers) {
  BitSet set(0);
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.take(), std::nullopt);
  set.clear();
  EXPECT_EQ(set.capacity(), 0U);
}

}  // namespace
}  // namespace icr
