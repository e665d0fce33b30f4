// Each word costs a comparison when it is true, and does what it says when it is not.
#include "model/base/guilt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace icr {
namespace {

std::uint64_t faults() {
  CounterList out;
  guilt::append_to(out);
  EXPECT_EQ(out.at(0).name, "internal-faults");
  return out.at(0).value;
}

/// Returns what `act` wrote to standard error.
template <class Act>
std::string printed(Act&& act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

TEST(Guilt, WhatIsTrueIsEvaluatedOnceAndCountsNothing) {
  const auto before = faults();
  int evaluated = 0;
  std::uint64_t refused = 0;
  ICR_MUST(++evaluated == 1);
  EXPECT_TRUE(ICR_SHOULD(++evaluated == 2));
  EXPECT_TRUE(ICR_PEER_MUST(++evaluated == 3, refused));
  EXPECT_EQ(evaluated, 3);
  EXPECT_EQ(refused, 0U);
  EXPECT_EQ(faults(), before);
}

TEST(GuiltDeathTest, AMustThatIsNotTrueEndsTheProcessAndNamesThePlace) {
  const int slots = 3;
  EXPECT_EXIT(ICR_MUST(slots == 4), testing::KilledBySignal(SIGABRT), "slots == 4 is not true at .*guilt_test.cpp:");
}

TEST(Guilt, AShouldThatIsNotTrueIsCountedAndLoggedOnce) {
  const auto before = faults();
  bool went_on = true;
  const std::string log = printed([&] {
    for (int i = 0; i < 3; ++i) went_on = ICR_SHOULD(before + 1 == before) || went_on;
  });
  EXPECT_TRUE(went_on);
  EXPECT_EQ(faults(), before + 3);
  EXPECT_THAT(log, testing::HasSubstr("before + 1 == before is not true at "));
  EXPECT_EQ(log.find("before + 1"), log.rfind("before + 1")) << log;
}

TEST(Guilt, OfTwoPlacesEachIsLogged) {
  const std::string log = printed([] {
    (void)ICR_SHOULD(1 + 1 == 3);
    (void)ICR_SHOULD(1 + 1 == 4);
  });
  EXPECT_THAT(log, testing::HasSubstr("1 + 1 == 3"));
  EXPECT_THAT(log, testing::HasSubstr("1 + 1 == 4"));
}

TEST(Guilt, AFaultOfTheOtherSideIsCountedWhereTheCallerSays) {
  const auto before = faults();
  std::uint64_t refused = 0;
  const int length = 7;
  EXPECT_FALSE(ICR_PEER_MUST(length < 4, refused));
  EXPECT_FALSE(ICR_PEER_MUST(length < 5, refused));
  EXPECT_EQ(refused, 2U);
  EXPECT_EQ(faults(), before) << "it is not ours";
}

}  // namespace
}  // namespace icr
