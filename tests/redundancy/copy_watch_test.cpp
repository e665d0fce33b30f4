// Tests that a copy of sessions which makes no progress is told in the log, once and with numbers.
#include "node/redundancy/copy_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/redundancy/member_pair.h"

namespace icr::node {
namespace {

using testing::HasSubstr;
using testing::Not;
using Event = StallWatch::Event;

TEST(StallWatch, TellsOnceThatNothingMovesAndOnceThatItGoesOn) {
  StallWatch watch(5s);
  const TimePoint now{100s};
  EXPECT_EQ(watch.look(now, true, 7), Event::none) << "a watch may begin with a step that is due";
  EXPECT_EQ(watch.look(now, true, 7), Event::none);
  EXPECT_EQ(watch.look(now + 4999ms, true, 7), Event::none);
  EXPECT_EQ(watch.look(now + 5000ms, true, 7), Event::stalled);
  EXPECT_EQ(watch.stood_for(), 5000ms);
  EXPECT_EQ(watch.look(now + 60s, true, 7), Event::none);
  EXPECT_EQ(watch.look(now + 61s, true, 8), Event::resumed);
  EXPECT_EQ(watch.stood_for(), 61s);
  EXPECT_EQ(watch.look(now + 65s, true, 8), Event::none);
  EXPECT_EQ(watch.look(now + 66s, true, 8), Event::stalled) << "a second one is told as well";
}

TEST(StallWatch, TimeCountsOnlyWhileAStepIsDue) {
  StallWatch watch(5s);
  const TimePoint now{100s};
  EXPECT_EQ(watch.look(now, false, 7), Event::none);
  EXPECT_EQ(watch.look(now + 60s, false, 7), Event::none);
  EXPECT_EQ(watch.look(now + 64s, true, 7), Event::none);
  EXPECT_EQ(watch.look(now + 68s, true, 7), Event::none);
  EXPECT_EQ(watch.look(now + 69s, true, 7), Event::stalled);
  EXPECT_EQ(watch.look(now + 70s, false, 7), Event::none) << "it was given up, and does not go on";
  EXPECT_EQ(watch.look(now + 71s, false, 8), Event::none);
}

class CopyWatchTest : public test::MemberPairTest {
 protected:
  CopyWatchTest() { log::set_level(log::Level::info); }
  ~CopyWatchTest() override { log::set_level(log::Level::error); }
  CopyWatchTest(const CopyWatchTest&) = delete;
  CopyWatchTest& operator=(const CopyWatchTest&) = delete;

  std::string logged_while(Duration time) {
    testing::internal::CaptureStderr();
    run_for(time);
    return testing::internal::GetCapturedStderr();
  }
};

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// Shared case "a copy that stalls leaves no log line".
TEST_F(CopyWatchTest, ACopyThatStallsIsToldByBothMembersOnce) {
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.role == "master"; }));
  fill(left_, 400);
  left_.data.faults.cut = true;  // the connection for data is stuck, heartbeats pass
  right_.start();
  std::string log = logged_while(4s);
  EXPECT_THAT(log, Not(HasSubstr("progress")));
  EXPECT_THAT(log, Not(HasSubstr("acknowledged nothing")));
  log = logged_while(60s);
  EXPECT_EQ(count_of(log, "set=rs1 the copy has made no progress for 5"), 1U) << log;
  EXPECT_THAT(log, HasSubstr("batches=0"));
  EXPECT_EQ(count_of(log, "set=rs1 the standby has acknowledged nothing for "), 1U) << log;
  EXPECT_THAT(log, HasSubstr("bytes-unacknowledged="));
  EXPECT_FALSE(right_.hot());
  left_.data.faults.cut = false;
  log = logged_while(10s);
  EXPECT_EQ(count_of(log, "set=rs1 the copy goes on, after "), 1U) << log;
  EXPECT_EQ(count_of(log, "set=rs1 the standby acknowledges again, after "), 1U) << log;
  EXPECT_TRUE(right_.hot() && equal());
}

/// Takes whatever is sent.
struct Sink final : replication::Outlet {
  bool send(replication::Channel /*channel*/, std::span<const std::uint8_t> /*message*/) override { return true; }
};

TEST_F(CopyWatchTest, TheMasterSaysHowFarACopyIsAndThatItIsSent) {
  left_.start();
  ASSERT_TRUE(run_until([this] { return left_.role == "master"; }));
  fill(left_, 400);
  replication::SenderLimits limits;
  limits.batch_rows = 100;
  replication::Sender sender(*left_.table, limits);
  CopyWatch watch("rs9");
  Sink sink;
  TimePoint now{100s};
  const auto step = [&](Duration time, std::size_t bytes) {
    now += time;
    testing::internal::CaptureStderr();
    if (bytes != 0) sender.pump(now, replication::Header{}, sink, bytes);
    watch.look_at(now, &sender, left_.table->high_water());
    return testing::internal::GetCapturedStderr();
  };
  sender.start(now, {7});
  EXPECT_EQ(step(1ms, 2000), "");
  const std::uint32_t copied = sender.slots_copied();
  ASSERT_GT(copied, 0U);
  ASSERT_LT(copied, 400U);
  EXPECT_THAT(step(2s, 0),
              HasSubstr("set=rs9 the copy for the standby: " + std::to_string(copied) + " of 400 slots ("));
  EXPECT_THAT(step(3s, 0), Not(HasSubstr("copy for the standby"))) << "it has not moved";
  EXPECT_THAT(step(1s, 1U << 20U), HasSubstr("set=rs9 the copy for the standby is sent: 400 slots in 6001 ms"));
  EXPECT_THAT(step(1s, 1U << 20U), Not(HasSubstr("copy for the standby")));
  sender.start(now, {8});
  EXPECT_THAT(step(1s, 1U << 20U), HasSubstr("is sent: 400 slots in 1000 ms")) << "each copy is told";
}

TEST_F(CopyWatchTest, AnIdlePairLogsNothing) {
  bring_up();
  fill(left_, 10);
  EXPECT_EQ(logged_while(60s), "");
}

/// The same for a pair that is in step: the standby's acknowledgements do not arrive any more.
TEST_F(CopyWatchTest, ChangesThatAreNotAcknowledgedAreToldByTheMaster) {
  bring_up();
  left_.data.faults.cut = true;
  fill(left_, 10);
  const std::string log = logged_while(20s);
  EXPECT_EQ(count_of(log, "the standby has acknowledged nothing for "), 1U) << log;
  EXPECT_THAT(log, HasSubstr("copy-complete=true"));
}

}  // namespace
}  // namespace icr::node
