#include "model/base/progress.h"

#include <gtest/gtest.h>

namespace icr {
namespace {

TEST(Progress, HasShareRateAndTimeLeft) {
  EXPECT_EQ(progress_text(16'384, 100'000, "slots", 128ms), "16384 of 100000 slots (16 %), 128000 slots/s, 0.7 s left");
  EXPECT_EQ(progress_text(1, 1'000'000, "slots", 1s), "1 of 1000000 slots (0 %), 1 slots/s, 999999.0 s left");
  EXPECT_EQ(progress_text(500, 500, "records", 2s), "500 of 500 records (100 %), 250 records/s, 0.0 s left");
}

TEST(Progress, SaysNothingThatItCannotKnow) {
  EXPECT_EQ(progress_text(0, 1000, "slots", 5s), "0 of 1000 slots (0 %)");
  EXPECT_EQ(progress_text(10, 1000, "slots", 0s), "10 of 1000 slots (1 %)");
  EXPECT_EQ(progress_text(10, 1000, "slots", -1s), "10 of 1000 slots (1 %)");
  EXPECT_EQ(progress_text(0, 0, "slots", 1s), "0 of 0 slots (100 %)");
  EXPECT_EQ(progress_text(12, 10, "slots", 1s), "12 of 10 slots (100 %), 12 slots/s, 0.0 s left")
      << "the whole can shrink meanwhile";
}

}  // namespace
}  // namespace icr
