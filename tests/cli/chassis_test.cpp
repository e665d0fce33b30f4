// What each chassis says about itself: times, alarms, hardware.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr WallMillis kNow = 1'757'836'005'000;  // 2025-09-14 07:46:45 UTC

class ChassisWords : public testing::Test {
 protected:
  Output run(const std::string& line, std::optional<std::uint16_t> only = std::nullopt) {
    FakeTransport transport([this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      asked_.insert(request.kind);
      if (silent_.contains(chassis)) return fail("no answer");
      if (old_.contains(chassis) && request.kind == QueryKind::system) {
        QueryReply reply;
        reply.error = QueryError::unknown_kind;
        reply.reason = "unknown kind of question: 21";
        return reply;
      }
      if (request.kind == QueryKind::commit && commits_.contains(chassis)) {
        QueryReply reply;
        reply.commit = commits_[chassis];
        return reply;
      }
      return answer_of_chassis(fake_, chassis, request);
    });
    return run_line(line, fake_.cluster, transport, only);
  }

  FakeCluster fake_;
  std::set<std::uint16_t> silent_;
  std::set<std::uint16_t> old_;
  std::map<std::uint16_t, CommitReply> commits_;
  std::set<QueryKind> asked_;
};

TEST_F(ChassisWords, UptimeIsThatOfEachChassis) {
  expect_golden(fake_, "show system uptime", "uptime");
  expect_golden(fake_, "show system uptime", "uptime-one", 0);
  expect_forms(fake_, "show system uptime", "uptime");
  expect_forms(fake_, "show system uptime member right", "uptime-one");
  EXPECT_EQ(run("show system uptime member all").out, run("show system uptime").out);
}

// The lengths and the last line are those that FreeBSD and Junos print.
TEST_F(ChassisWords, LengthsOfTimeAreWrittenAsRoutersDo) {
  struct Case {
    std::uint64_t seconds;
    std::string_view length, up;
  };
  for (const Case& each :
       {Case{7, "00:00:07", "7 secs"}, Case{1, "00:00:01", "1 sec"}, Case{60, "00:01:00", "1 min"},
        Case{95, "00:01:35", "2 mins"}, Case{3600, "01:00:00", "1 hr"}, Case{7790, "02:09:50", " 2:10"},
        Case{105'389, "1d 05:16", "1 day,  5:16"}, Case{3'866'468, "6w2d 18:01", "44 days, 18:01"},
        Case{86'400 * 14, "2w0d 00:00", "14 days, 0 mins"}}) {
    fake_.systems[0].machine_s = each.seconds;
    const auto out = run("show system uptime", 0).out;
    EXPECT_THAT(out, HasSubstr(fmt::format(" UTC ({} ago)\nProtocols", each.length))) << each.seconds;
    EXPECT_THAT(out, HasSubstr(fmt::format("M  up {}, load averages: ", each.up))) << each.seconds;
  }
}

TEST_F(ChassisWords, WhatIsNotKnownIsLeftOut) {
  fake_.systems[0] = {};
  fake_.systems[0].now = kNow;
  fake_.systems[0].process_s = 5;
  commits_[0] = {};
  EXPECT_EQ(run("show system uptime", 0).out,
            "Current time: 2025-09-14 07:46:45 UTC\nProtocols started: 2025-09-14 07:46:40 UTC (00:00:05 ago)\n");
}

TEST_F(ChassisWords, AChassisThatIsSilentOrTooOldIsNamedAndTheOtherAnswers) {
  silent_ = {1};
  for (const char* line : {"show system uptime", "show chassis hardware", "show chassis alarms", "show system alarms",
                           "show interfaces terse"}) {
    const auto output = run(line);
    EXPECT_EQ(output.code, ExitCode::incomplete) << line;
    EXPECT_THAT(output.error, HasSubstr("error: chassis right did not answer: no answer\n")) << line;
    EXPECT_THAT(output.out, HasSubstr("left:\n---")) << line;
    EXPECT_THAT(output.out, Not(HasSubstr("right:\n"))) << line;
  }
  silent_.clear();
  old_ = {0};
  const auto output = run("show system uptime");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: it refused the question: unknown kind"));
  EXPECT_THAT(output.out, testing::StartsWith("right:\n"));
}

TEST_F(ChassisWords, HardwareIsCardsAndTheirPorts) {
  expect_golden(fake_, "show chassis hardware", "hardware");
  expect_forms(fake_, "show chassis hardware", "hardware");
}

TEST_F(ChassisWords, InterfacesAreCardsAndTheirUnits) {
  fake_.systems[0].interfaces[1].present = fake_.systems[0].interfaces[1].admin_up =
      fake_.systems[0].interfaces[1].link_up = false;
  fake_.systems[0].interfaces[2].admin_up = fake_.systems[0].interfaces[2].link_up = false;
  expect_golden(fake_, "show interfaces terse", "interfaces-terse");
  expect_golden(fake_, "show interfaces", "interfaces");
  expect_golden(fake_, "show interfaces ms-0/0/0 statistics", "interfaces-statistics");
  expect_golden(fake_, "show interfaces extensive vms-3/0/0", "interfaces-extensive");
  expect_golden(fake_, "show interfaces ms-1/0/0.1", "interfaces-unit");
  expect_golden(fake_, "show interfaces ms-1/0/0.1 terse", "interfaces-unit-terse", 1);
  expect_forms(fake_, "show interfaces terse", "interfaces-terse");
  expect_forms(fake_, "show interfaces ms-0/0/0 statistics", "interfaces-statistics");
  expect_forms(fake_, "show interfaces ms-1/0/0.1 extensive", "interfaces-unit-extensive");
  EXPECT_EQ(run("show interfaces brief").out, run("show interfaces").out);
  EXPECT_EQ(run("show interfaces detail").out, run("show interfaces extensive").out);
}

// TP: operators look for the rates of a card with exactly these lines.
TEST_F(ChassisWords, RatesStandWhereScriptsLookForThem) {
  const auto out = run("show interfaces vms-2/0/0", 0).out;
  EXPECT_THAT(out, HasSubstr("\n  Input rate     : 1024000 bps (160 pps)\n  Output rate    : 73728 bps (144 pps)\n"));
}

TEST_F(ChassisWords, AnInterfaceThatIsNotThereIsAnError) {
  auto output = run("show interfaces ms-9/0/0");
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_THAT(output.error, HasSubstr("device ms-9/0/0 not found"));
  output = run("show interfaces ms-1/0/0.1", 0);
  EXPECT_EQ(output.code, ExitCode::command_error) << "the other chassis has it";
  EXPECT_EQ(output.error, "error: device ms-1/0/0.1 not found\n");
  EXPECT_THAT(run("show interfaces ms-1/0/0.5").error, HasSubstr("device ms-1/0/0.5 not found"));
}

TEST_F(ChassisWords, WithoutAlarmsItSaysSo) {
  EXPECT_EQ(run("show chassis alarms", 0).out, "No alarms currently active\n");
  EXPECT_EQ(run("show system alarms", 0).out, "No alarms currently active\n");
  expect_forms(fake_, "show chassis alarms", "alarms-none");
}

TEST_F(ChassisWords, AlarmsAreThoseOfAllSetsTheOldestFirst) {
  fake_.shard(0, 1).alarms = {{{kNow - 60'000, false, "rs2: checkpoints cannot be written"}}};
  fake_.shard(0, 2).alarms = {{{kNow - 3'600'000, true, "alone: interface inside0 has no carrier"},
                               {kNow - 1'000, false, "alone: the witness does not answer"}}};
  expect_golden(fake_, "show chassis alarms", "alarms");
  expect_forms(fake_, "show chassis alarms", "alarms");
}

TEST_F(ChassisWords, SystemAlarmsAreAlsoAboutCommits) {
  fake_.shard(0, 0).alarms = {{{kNow - 60'000, true, "rs1: peer right is not connected"}}};
  commits_[0].newest = 7;
  commits_[0].state = CommitState::failed;
  commits_[0].detail = "port 1: no such device";
  commits_[0].entries = {{7, 1, kNow - 120'000, "root", "cli", "", 0}};
  commits_[1] = commits_[0];
  commits_[1].state = CommitState::waiting;
  commits_[1].detail = "its peer";
  EXPECT_EQ(run("show system alarms").out,
            "left:\n"
            "--------------------------------------------------------------------------\n"
            "2 alarms currently active\n"
            "Alarm time               Class  Description\n"
            "2025-09-14 07:44:45 UTC  Major  commit 7 failed, and the former one runs: port 1: no such device\n"
            "2025-09-14 07:45:45 UTC  Major  rs1: peer right is not connected\n"
            "\n"
            "right:\n"
            "--------------------------------------------------------------------------\n"
            "1 alarms currently active\n"
            "Alarm time               Class  Description\n"
            "2025-09-14 07:44:45 UTC  Minor  commit 7 waits for its peer\n");
  EXPECT_THAT(run("show system alarms | display xml").out, HasSubstr("<alarm-type>Configuration</alarm-type>"));
  const auto chassis = run("show chassis alarms", 0).out;
  EXPECT_THAT(chassis, HasSubstr("1 alarms currently active"));
  EXPECT_THAT(chassis, Not(HasSubstr("commit")));
}

TEST_F(ChassisWords, AChassisThatIsAloneIsNoList) {
  fake_.cluster.chassis.resize(1);
  fake_.cluster.redundancy_sets = {fake_.cluster.redundancy_sets[2]};
  EXPECT_EQ(run("show system uptime").out, run("show system uptime", 0).out);
}

// An answer without alarms would say that all is well.
TEST_F(ChassisWords, AnEarlierReleaseIsNotTakenForHealthy) {
  fake_.shard(0, 0).alarms.reset();
  const auto output = run("show chassis alarms");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: its release does not tell of alarms"));
  EXPECT_THAT(output.out, Not(HasSubstr("left:")));
  EXPECT_THAT(output.out, HasSubstr("right:"));
}

TEST_F(ChassisWords, TimesNeedNoQuestionToACard) {
  EXPECT_EQ(run("show system uptime").code, ExitCode::ok);
  EXPECT_THAT(asked_, ElementsAre(QueryKind::commit, QueryKind::system));
}

}  // namespace
}  // namespace icr::test
