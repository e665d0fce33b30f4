// RFC 6888 REQ-8: a freed number is not given to another host for a while.
#include "node/nat/reuse_hold.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace icr::node::test {
namespace {

const auto kAny = [](std::uint64_t) { return true; };

TEST(ReuseHold, ForAsLongAsItSays) {
  ReuseHold hold(1000, 8, 1200);
  EXPECT_FALSE(hold.add(5, 100));
  EXPECT_FALSE(hold.add(7, 101));
  EXPECT_TRUE(hold.holds(5));
  EXPECT_FALSE(hold.due(1299));
  EXPECT_EQ(hold.due(1300), 5U);
  EXPECT_FALSE(hold.holds(5));
  EXPECT_FALSE(hold.due(1300));
  EXPECT_EQ(hold.due(9999), 7U);
  EXPECT_EQ(hold.size(), 0U);
}

TEST(ReuseHold, TheOldestGoesWhereThereIsNoPlace) {
  ReuseHold hold(1000, 2, 1200);
  EXPECT_FALSE(hold.add(1, 0));
  EXPECT_FALSE(hold.add(2, 0));
  EXPECT_EQ(hold.add(3, 0), 1U);
  EXPECT_FALSE(hold.holds(1));
  EXPECT_EQ(hold.size(), 2U);
}

TEST(ReuseHold, TheOldestThatFits) {
  ReuseHold hold(1000, 8, 1200);
  for (const std::uint64_t n : {10, 21, 30, 41}) EXPECT_FALSE(hold.add(n, 0));
  const auto odd = [](std::uint64_t n) { return n % 2 == 1; };
  EXPECT_EQ(hold.take_oldest(odd), 21U);
  EXPECT_EQ(hold.take_oldest(odd), 41U);
  EXPECT_FALSE(hold.take_oldest(odd));
  EXPECT_EQ(hold.take_oldest(kAny), 10U);
  EXPECT_EQ(hold.due(1200), 30U) << "what was taken is passed by";
}

/// Numbers that are released out of turn must not use up the places of held ones.
TEST(ReuseHold, PlacesOfWhatIsGoneAreUsedAgain) {
  ReuseHold hold(1000, 4, 1200);
  for (const std::uint64_t n : {1, 2, 3, 4}) EXPECT_FALSE(hold.add(n, 0));
  EXPECT_EQ(hold.take_oldest([](std::uint64_t n) { return n == 3; }), 3U);
  EXPECT_FALSE(hold.add(5, 1)) << "there is a place";
  hold.forget(2);
  EXPECT_FALSE(hold.add(2, 2));
  EXPECT_EQ(hold.add(6, 3), 1U);
  for (const std::uint64_t n : {4, 5, 2, 6}) EXPECT_EQ(hold.due(5000), n);
  EXPECT_FALSE(hold.due(5000));
}

/// A twin is told of a new owner before its own hold is over; when that owner frees the number, the hold begins anew.
TEST(ReuseHold, ForgottenAndHeldAgain) {
  ReuseHold hold(1000, 8, 100);
  EXPECT_FALSE(hold.add(5, 0));
  hold.forget(5);
  EXPECT_FALSE(hold.holds(5));
  EXPECT_FALSE(hold.add(5, 60));
  EXPECT_FALSE(hold.due(100)) << "the first entry means nothing any more";
  EXPECT_TRUE(hold.holds(5));
  EXPECT_EQ(hold.due(160), 5U);
}

TEST(ReuseHold, TimeGoesRoundAfterNineteenDays) {
  ReuseHold hold(1000, 8, 1200);
  const Ticks late = (1U << 24) - 10;
  EXPECT_FALSE(hold.add(5, late));
  EXPECT_FALSE(hold.due(late + 1199));
  EXPECT_EQ(hold.due(late + 1200), 5U);
}

TEST(ReuseHold, AsAPlainQueueDoes) {
  std::mt19937 random(3);
  ReuseHold hold(64, 16, 20);
  std::deque<std::pair<std::uint64_t, Ticks>> model;
  const auto drop = [&](std::uint64_t number) {
    for (auto m = model.begin(); m != model.end(); ++m) {
      if (m->first == number) return void(model.erase(m));
    }
    ADD_FAILURE() << number << " was not held";
  };
  Ticks now = 0;
  for (int step = 0; step < 20000; ++step) {
    now += static_cast<Ticks>(random() % 2);
    const std::uint64_t number = random() % 64;
    const bool known = std::any_of(model.begin(), model.end(), [&](const auto& m) { return m.first == number; });
    ASSERT_EQ(hold.holds(number), known);
    ASSERT_EQ(hold.size(), model.size());
    switch (random() % 5) {
      case 0:
      case 1:
        if (known) break;
        if (const auto gone = hold.add(number, now)) drop(*gone);
        model.emplace_back(number, now);
        break;
      case 2:
        hold.forget(number);
        if (known) drop(number);
        break;
      case 3:
        if (const auto gone = hold.take_oldest([&](std::uint64_t n) { return n % 8 == number % 8; })) {
          const auto first =
              std::find_if(model.begin(), model.end(), [&](const auto& m) { return m.first % 8 == number % 8; });
          ASSERT_EQ(first->first, *gone);
          model.erase(first);
        }
        break;
      default:
        while (const auto over = hold.due(now)) {
          ASSERT_EQ(model.front().first, *over);
          ASSERT_GE(now - model.front().second, 20U);
          model.pop_front();
        }
        ASSERT_TRUE(model.empty() || now - model.front().second < 20U);
    }
  }
}

}  // namespace
}  // namespace icr::node::test
