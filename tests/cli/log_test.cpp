// `show log messages`: lines of several chassis, by time.
#include "cli/builders/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr WallMillis kBegin = 1'757'836'005'250;  // 2025-09-14 07:46:45.250 UTC

class LogWords : public testing::Test {
 protected:
  void SetUp() override {
    fake_.logs[0].add(log::Level::info, kBegin, "chassis: chassis=left started");
    fake_.logs[1].add(log::Level::warn, kBegin + 1500, "replication: peer=left is not connected");
    fake_.logs[0].add(log::Level::error, kBegin + 1000, "port: <ms000.1> \x1b[2J is gone");
    fake_.logs[1].add(log::Level::debug, kBegin + 1500, "query: & \"more\"");
    fake_.logs[0].add(log::Level::info, kBegin + 1500, "set: set=rs1 role=master");
  }

  Output run(const std::string& line, std::optional<std::uint16_t> only = std::nullopt) {
    FakeTransport transport([this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      questions_.push_back(request.kind);
      if (silent_.contains(chassis) && request.from >= silent_from_) return fail("no answer");
      if (old_.contains(chassis)) {
        QueryReply reply;
        reply.error = QueryError::unknown_kind;
        reply.reason = "unknown kind of question: 26";
        return reply;
      }
      auto reply = answer_of_chassis(fake_, chassis, request);
      if (reply && change_) change_(chassis, reply->log);
      if (after_each_) after_each_(chassis);
      return reply;
    });
    return run_line(line, fake_.cluster, transport, only);
  }

  FakeCluster fake_;
  std::set<std::uint16_t> silent_;
  std::uint64_t silent_from_ = 0;
  std::set<std::uint16_t> old_;
  std::vector<QueryKind> questions_;
  std::function<void(std::uint16_t)> after_each_;
  std::function<void(std::uint16_t, LogPage&)> change_;  ///< what a chassis answers
};

TEST_F(LogWords, LinesOfSeveralChassisAreInTheOrderOfTheirTimes) {
  expect_golden(fake_, "show log messages", "log");
  expect_golden(fake_, "show log messages", "log-one", 1);
  expect_forms(fake_, "show log messages", "log");
  expect_forms(fake_, "show log messages member right", "log-one");
  EXPECT_THAT(run("show log messages member all").out, HasSubstr("left:\n-----"));
  run("show log messages");
  for (const QueryKind each : questions_) EXPECT_EQ(each, QueryKind::log) << "no card is asked";
}

// A log of many pages, to which the chassis adds while it is read.
TEST_F(LogWords, AllOfALongLogIsReadOnce) {
  for (std::size_t i = 0; i < log::LogBook::kLines + 300; ++i) {
    fake_.logs[0].add(log::Level::info, kBegin + 2000 + static_cast<WallMillis>(i), "number=" + std::to_string(i));
  }
  after_each_ = [this](std::uint16_t chassis) {
    if (chassis == 0) fake_.logs[0].add(log::Level::info, kBegin + 9000, "logged while it is read");
  };
  const auto output = run("show log messages", 0);
  EXPECT_EQ(output.code, ExitCode::ok) << output.error;
  std::size_t at = 0;
  for (std::size_t i = 300; i < log::LogBook::kLines + 300; ++i) {
    const auto found = output.out.find("number=" + std::to_string(i) + "\n", at);
    ASSERT_NE(found, std::string::npos) << i;
    at = found;
  }
  EXPECT_THAT(output.out, EndsWith("number=2299\n"));
  EXPECT_EQ(static_cast<std::size_t>(std::count(output.out.begin(), output.out.end(), '\n')), log::LogBook::kLines);
}

TEST_F(LogWords, AChassisThatDoesNotAnswerIsNamed) {
  silent_ = {0};
  auto output = run("show log messages");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: no answer"));
  EXPECT_THAT(output.out, StartsWith("Sep 14 07:46:46.750  right icrd["));
  // It dies after its first page.
  for (std::size_t i = 0; i < kPageLogLines; ++i) fake_.logs[0].add(log::Level::info, kBegin, "more");
  silent_from_ = 1;
  output = run("show log messages");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.out, HasSubstr("chassis=left started"));
}

// A part of a log must not pass for all of it.
TEST_F(LogWords, LinesThatCouldNotBeReadAreTold) {
  for (std::size_t i = 0; i < kPageLogLines; ++i) fake_.logs[0].add(log::Level::info, kBegin, "more");
  change_ = [](std::uint16_t chassis, LogPage& page) {
    if (chassis == 0 && page.first > 0) page.pid += 1;
  };
  auto output = run("show log messages");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: it was started again while its log was read"));
  EXPECT_THAT(output.out, HasSubstr("chassis=left started"));

  bool flooded = false;
  change_ = nullptr;
  after_each_ = [&](std::uint16_t chassis) {
    if (chassis != 0 || flooded) return;
    flooded = true;
    for (std::size_t i = 0; i < log::LogBook::kLines - 2; ++i) fake_.logs[0].add(log::Level::info, kBegin, "flood");
  };
  output = run("show log messages");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: 1 lines of its log were gone"));
  EXPECT_THAT(run("show log messages", 1).error, testing::IsEmpty());
}

TEST_F(LogWords, AChassisThatNeverEndsIsLeft) {
  std::uint64_t asked = 0;
  change_ = [&](std::uint16_t chassis, LogPage& page) {
    if (chassis != 0) return;
    page.end = ~std::uint64_t{0};
    page.first = asked++ * kPageLogLines;
    page.lines.assign(kPageLogLines, {log::Level::info, kBegin, "again"});
  };
  const auto output = run("show log messages");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error,
              HasSubstr("chassis left did not answer: it says that its log has line 18446744073709551615"));
  EXPECT_THAT(output.out, HasSubstr("right icrd["));
}

TEST_F(LogWords, AnEarlierReleaseIsNamed) {
  old_ = {0};
  const auto output = run("show log messages");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: its release does not show its log"));
  EXPECT_THAT(run("show log messages | display xml").out, HasSubstr("its release does not show its log"));
}

TEST(LogLines, TellTimeAndSeverityAsRoutersDo) {
  std::string out;
  cli::append_log_line("left", 77, {log::Level::debug, 1'764'558'727'005, "a: b"}, out);
  cli::append_log_line("left", 1, {log::Level::info, 0, ""}, out);
  cli::append_log_line("l", 1, {log::Level::warn, 253'402'300'799'999, "x"}, out);
  cli::append_log_line("l", 1, {log::Level::error, 999, "x"}, out);
  EXPECT_EQ(out,
            "Dec  1 03:12:07.005  left icrd[77]: %DAEMON-7: a: b\n"
            "Jan  1 00:00:00.000  left icrd[1]: %DAEMON-6: \n"
            "Dec 31 23:59:59.999  l icrd[1]: %DAEMON-4: x\n"
            "Jan  1 00:00:00.999  l icrd[1]: %DAEMON-3: x\n");
}

}  // namespace
}  // namespace icr::test
