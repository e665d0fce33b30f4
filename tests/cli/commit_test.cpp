// `icr commit` against chassis whose desks are real: all take a commit, or none.
#include "cli/commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "cli/render/commits.h"
#include "model/config/cluster_file.h"
#include "node/commit/commit_desk.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::cli {
namespace {

namespace fs = std::filesystem;
using node::CommitDesk;
using node::SnapshotStore;
using testing::HasSubstr;
using testing::Not;

constexpr WallMillis kNow = 1'700'000'000'000;

std::string file(std::string_view timeout = "30", int right_query = 7300) {
  std::string out = "cluster: lab\nchassis:\n";
  for (const int i : {1, 2}) {
    out += fmt::format(
        "  - name: {0}\n    inter-chassis: {{ address: 127.0.0.{1}, port: 7400 }}\n"
        "    query: {{ address: 127.0.0.{1}, port: {2} }}\n    cards:\n"
        "      - {{ name: ms-0/0/0, ports: [{{ unit: 1, type: tun, device: a1 }}, {{ unit: 2, type: tun, device: a2 "
        "}}] "
        "}}\n",
        i == 1 ? "left" : "right", i, i == 1 ? 7300 : right_query);
  }
  out += fmt::format(R"(redundancy-sets:
  - name: rs1
    id: 1
    members: [{{ chassis: left, card: ms-0/0/0, priority: 200 }}, {{ chassis: right, card: ms-0/0/0 }}]
    service-sets: [shared]
service-sets:
  - {{ name: shared, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: all,
      timeouts: {{ inactivity-timeout: {} }} }}
stateful-firewall:
  rules: [{{ name: all, match-direction: input, terms: [{{ name: all, then: accept }}] }}]
)",
                     timeout);
  return out;
}

/// The same with a third chassis, which has no redundancy set.
std::string file_with_third(std::string_view timeout) {
  std::string out = file(timeout);
  out.insert(out.find("redundancy-sets:"),
             "  - name: third\n    inter-chassis: { address: 127.0.0.3, port: 7400 }\n"
             "    query: { address: 127.0.0.3, port: 7300 }\n    cards:\n"
             "      - { name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }] }\n");
  return out;
}

/// A chassis that takes commits, and runs one as soon as it has it.
struct FakeChassis {
  explicit FakeChassis(const std::string& name) : desk(SnapshotStore(), name, [] { return 7; }) {
    EXPECT_TRUE(desk.start(file(), "cluster.yaml", kNow));
    run();
  }
  void run() {
    desk.set_running(desk.newest().snapshot);
    desk.set_state(CommitState::running, {}, false);
  }
  CommitDesk desk;
  bool dead = false;
  std::string cannot_start;  ///< why it cannot run a new commit; empty: it can
  std::string waits_for;
  std::function<void(CommitOperation)> before;  ///< called before it answers
  std::string place;                            ///< its query endpoint; empty: it answers at all
  std::string place_after;                      ///< its query endpoint after a commit; empty: the same
  std::map<CommitOperation, std::string> refuses;
  std::string confirmed_by;
  std::optional<std::uint64_t> newest;  ///< the number of its newest commit, as it says
};

class CommitTest : public testing::Test {
 protected:
  CommitTest() : file_(temporary()) {
    chassis_.emplace("left", "left");
    chassis_.emplace("right", "right");
    environment_.connect = [this](const Cluster& to) {
      return std::make_unique<test::FakeTransport>(
          [this, to](std::uint16_t index, const QueryRequest& request) { return answer(to.chassis[index], request); });
    };
    environment_.cluster = &cluster_;
    environment_.user = "operator";
    environment_.patience = std::chrono::milliseconds(0);
    environment_.restart_limit = std::chrono::milliseconds(0);
    environment_.out = [this](std::string_view text) { out_ += text; };
    environment_.error = [this](std::string_view text) { error_ += text; };
  }
  ~CommitTest() override { fs::remove(file_); }

  static fs::path temporary() {
    std::string name = (fs::temp_directory_path() / "icr-commit-XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    EXPECT_GE(descriptor, 0);
    ::close(descriptor);
    return name;
  }
  Result<QueryReply> answer(const ChassisConfig& to, const QueryRequest& request) {
    const auto found = chassis_.find(to.name);
    if (found == chassis_.end()) return fail("cannot connect");
    FakeChassis& of = found->second;
    if (!of.place.empty() && of.place != to.query.to_string()) return fail("nobody is at {}", to.query.to_string());
    if (of.before) of.before(request.commit.operation);
    if (of.dead) return fail("cannot connect");
    if (request.commit.operation == CommitOperation::confirm) of.confirmed_by = request.commit.user;
    QueryReply reply;
    if (const auto why = of.refuses.find(request.commit.operation); why != of.refuses.end()) {
      reply.error = QueryError::refused;
      reply.reason = why->second;
      return reply;
    }
    of.desk.answer(request.commit, kNow, reply);
    if (of.newest) reply.commit.newest = *of.newest;
    if (request.commit.operation == CommitOperation::activate) {
      if (!of.place_after.empty()) of.place = of.place_after;
      if (!of.cannot_start.empty()) {
        of.desk.set_state(CommitState::failed, of.cannot_start, false);
      } else if (!of.waits_for.empty()) {
        of.desk.set_state(CommitState::waiting, of.waits_for, true);
      } else {
        of.run();
      }
    }
    return reply;
  }
  ExitCode run(std::vector<std::string> words, const std::string& text = {}) {
    std::ofstream(file_, std::ios::binary) << text;
    for (auto& word : words) {
      if (word == "FILE") word = file_.string();
    }
    const auto command = parse_commit(words);
    EXPECT_TRUE(command) << command.error().message;
    out_.clear();
    error_.clear();
    return execute_commit(*command, environment_);
  }
  std::uint64_t number(const std::string& name) { return chassis_.at(name).desk.newest().number; }
  std::string text(const std::string& name) { return chassis_.at(name).desk.newest().snapshot->text; }

  fs::path file_;
  std::map<std::string, FakeChassis> chassis_;
  Cluster cluster_ = *parse_cluster(file(), "f");
  CommitEnvironment environment_;
  std::string out_, error_;
};

TEST_F(CommitTest, EveryChassisTakesIt) {
  EXPECT_EQ(run({"commit", "FILE", "comment", "a longer timeout"}, file("60")), ExitCode::ok) << error_;
  EXPECT_THAT(out_, HasSubstr("left: commit complete\n"));
  EXPECT_THAT(out_, HasSubstr("right: commit complete\n"));
  for (const std::string name : {"left", "right"}) {
    EXPECT_EQ(number(name), 2U);
    EXPECT_EQ(text(name), file("60"));
  }
  EXPECT_EQ(error_, "");
}

TEST_F(CommitTest, CheckChangesNothing) {
  EXPECT_EQ(run({"commit", "check", "FILE"}, file("60")), ExitCode::ok);
  EXPECT_THAT(out_, HasSubstr("left: configuration check succeeds\n    service-sets[shared].timeouts"));
  EXPECT_EQ(number("left"), 1U);
}

TEST_F(CommitTest, AMistakeIsToldWithItsPlaceAndNobodyIsAsked) {
  chassis_.at("left").before = [](CommitOperation) { ADD_FAILURE() << "asked"; };
  EXPECT_EQ(run({"commit", "FILE"}, "cluster: lab\nchassis: 5\n"), ExitCode::bad_cluster_file);
  EXPECT_THAT(error_, HasSubstr(file_.string() + ":2:"));
}

TEST_F(CommitTest, IfOneRefusesNoneTakesIt) {
  chassis_.at("right").refuses[CommitOperation::prepare] = "the disk is full";
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("right: the disk is full"));
  EXPECT_THAT(error_, HasSubstr("nothing was changed"));
  EXPECT_EQ(number("left"), 1U);
  EXPECT_EQ(number("right"), 1U);
}

TEST_F(CommitTest, AChassisThatIsDownIsNamedAndTheOthersTakeIt) {
  chassis_.at("right").dead = true;
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::incomplete);
  EXPECT_THAT(error_, HasSubstr("right: cannot connect"));
  EXPECT_EQ(number("left"), 2U);
}

TEST_F(CommitTest, AChassisThatDiesWhileItIsAskedStopsTheCommit) {
  for (const auto operation : {CommitOperation::put, CommitOperation::check, CommitOperation::prepare}) {
    FakeChassis& right = chassis_.at("right");
    right.before = [&](CommitOperation now) { right.dead = right.dead || now == operation; };
    EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::incomplete);
    EXPECT_THAT(error_, HasSubstr("nothing was changed"));
    EXPECT_EQ(number("left"), 1U);
    right.before = {};
    right.dead = false;
  }
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::ok) << error_;  // nobody is locked
}

TEST_F(CommitTest, AChassisThatDiesAtTheLastStepIsNamed) {
  FakeChassis& right = chassis_.at("right");
  right.before = [&](CommitOperation now) { right.dead = right.dead || now == CommitOperation::activate; };
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::incomplete);
  EXPECT_THAT(error_, HasSubstr("right: cannot connect"));
  EXPECT_THAT(out_, HasSubstr("left: commit complete"));
  EXPECT_EQ(number("left"), 2U);
  EXPECT_EQ(number("right"), 1U);
}

TEST_F(CommitTest, AFailingStartIsAnError) {
  chassis_.at("right").cannot_start = "no device";
  chassis_.at("left").waits_for = "chassis right to run the commit";
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("right: commit 2 failed, and the chassis runs the former one: no device"));
  EXPECT_THAT(error_, HasSubstr("left: commit 2 is stored, and waits for chassis right to run the commit"));
}

TEST_F(CommitTest, OfTwoCommitsAtTheSameTimeOneIsRefused) {
  // Somebody else's commit is prepared on one chassis only, at the worst moment.
  FakeChassis& right = chassis_.at("right");
  right.before = [&](CommitOperation now) {
    if (now != CommitOperation::prepare) return;
    right.before = {};
    const std::string theirs = file("70");
    CommitRequest other;
    other.operation = CommitOperation::put;
    other.candidate = 1;
    other.text = theirs;
    other.total = static_cast<std::uint32_t>(theirs.size());
    QueryReply reply;
    right.desk.answer(other, kNow, reply);
    other.operation = CommitOperation::prepare;
    other.number = 2;
    other.user = "somebody";
    right.desk.answer(other, kNow, reply);
    EXPECT_EQ(reply.error, QueryError::none) << reply.reason;
  };
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("somebody is committing at this moment"));
  EXPECT_EQ(number("left"), 1U);
}

TEST_F(CommitTest, RollbackCommitsAFormerTextAgain) {
  ASSERT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::ok);
  EXPECT_EQ(run({"rollback", "1"}), ExitCode::ok) << error_;
  for (const std::string name : {"left", "right"}) {
    EXPECT_EQ(number(name), 3U);
    EXPECT_EQ(text(name), file());
  }
  EXPECT_EQ(run({"rollback", "9"}), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("no rollback 9"));
}

TEST_F(CommitTest, AConfirmedCommitIsRolledBackUnlessItIsConfirmed) {
  EXPECT_EQ(run({"commit", "confirmed", "5", "FILE"}, file("60")), ExitCode::ok) << error_;
  EXPECT_THAT(out_, HasSubstr("rolled back in 5 minutes unless confirmed"));
  EXPECT_EQ(run({"commit"}), ExitCode::ok) << error_;
  CommitDesk& left = chassis_.at("left").desk;
  CommitDesk& right = chassis_.at("right").desk;
  left.tick(kNow + 5 * 60'000);
  right.tick(kNow + 5 * 60'000);
  EXPECT_EQ(text("left"), file("60"));
  EXPECT_EQ(text("right"), file("60"));
  EXPECT_EQ(run({"commit", "confirmed", "5", "FILE"}, file("70")), ExitCode::ok) << error_;
  EXPECT_EQ(text("left"), file("70"));
  left.tick(kNow + 5 * 60'000);
  EXPECT_EQ(text("left"), file("60"));
}

TEST_F(CommitTest, AChassisThatOnlyTheRunningConfigurationKnowsConfirmsToo) {
  chassis_.emplace("third", "left");  // its desk's name does not matter here
  ASSERT_EQ(run({"commit", "confirmed", "5", "FILE"}, file_with_third("60")), ExitCode::ok) << error_;
  // `icr` has the file of before.
  EXPECT_EQ(run({"commit"}), ExitCode::ok) << error_;
  EXPECT_THAT(out_, HasSubstr("third: commit complete\n"));
  EXPECT_EQ(chassis_.at("third").confirmed_by, "operator");
  CommitDesk& third = chassis_.at("third").desk;
  third.tick(kNow + 5 * 60'000);
  EXPECT_EQ(third.newest().snapshot->text, file_with_third("60"));
}

TEST_F(CommitTest, WhoHasNothingToConfirmIsAnError) {
  ASSERT_EQ(run({"commit", "confirmed", "5", "FILE"}, file("60")), ExitCode::ok) << error_;
  chassis_.at("left").refuses[CommitOperation::confirm] = "no commit here waits to be confirmed";
  EXPECT_EQ(run({"commit"}), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("left: no commit here waits to be confirmed"));
  EXPECT_THAT(out_, Not(HasSubstr("left: commit complete")));
  EXPECT_THAT(out_, HasSubstr("right: commit complete"));
  // A refusal counts more than a chassis that does not answer.
  chassis_.at("right").dead = true;
  EXPECT_EQ(run({"commit"}), ExitCode::command_error);
  chassis_.at("left").dead = true;
  EXPECT_EQ(run({"commit"}), ExitCode::incomplete);
}

TEST_F(CommitTest, AChassisWhoseQueryEndpointChangesIsAskedWhereItIs) {
  FakeChassis& right = chassis_.at("right");
  right.place = "127.0.0.2:7300";
  right.place_after = "127.0.0.2:7301";
  EXPECT_EQ(run({"commit", "FILE"}, file("60", 7301)), ExitCode::ok) << error_;
  EXPECT_EQ(number("right"), 2U);
  EXPECT_THAT(out_, HasSubstr("right: commit complete"));
  // The file of `icr` is out of date now: the running configuration says where the chassis is.
  right.place_after = "127.0.0.2:7302";
  EXPECT_EQ(run({"commit", "FILE"}, file("60", 7302)), ExitCode::ok) << error_;
  EXPECT_EQ(number("right"), 3U);
  // So it does if the operator has already changed the file of `icr`.
  cluster_ = *parse_cluster(file("60", 7303), "f");
  right.place_after = "127.0.0.2:7303";
  EXPECT_EQ(run({"commit", "FILE"}, file("60", 7303)), ExitCode::ok) << error_;
  EXPECT_EQ(number("right"), 4U);
  EXPECT_EQ(error_, "");
}

TEST_F(CommitTest, AChassisThatDoesNotMoveToItsNewQueryEndpointIsStillHeard) {
  FakeChassis& right = chassis_.at("right");
  right.place = "127.0.0.2:7300";
  right.cannot_start = "address in use";
  EXPECT_EQ(run({"commit", "FILE"}, file("60", 7301)), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("right: commit 2 failed, and the chassis runs the former one: address in use"));
}

TEST_F(CommitTest, IfNobodyAnswersWhereTheFileOfIcrSaysTheNewFileIsAsked) {
  cluster_ = *parse_cluster(file("30", 7309), "f");
  chassis_.at("left").dead = true;
  chassis_.at("right").place = "127.0.0.2:7300";
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::incomplete);
  EXPECT_THAT(error_, HasSubstr("left: cannot connect"));
  EXPECT_EQ(number("right"), 2U);
}

TEST_F(CommitTest, ANumberThatWouldWrapIsRefused) {
  FakeChassis& right = chassis_.at("right");
  right.newest = std::numeric_limits<std::uint64_t>::max();
  right.before = [](CommitOperation now) { EXPECT_NE(now, CommitOperation::prepare); };
  EXPECT_EQ(run({"commit", "FILE"}, file("60")), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("right: its newest commit is 18446744073709551615, and no number is above that"));
  EXPECT_THAT(error_, HasSubstr("nothing was changed"));
  EXPECT_EQ(number("left"), 1U);
}

TEST_F(CommitTest, AChassisOfTheNewFileAloneIsAskedToo) {
  EXPECT_EQ(run({"commit", "FILE"}, file_with_third("60")), ExitCode::incomplete);
  EXPECT_THAT(error_, HasSubstr("third: cannot connect"));
  EXPECT_EQ(number("left"), 2U);
  // And the chassis that only the running configuration knows.
  chassis_.emplace("third", "left");  // its desk's name does not matter here
  EXPECT_EQ(run({"commit", "FILE"}, file("90")), ExitCode::ok) << error_;
  EXPECT_THAT(out_, HasSubstr("third: commit complete"));
}

TEST(ParseCommit, KnowsItsForms) {
  const auto parsed = [](std::vector<std::string> words) { return parse_commit(words); };
  EXPECT_EQ(parsed({"commit"})->kind, CommitCommand::Kind::confirm);
  EXPECT_EQ(parsed({"commit", "check", "f"})->kind, CommitCommand::Kind::check);
  EXPECT_EQ(parsed({"commit", "confirmed", "f"})->confirm_minutes, 10U);
  EXPECT_EQ(parsed({"commit", "confirmed", "3", "f", "comment", "two words"})->confirm_minutes, 3U);
  EXPECT_EQ(parsed({"commit", "f", "comment", "two words"})->comment, "two words");
  EXPECT_EQ(parsed({"rollback", "49"})->index, 49U);
  for (const auto& wrong : std::vector<std::vector<std::string>>{{"commit", "check"},
                                                                 {"commit", "confirmed"},
                                                                 {"commit", "confirmed", "3"},
                                                                 {"commit", "confirmed", "0", "f"},
                                                                 {"commit", "f", "g"},
                                                                 {"commit", "f", "comment"},
                                                                 {"commit", "f", "comment", "a", "b"},
                                                                 {"commit", "check", "f", "comment", "a"},
                                                                 {"rollback"},
                                                                 {"rollback", "50"},
                                                                 {"rollback", "-1"},
                                                                 {"rollback", "1", "2"}}) {
    EXPECT_FALSE(parse_commit(wrong)) << testing::PrintToString(wrong);
  }
}

TEST(RenderCommits, SharesOneListAndSaysWhatEachChassisRuns) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CommitsOfChassis left{"left", {}};
  left.reply.newest = 7;
  left.reply.durable = true;
  left.reply.entries = {{7, 70, kNow, "root", "cli", "why", kNow + 90'000},
                        {6, 60, kNow - 1000, "root", "file", "", 0}};
  CommitsOfChassis right = left;
  right.chassis = "right";
  right.reply.state = CommitState::waiting;
  right.reply.detail = "chassis left to run the commit";
  right.reply.durable = false;
  EXPECT_EQ(render_commits({left, right}, kNow),
            "0   2023-11-14 22:13:20 UTC by root via cli commit confirmed, rollback in 2mins\n"
            "    why\n"
            "1   2023-11-14 22:13:19 UTC by root via file\n"
            "left: runs commit 7\n"
            "right: has commit 7, and waits for chassis left to run the commit (commits are in memory only)\n");
  right.reply.entries.pop_back();
  EXPECT_THAT(render_commits({left, right}, kNow), HasSubstr("Chassis: right\n0   2023"));
  EXPECT_EQ(render_commits({}, kNow), "");
}

TEST(RenderDifference, HasAHeadingForEachThing) {
  const auto before = *parse_cluster(file("60"), "a");
  const auto after = *parse_cluster(file("90"), "b");
  EXPECT_EQ(render_difference(difference(before, after)),
            "[edit service-sets[shared]]\n-   timeouts.inactivity-timeout: 60\n+   timeouts.inactivity-timeout: 90\n");
}

}  // namespace
}  // namespace icr::cli
