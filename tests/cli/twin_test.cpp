// Commands that compare twins: what is said of those that are equal, that differ, and that move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/merge/twin_comparison.h"
#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Twins : public testing::Test {
 protected:
  void SetUp() override {
    for (std::uint32_t i = 0; i < kSessions; ++i) {
      auto session = make_translated(3 * i, i % 2 == 0 ? 0 : 1, flow(i), static_cast<std::uint16_t>(1024 + i));
      session.tcp_state = TcpState::established;
      fake_.put_everywhere(0, session);
    }
    fake_.put_everywhere(0, make_binding(0, RecordKind::port_block, 0, pool_id("pool1"), "192.0.2.1", "203.0.113.5"));
    fake_.put_everywhere(0, make_binding(3, RecordKind::pairing, 0, pool_id("pool1"), "192.0.2.1", "203.0.113.5"));
  }

  static FlowKey flow(std::uint32_t i) {
    return key("192.0.2.1", static_cast<std::uint16_t>(i), "198.51.100.1", 80, ip_protocol::tcp);
  }

  Output compare(const std::string& options = "rg-id 1") {
    return run("show services redundancy-group consistency " + options);
  }

  Output run(const std::string& line) {
    FakeTransport transport([this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      if (silent_.count(chassis) != 0) return fail("no answer");
      return answer_from(fake_, chassis, request);
    });
    return run_line(line, fake_.cluster, transport, std::nullopt, [this] {
      ++pauses_;
      if (while_waiting_) while_waiting_();
    });
  }

  FakeShard& master() { return fake_.shard(0, 0); }
  FakeShard& standby() { return fake_.shard(1, 0); }

  static constexpr std::uint32_t kSessions = 3000;
  FakeCluster fake_;
  std::set<std::uint16_t> silent_;
  std::function<void()> while_waiting_;
  int pauses_ = 0;
};

TEST_F(Twins, EqualTwinsAreEqualAtTheFirstLook) {
  // What the standby hears of only now and then does not count.
  auto idle = make_translated(0, 0, flow(0), 1024);
  idle.tcp_state = TcpState::established;
  idle.idle = 77;
  idle.age = 1000;
  idle.counters[0] = {5, 500};
  standby().put(idle);
  const auto output = compare();
  EXPECT_EQ(output.out,
            "RG-ID 1, RS-ID 1: redundancy set rs1, members left, right\n"
            "   Master: left, standby: right\n"
            "   Sessions:     3000 compared, 3000 equal, 0 different\n"
            "   NAT bindings: 2 compared, 2 equal, 0 different\n"
            "   The twins are equal\n");
  EXPECT_EQ(output.code, cli::ExitCode::ok);
  EXPECT_EQ(pauses_, 0);
}

TEST_F(Twins, EveryRedundancySetIsComparedInTurn) {
  const auto output = compare("");
  EXPECT_THAT(output.out, HasSubstr("The twins are equal\n\nRG-ID 2, RS-ID 2: redundancy set rs2, members left, right\n"
                                    "   Master: right, standby: left\n"
                                    "   Sessions:     0 compared, 0 equal, 0 different\n"));
  EXPECT_THAT(output.out, Not(HasSubstr("alone"))) << "a stand-alone set has no twins";
}

TEST_F(Twins, DifferencesThatStandStillArePrintedFieldByField) {
  auto closed = make_translated(3, 1, flow(1), 1025);
  closed.tcp_state = TcpState::closed;
  closed.version = 2;
  closed.timeout_s = 1;
  standby().put(closed);
  auto reused = make_translated(6, 0, flow(7000), 1026);
  reused.ref.generation = 2;
  reused.tcp_state = TcpState::established;
  standby().put(reused);
  (void)standby().remove(3 * 2999, TimePoint{});
  auto only_there = make_translated(1, 0, flow(9000), 9999);
  standby().put(only_there);
  auto block = make_binding(0, RecordKind::port_block, 0, pool_id("pool1"), "192.0.2.9", "203.0.113.5");
  standby().put(block);
  const auto output = compare();
  EXPECT_EQ(
      output.out,
      "RG-ID 1, RS-ID 1: redundancy set rs1, members left, right\n"
      "   Master: left, standby: right\n"
      "   Sessions:     3001 compared, 2997 equal, 4 different\n"
      "   NAT bindings: 2 compared, 1 equal, 1 different\n"
      "   The twins are different\n"
      "     Session 67108865 tcp 192.0.2.1:9000 -> 198.51.100.1:80: only on right\n"
      "     Session 67108867 tcp 192.0.2.1:1 -> 198.51.100.1:80: TCP state ESTABLISHED on left, CLOSED on right; "
      "timeout 30 on left, 1 on right; version 1 on left, 2 on right\n"
      "     Session 67108870 tcp 192.0.2.1:2 -> 198.51.100.1:80: generation 1 on left, 2 on right; initiator flow tcp "
      "192.0.2.1:2 -> 198.51.100.1:80 on left, tcp 192.0.2.1:7000 -> 198.51.100.1:80 on right\n"
      "     Session 67117861 tcp 192.0.2.1:2999 -> 198.51.100.1:80: only on left\n"
      "     Port block 192.0.2.1:0 -> 203.0.113.5:0: ends 192.0.2.1:0 -> 203.0.113.5:0 on left, 192.0.2.9:0 -> "
      "203.0.113.5:0 on right\n");
  EXPECT_EQ(output.code, cli::ExitCode::different);
  EXPECT_EQ(pauses_, 2) << "once for the sessions, once for the bindings";
}

TEST_F(Twins, AChangeThatIsOnItsWayIsNoDifference) {
  auto closing = make_translated(3, 1, flow(1), 1025);
  closing.tcp_state = TcpState::closing;
  closing.version = 2;
  master().put(closing);
  (void)master().remove(6, TimePoint{});
  while_waiting_ = [&] {
    standby().put(closing);
    (void)standby().remove(6, TimePoint{});
  };
  const auto output = compare();
  EXPECT_THAT(output.out, HasSubstr("   Sessions:     2999 compared, 2999 equal, 0 different\n"));
  EXPECT_THAT(output.out, HasSubstr("   The twins are equal\n"));
  EXPECT_EQ(output.code, cli::ExitCode::ok);
  EXPECT_EQ(pauses_, 1);
}

TEST_F(Twins, ASessionThatMovesOnWithEachLookIsNotCalledDifferent) {
  auto moving = make_translated(3, 1, flow(1), 1025);
  while_waiting_ = [&] {
    ++moving.version;
    master().put(moving);
  };
  while_waiting_();
  const auto output = compare();
  EXPECT_THAT(output.out, HasSubstr("   Sessions:     3000 compared, 2999 equal, 0 different, 1 changing\n"));
  EXPECT_THAT(output.out,
              HasSubstr("   No difference is proved, but some sessions or bindings changed at each look\n"));
  EXPECT_EQ(output.code, cli::ExitCode::ok);
  EXPECT_EQ(pauses_, 5);
}

TEST_F(Twins, TenDifferencesAreShownUnlessAllAreWanted) {
  for (std::uint32_t i = 0; i < 25; ++i) (void)standby().remove(3 * i, TimePoint{});
  EXPECT_THAT(compare().out, HasSubstr("only on left\n     and 15 more\n"));
  const auto all = compare("rg-id 1 extensive").out;
  EXPECT_THAT(all, HasSubstr("192.0.2.1:24 -> 198.51.100.1:80: only on left\n"));
  EXPECT_THAT(all, Not(HasSubstr("more")));
}

TEST_F(Twins, WhatCannotBeComparedIsSaid) {
  standby().sync = Sync::cold;
  auto output = compare();
  EXPECT_EQ(output.out,
            "RG-ID 1, RS-ID 1: redundancy set rs1, members left, right\n"
            "   Not compared: the copy of standby right is not complete\n");
  EXPECT_EQ(output.code, cli::ExitCode::different);
  silent_ = {1};
  output = compare();
  EXPECT_THAT(output.out, HasSubstr("   Not compared: only 1 of its members answers\n"));
  EXPECT_THAT(output.error, HasSubstr("error: chassis right did not answer"));
  EXPECT_EQ(output.code, cli::ExitCode::incomplete);
}

TEST_F(Twins, AMemberThatStopsAnsweringIsSaid) {
  (void)standby().remove(0, TimePoint{});
  while_waiting_ = [this] { silent_ = {1}; };
  const auto output = compare();
  EXPECT_THAT(output.out, HasSubstr("   Not compared: a member stopped answering\n"));
  EXPECT_EQ(output.code, cli::ExitCode::incomplete);
}

TEST_F(Twins, MoreDifferencesThanAreExaminedAreSaid) {
  // Every slot differs at the first look. Those that are looked at again are equal then.
  std::vector<SessionRecord> late;
  for (std::uint32_t i = 0; i < cli::TwinComparison::kMostDoubts + 5; ++i) {
    late.push_back(
        make_translated(i, 0, key("192.0.2.7", static_cast<std::uint16_t>(i), "198.51.100.9", 80, ip_protocol::tcp),
                        static_cast<std::uint16_t>(1024 + i)));
    late.back().ref.generation = 2;
    master().put(late.back());
  }
  while_waiting_ = [&] {
    for (const SessionRecord& record : late) standby().put(record);
  };
  const auto output = compare();
  EXPECT_THAT(output.out, HasSubstr("   Sessions:     10005 compared, 10000 equal, 0 different, 5 not examined\n"));
  EXPECT_THAT(output.out, HasSubstr("No difference is proved, but some slots that differed were not examined"));
  EXPECT_EQ(output.code, cli::ExitCode::different);
}

constexpr auto* kDryRun = "request services redundancy-set id 1 switchover dry-run";

TEST_F(Twins, ADryRunSaysThatNothingWouldBeLost) {
  const auto output = run(kDryRun);
  EXPECT_EQ(output.out,
            "RG-ID 1, RS-ID 1: redundancy set rs1, members left, right\n"
            "   Master: left, standby: right\n"
            "   Sessions:     3000 compared, 3000 equal, 0 different\n"
            "   NAT bindings: 2 compared, 2 equal, 0 different\n"
            "   The twins are equal\n"
            "   On the way to the standby: 1 changed session, 3 records (412 bytes) that it has not acknowledged; a "
            "switchover waits until all of this has arrived\n"
            "   A switchover would lose no session\n");
  EXPECT_EQ(output.code, cli::ExitCode::ok);
  EXPECT_EQ(master().switchovers, 0);
}

TEST_F(Twins, ADryRunSaysWhatWouldBeLost) {
  for (std::uint32_t i = 0; i < 3; ++i) (void)standby().remove(3 * i, TimePoint{});
  (void)standby().remove(kFirstBinding, TimePoint{});
  (void)master().remove(30, TimePoint{});
  const auto output = run(kDryRun);
  EXPECT_THAT(output.out, HasSubstr("   A switchover would lose 3 sessions and 1 NAT binding\n"));
  EXPECT_EQ(output.code, cli::ExitCode::different);
}

TEST_F(Twins, ADryRunSaysWhyASwitchoverWouldBeRefused) {
  master().peer_warned = true;
  auto output = run(kDryRun);
  EXPECT_THAT(output.out,
              HasSubstr("   left would refuse a switchover: the standby is warned, which only force overrides\n"));
  EXPECT_THAT(output.out, Not(HasSubstr("would lose")));
  EXPECT_EQ(output.code, cli::ExitCode::different);
  master().sync = Sync::cold;
  EXPECT_THAT(run(kDryRun).out, HasSubstr("left would refuse a switchover: the standby is Cold, not Hot\n"));
  EXPECT_EQ(master().switchovers, 0);
}

TEST_F(Twins, OnlyForceIsForce) {
  EXPECT_EQ(run("request services redundancy-set rs1 switchover").code, cli::ExitCode::ok);
  EXPECT_FALSE(master().forced);
  EXPECT_EQ(run("request services redundancy-set id 1 redundancy-event e trigger force").code, cli::ExitCode::ok);
  EXPECT_TRUE(master().forced);
  EXPECT_EQ(master().switchovers, 2);
  for (const char* line : {"id 3 switchover", "id 9 switchover dry-run", "rs9 redundancy-event e trigger"}) {
    const auto output = run(std::string("request services redundancy-set ") + line);
    EXPECT_EQ(output.code, cli::ExitCode::command_error) << line;
    EXPECT_THAT(output.error, HasSubstr(" not found\n")) << line << ": a stand-alone set has no number";
  }
}

/// The standby is not told of a session below the replication-threshold, which is no difference. Of any other session,
/// its absence is one.
TEST(TwinComparison, SessionsThatAreWithheldAreNotMissing) {
  cli::TwinComparison comparison;
  std::vector<SessionRecord> records(4);
  for (std::uint32_t i = 0; i < records.size(); ++i) records[i].ref = {i, 1};
  records[1].newest_state = NewestState::withheld;
  std::vector<SessionRecord> there = {records[0]};
  const auto end = cli::kNoMoreSlots;
  EXPECT_EQ(comparison.look(0, {records, end}, {there, end}), end);
  EXPECT_EQ(comparison.withheld(), 1U);
  ASSERT_EQ(comparison.doubts().size(), 2U);
  records[2].newest_state = NewestState::withheld;  // another session, which has taken the slot since
  EXPECT_EQ(comparison.look_again(2, {records, end}, {there, end}), end);
  EXPECT_EQ(comparison.withheld(), 2U);
  EXPECT_EQ(comparison.different(), 1U);
  EXPECT_EQ(comparison.equal(), 1U);
}

/// However much differs, the memory for it is bounded, and the rest is said to be unknown.
TEST(TwinComparison, KeepsABoundedNumberOfDoubts) {
  cli::TwinComparison comparison;
  std::vector<SessionRecord> records(cli::TwinComparison::kMostDoubts + 5);
  for (std::uint32_t i = 0; i < records.size(); ++i) records[i].ref = {i, 1};
  EXPECT_EQ(comparison.look(0, {records, cli::kNoMoreSlots}, {{}, cli::kNoMoreSlots}), cli::kNoMoreSlots);
  EXPECT_EQ(comparison.doubts().size(), cli::TwinComparison::kMostDoubts);
  EXPECT_EQ(comparison.not_examined(), 5U);
}

/// Pages of the two sides end at different slots when one side has more sessions than the other.
TEST(TwinComparison, GoesOnWhereTheShorterPageEnds) {
  cli::TwinComparison comparison;
  std::vector<SessionRecord> records(4);
  for (std::uint32_t i = 0; i < records.size(); ++i) records[i].ref = {10 * i, 1};
  const std::span<const SessionRecord> all(records);
  EXPECT_EQ(comparison.look(0, {all.first(3), 21}, {all.first(2), 11}), 11U);
  EXPECT_EQ(comparison.equal(), 2U);
  EXPECT_EQ(comparison.look(11, {all.subspan(2), cli::kNoMoreSlots}, {all.subspan(2), cli::kNoMoreSlots}),
            cli::kNoMoreSlots);
  EXPECT_EQ(comparison.equal(), 4U);
  EXPECT_TRUE(comparison.doubts().empty());
}

TEST_F(Twins, TheyAreComparedInEveryForm) {
  const std::string line = "show services redundancy-group consistency rg-id 1";
  EXPECT_EQ(run(line + " | display xml").code, cli::ExitCode::ok);
  expect_forms(fake_, line, "consistency");
  standby().remove(6, {});
  const auto output = run(line + " | display xml");
  EXPECT_EQ(output.code, cli::ExitCode::different);
  EXPECT_THAT(output.out, HasSubstr("<twin-verdict>different</twin-verdict>"));
  EXPECT_THAT(output.out, HasSubstr("<different-slots>1</different-slots>"));
  EXPECT_THAT(output.out, HasSubstr(": only on left</twin-difference>"));
  const auto dry_run = run("request services redundancy-set rs1 switchover dry-run | display xml");
  EXPECT_EQ(dry_run.code, cli::ExitCode::different);
  EXPECT_THAT(dry_run.out, HasSubstr("<lost-sessions>1</lost-sessions>"));
  silent_ = {1};
  const auto alone = run(line + " | display json");
  EXPECT_EQ(alone.code, cli::ExitCode::incomplete);
  EXPECT_THAT(alone.out, HasSubstr("only 1 of its members answers"));
}

}  // namespace
}  // namespace icr::test
