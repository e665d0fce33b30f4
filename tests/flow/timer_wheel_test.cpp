// The timer wheel against a list of deadlines.
#include "node/flow/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace icr::node::test {
namespace {

constexpr std::uint32_t kAll = 0xffffffff;

TEST(TimerWheel, ComesUpAtTheDeadlineWhateverTheDistance) {
  for (const Ticks start : {0U, 1000U, 0xfffffff0U, 0xffff0000U, 0x00ffff01U}) {
    for (const std::uint32_t delta :
         {1U, 2U, 255U, 256U, 257U, 4095U, 4096U, 4097U, 8191U, 8192U, 65535U, 65536U, 65537U, 131072U, 200000U}) {
      TimerWheel wheel(1, start);
      wheel.arm(0, start + delta);
      EXPECT_TRUE(wheel.advance(start + delta - 1, kAll, [](std::uint32_t) { ADD_FAILURE() << "too early"; }));
      int calls = 0;
      EXPECT_TRUE(wheel.advance(start + delta, kAll, [&](std::uint32_t) { ++calls; }));
      EXPECT_EQ(calls, 1) << start << " + " << delta;
      EXPECT_FALSE(wheel.armed(0));
    }
  }
}

TEST(TimerWheel, BehavesLikeAListOfDeadlines) {
  for (const Ticks start : {0U, 0xffffff00U, 0xfff00000U}) {
    constexpr std::uint32_t kSlots = 200;
    TimerWheel wheel(kSlots, start);
    std::map<std::uint32_t, std::uint64_t> model;  // slot -> deadline, not wrapped
    std::uint64_t now = start;
    std::mt19937_64 random(start + 1);
    for (int step = 0; step < 4000; ++step) {
      for (int i = 0; i < 10; ++i) {
        const auto slot = static_cast<std::uint32_t>(random() % kSlots);
        if (random() % 8 == 0) {
          wheel.disarm(slot);
          model.erase(slot);
          continue;
        }
        const std::uint64_t spans[] = {5, 300, 5000, 70000, 1000000};
        const auto delta = static_cast<std::int64_t>(random() % spans[random() % 5]) - 3;
        const std::uint64_t deadline = now + static_cast<std::uint64_t>(delta);
        wheel.arm(slot, static_cast<Ticks>(deadline));
        // In the past: at the next tick.
        model[slot] = delta < 1 ? now + 1 : deadline;
      }
      const std::uint64_t jumps[] = {0, 1, 7, 5000, 40000};
      now += random() % (jumps[random() % 5] + 1);
      std::vector<std::uint32_t> due;
      ASSERT_TRUE(wheel.advance(static_cast<Ticks>(now), kAll, [&](std::uint32_t slot) { due.push_back(slot); }));
      std::uint64_t last = 0;
      for (const auto slot : due) {
        ASSERT_TRUE(model.contains(slot)) << "came up twice, or disarmed";
        ASSERT_LE(model[slot], now) << "too early";
        ASSERT_GE(model[slot], last) << "out of order";
        last = model[slot];
        model.erase(slot);
      }
      for (const auto& [slot, deadline] : model) {
        ASSERT_GT(deadline, now) << "slot " << slot << " was forgotten";
        ASSERT_TRUE(wheel.armed(slot));
      }
    }
  }
}

TEST(TimerWheel, ABudgetSpreadsTheWork) {
  TimerWheel wheel(1000, 0);
  for (std::uint32_t slot = 0; slot < 1000; ++slot) wheel.arm(slot, 10 + slot % 3);
  std::vector<int> calls(1000);
  int rounds = 0;
  while (!wheel.advance(100, 64, [&](std::uint32_t slot) { ++calls[slot]; })) ++rounds;
  EXPECT_GE(rounds, 1000 / 64);
  EXPECT_EQ(wheel.now(), 100U);
  for (const int c : calls) EXPECT_EQ(c, 1);
}

TEST(TimerWheel, SaysHowFarItIsBehind) {
  TimerWheel wheel(100, 50);
  for (std::uint32_t slot = 0; slot < 100; ++slot) wheel.arm(slot, 51);
  EXPECT_EQ(wheel.lag(50), 0U);
  EXPECT_EQ(wheel.lag(49), 0U) << "time that goes back";
  EXPECT_EQ(wheel.lag(53), 3U);
  EXPECT_FALSE(wheel.advance(53, 10, [](std::uint32_t) {}));
  EXPECT_EQ(wheel.lag(53), 2U) << "in the middle of tick 51";
  EXPECT_TRUE(wheel.advance(53, kAll, [](std::uint32_t) {}));
  EXPECT_EQ(wheel.lag(53), 0U);
}

TEST(TimerWheel, ABudgetAlsoSpreadsTheMoveFromACoarseBucketToFineOnes) {
  constexpr std::uint32_t kSlots = 20000;
  TimerWheel wheel(kSlots, 0);
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) wheel.arm(slot, 4096 + slot % 3);
  std::vector<Ticks> at(kSlots, 0);
  const auto note = [&](std::uint32_t slot) {
    ASSERT_EQ(at[slot], 0U);
    at[slot] = wheel.now();
  };
  int rounds = 0;
  while (!wheel.advance(4098, 10, note)) {
    // Meanwhile some are disarmed, some armed again, some moved far away.
    const std::uint32_t slot = static_cast<std::uint32_t>(rounds) * 7 % kSlots;
    if (at[slot] == 0 && rounds % 3 == 0) {
      wheel.disarm(slot);
      at[slot] = 1;
    } else if (at[slot] == 0) {
      wheel.arm(slot, wheel.now() + (rounds % 3 == 1 ? 2 : 100000));
    }
    ++rounds;
  }
  EXPECT_GE(rounds, static_cast<int>(kSlots / 80)) << "eight moves count as one call";
  std::uint32_t armed = 0;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    armed += wheel.armed(slot) ? 1U : 0U;
    EXPECT_EQ(wheel.armed(slot), at[slot] == 0);
  }
  EXPECT_GT(armed, 100U);
  while (!wheel.advance(200000, 1, note)) {
  }
  for (const Ticks t : at) EXPECT_NE(t, 0U);
}

TEST(TimerWheel, NamesWhatComesUpSoon) {
  constexpr std::uint32_t kSlots = 1000;
  TimerWheel wheel(kSlots, 0);
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) wheel.arm(slot, 10);
  std::vector<int> far(kSlots);
  std::vector<int> near(kSlots);
  std::uint32_t known = 0;
  EXPECT_TRUE(wheel.advance(
      10, kAll, [&](std::uint32_t slot) { known += far[slot] == 1 && near[slot] == 1 ? 1U : 0U; },
      [&](std::uint32_t slot) { ++far[slot]; }, [&](std::uint32_t slot) { EXPECT_EQ(near[slot]++, 0); }));
  EXPECT_GE(known, kSlots - 16) << "all but the first were announced, once";
}

TEST(TimerWheel, ArmingInTheCallIsTheLazyWay) {
  TimerWheel wheel(1, 0);
  wheel.arm(0, 50);
  std::vector<Ticks> at;
  EXPECT_TRUE(wheel.advance(1000, kAll, [&](std::uint32_t slot) {
    at.push_back(wheel.now());
    if (at.size() < 4) wheel.arm(slot, wheel.now() + (at.size() == 3 ? 300 : 0));
  }));
  EXPECT_EQ(at, (std::vector<Ticks>{50, 51, 52, 352}));
}

TEST(TimerWheel, TimeThatGoesBackChangesNothing) {
  TimerWheel wheel(1, 1000);
  wheel.arm(0, 1001);
  EXPECT_TRUE(wheel.advance(900, kAll, [](std::uint32_t) { ADD_FAILURE(); }));
  EXPECT_EQ(wheel.now(), 1000U);
  EXPECT_TRUE(wheel.armed(0));
}

TEST(TimerWheel, BeyondItsReachItComesUpEarlyAndIsArmedAgain) {
  TimerWheel wheel(1, 0);
  const Ticks far = 40000000;  // more than 2^24
  wheel.arm(0, far);
  std::vector<Ticks> at;
  EXPECT_TRUE(wheel.advance(far, kAll, [&](std::uint32_t slot) {
    at.push_back(wheel.now());
    if (wheel.now() != far) wheel.arm(slot, far);
  }));
  ASSERT_FALSE(at.empty());
  EXPECT_EQ(at.back(), far);
  EXPECT_LE(at.size(), 3U);
}

}  // namespace
}  // namespace icr::node::test
