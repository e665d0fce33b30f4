// Who is asked, how answers are merged, and what is said when some are missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cli/merge/session_stream.h"
#include "cli/merge/survey.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using cli::Source;
using testing::HasSubstr;

SetStatus status(std::uint16_t set, Role role, std::uint64_t term, Sync sync = Sync::hot) {
  SetStatus out;
  out.set = set;
  out.role = role;
  out.term = term;
  out.sync = sync;
  return out;
}

std::vector<Source> sources_of(std::vector<cli::SetReport> reports, bool every_copy = false) {
  cli::Survey survey;
  survey.sets = std::move(reports);
  return cli::choose_sources(make_cluster(), survey, every_copy);
}

TEST(Sources, TheMasterOfTheHighestTermIsTheSource) {
  auto sources = sources_of({{0, 0, status(0, Role::standby, 4)}, {1, 0, status(0, Role::master, 3)}});
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_EQ(sources[0].interface, "ms-1/0/0");
  // Two who call themselves master: the older term is a chassis that has not heard yet.
  sources = sources_of({{0, 0, status(0, Role::master, 4)}, {1, 0, status(0, Role::master, 5)}});
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_EQ(sources[0].chassis, 1);
}

TEST(Sources, WithoutAMasterTheBestTwinIs) {
  auto sources = sources_of({{0, 0, status(0, Role::initializing, 9)}, {1, 0, status(0, Role::standby, 3)}});
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_EQ(sources[0].chassis, 1);
  sources = sources_of({{0, 0, status(0, Role::standby, 9, Sync::cold)}, {1, 0, status(0, Role::standby, 3)}});
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_EQ(sources[0].chassis, 1);
  sources = sources_of({{0, 0, status(0, Role::standby, 3)}, {1, 0, status(0, Role::standby, 3)}});
  ASSERT_EQ(sources.size(), 1U) << "of equal copies one is taken, not both and not none";
}

TEST(Sources, AreOrderedByInterfaceThenSet) {
  const auto sources = sources_of({{0, 1, status(1, Role::standby, 3)},
                                   {0, 1, status(2, Role::master, 1)},
                                   {1, 1, status(1, Role::master, 3)},
                                   {1, 0, status(0, Role::master, 3)}},
                                  true);
  ASSERT_EQ(sources.size(), 4U);
  EXPECT_EQ(sources[0].interface, "ms-1/0/0");
  EXPECT_EQ(sources[1].interface, "vms-2/0/0");
  EXPECT_EQ(sources[1].set, 1);
  EXPECT_EQ(sources[2].interface, "vms-2/0/0");
  EXPECT_EQ(sources[2].set, 2);
  EXPECT_TRUE(sources[2].stand_alone);
  EXPECT_EQ(sources[3].interface, "vms-3/0/0");
}

class Merge : public testing::Test {
 protected:
  /// All chassis answer except those in `silent_`.
  FakeTransport transport() {
    return FakeTransport([this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      if (silent_.count(chassis) != 0) return fail("no answer");
      return answer_from(fake_, chassis, request);
    });
  }
  void fill(std::uint32_t sessions) {
    for (std::uint32_t i = 0; i < sessions; ++i) {
      const auto flow = key("192.0.2.1", static_cast<std::uint16_t>(i), "198.51.100.1", 53, ip_protocol::udp);
      fake_.put_everywhere(0, make_session(3 * i, 0, flow));
      fake_.put_everywhere(1, make_session(2 * i, 2, flow));
    }
  }
  /// Reads everything, as (interface, slot).
  std::vector<std::pair<std::string, std::uint32_t>> stream(FakeTransport& transport,
                                                            std::optional<std::uint32_t> limit,
                                                            std::vector<cli::Unreachable>& unreachable) {
    const auto survey = cli::take_survey(fake_.cluster, transport, std::nullopt, false);
    std::vector<std::pair<std::string, std::uint32_t>> out;
    std::vector<cli::Read> reads;
    for (auto& source : cli::choose_sources(fake_.cluster, survey, false)) {
      reads.push_back(cli::read_sessions(std::move(source), {}));
    }
    cli::stream_records(
        fake_.cluster, transport, reads, limit,
        [&](const cli::Read& read, const SessionRecord& record, const BindingUse&) {
          out.emplace_back(read.source.interface, record.ref.slot);
        },
        unreachable);
    return out;
  }

  FakeCluster fake_;
  std::set<std::uint16_t> silent_;
};

TEST_F(Merge, EachSessionOnceInOrderOverManyPages) {
  constexpr std::uint32_t kSessions = 5000;
  fill(kSessions);
  auto transport = this->transport();
  std::vector<cli::Unreachable> unreachable;
  const auto seen = stream(transport, std::nullopt, unreachable);
  EXPECT_TRUE(unreachable.empty());
  ASSERT_EQ(seen.size(), 2 * kSessions);
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    ASSERT_EQ(seen[i], std::make_pair(std::string("ms-0/0/0"), 3 * i));
    ASSERT_EQ(seen[kSessions + i], std::make_pair(std::string("vms-3/0/0"), 2 * i));
  }
}

TEST_F(Merge, LimitCountsOverTheMergedAnswer) {
  fill(1500);
  for (const std::uint32_t limit : {1U, 1024U, 1025U, 1500U, 1501U, 2999U, 3000U, 5000U}) {
    auto transport = this->transport();
    std::vector<cli::Unreachable> unreachable;
    EXPECT_EQ(stream(transport, limit, unreachable).size(), std::min(limit, 3000U)) << limit;
  }
}

TEST_F(Merge, NoChassisIsAskedForMoreThanOnePageAhead) {
  fill(5000);
  std::map<std::uint16_t, int> waiting;
  int most = 0;
  FakeTransport inner = transport();
  struct Counting final : cli::Transport {
    Counting(FakeTransport& to, std::map<std::uint16_t, int>& w, int& m) : inner(to), waiting(w), most(m) {}
    void ask(std::uint16_t chassis, QueryRequest request) override {
      if (request.kind == QueryKind::page) most = std::max(most, ++waiting[chassis]);
      inner.ask(chassis, std::move(request));
    }
    std::optional<cli::Answer> next() override {
      auto answer = inner.next();
      if (answer && answer->request.kind == QueryKind::page) --waiting[answer->chassis];
      return answer;
    }
    FakeTransport& inner;
    std::map<std::uint16_t, int>& waiting;
    int& most;
  } counting(inner, waiting, most);
  EXPECT_EQ(run_line("show services sessions", fake_.cluster, counting).code, ExitCode::ok);
  EXPECT_EQ(most, 1);
}

TEST_F(Merge, ASilentMasterIsReplacedByItsTwinAndNamed) {
  fill(10);
  silent_ = {1};
  auto transport = this->transport();
  const auto output = run_line("show services sessions count", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_EQ(output.error, "error: chassis right did not answer: no answer\n");
  EXPECT_THAT(output.out, HasSubstr("ms-0/0/0    ss1                                       10\n"));
  EXPECT_THAT(output.out, HasSubstr("vms-2/0/0   PIC2_0                                10            0"));
}

TEST_F(Merge, NobodyAnswers) {
  silent_ = {0, 1};
  for (const char* line : {"show services sessions",
                           "show services sessions top 10",
                           "show services sessions group-by chassis",
                           "show services sessions count",
                           "clear services sessions",
                           "show services redundancy-group",
                           "show services sessions utilization",
                           "show services service-sets statistics packet-drops",
                           "show services service-sets statistics tcp",
                           "show services service-sets summary",
                           "show services service-sets memory-usage",
                           "show services service-sets cpu-usage",
                           "show services nat pool",
                           "show services nat source pool all",
                           "show services nat mappings",
                           "show services nat mappings summary",
                           "show services nat source rule",
                           "show services nat source port-block",
                           "show services nat source deterministic",
                           "show services nat source summary",
                           "show services nat deterministic-nat internal-host 192.0.2.1",
                           "show services nat statistics",
                           "show services flows",
                           "show services flows count",
                           "show services stateful-firewall statistics",
                           "show services sessions analysis",
                           "clear services nat mappings",
                           "clear services nat statistics"}) {
    auto transport = this->transport();
    const auto output = run_line(line, fake_.cluster, transport);
    EXPECT_EQ(output.code, ExitCode::incomplete) << line;
    EXPECT_EQ(output.out, "") << line;
    EXPECT_EQ(output.error,
              "error: chassis left did not answer: no answer\nerror: chassis right did not answer: no answer\n")
        << line;
  }
}

TEST_F(Merge, AChassisThatFailsOnTheWayIsNamedAndTheRestIsShown) {
  fill(3000);
  int pages = 0;
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (chassis == 0 && request.kind == QueryKind::page && ++pages == 2) return fail("the connection was lost");
    return answer_from(fake_, chassis, request);
  });
  std::vector<cli::Unreachable> unreachable;
  const auto seen = stream(transport, std::nullopt, unreachable);
  ASSERT_EQ(unreachable.size(), 1U);
  EXPECT_EQ(unreachable[0].chassis, 0);
  EXPECT_EQ(seen.size(), kPageSessions + 3000);
}

TEST_F(Merge, PagesThatMakeNoSenseAreRefused) {
  fill(10);
  const std::vector<std::function<void(QueryReply&)>> lies = {
      [](QueryReply& r) {
        r.done = false;
        r.next_cursor = 0;
      },
      [](QueryReply& r) { r.sessions[0].service_set = service_set_id(2); },
      [](QueryReply& r) { r.sessions[0].service_set = 999; },
      [](QueryReply& r) { r.sessions[0].nat_pool = 2; },
      [](QueryReply& r) { r.sessions[1].ref.slot = r.sessions[0].ref.slot; },
      [](QueryReply& r) {
        r.done = false;
        r.next_cursor = 5;
      },
      [](QueryReply& r) { r.error = QueryError::wrong_cluster; },
  };
  for (std::size_t lie = 0; lie < lies.size(); ++lie) {
    FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      auto reply = answer_from(fake_, chassis, request);
      if (chassis == 0 && request.kind == QueryKind::page) lies[lie](*reply);
      return reply;
    });
    const auto output = run_line("show services sessions", fake_.cluster, transport);
    EXPECT_EQ(output.code, ExitCode::incomplete) << lie;
    EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: it")) << lie;
    EXPECT_EQ(output.out.find("ms-0/0/0"), std::string::npos) << lie;
    EXPECT_NE(output.out.find("vms-3/0/0"), std::string::npos) << lie;
  }
}

TEST_F(Merge, AnswersAboutNatThatMakeNoSenseAreRefused) {
  NatTerm term;
  term.source_pools = {0};
  term.type = NatType::napt44;
  fake_.cluster.nat_rules = {{"rule", MatchDirection::input, {term}}};
  fake_.cluster.service_sets[0].nat_rules = {0};
  fake_.put_everywhere(0, make_binding(0, RecordKind::mapping, 0, pool_id("pool1"), "192.0.2.1", "203.0.113.1"));
  fake_.put_everywhere(0, make_binding(1, RecordKind::mapping, 0, pool_id("pool1"), "192.0.2.2", "203.0.113.1"));
  NatPoolStatus pool;
  pool.service_set = service_set_id(0);
  pool.pool = pool_id("pool1");
  fake_.shard(0, 0).pools = {pool};
  fake_.shard(0, 0).blocks = {{service_set_id(0), pool_id("pool1"), {1, 2, 3, 4}, 5}};
  fake_.cards[0][0].counted.group(StatisticsGroup::tcp) = {{"leaf", 1}};
  struct Lie {
    const char* line;
    std::function<void(QueryReply&)> tell;
  };
  const std::vector<Lie> lies = {
      {"show services nat pool interface ms-0/0/0", [](QueryReply& r) { r.nat_pools[0].pool = 1; }},
      {"show services nat pool interface ms-0/0/0",
       [](QueryReply& r) { r.nat_pools[0].service_set = service_set_id(2); }},
      {"show services nat pool interface ms-0/0/0",
       [](QueryReply& r) {
         r.done = false;
         r.next_cursor = 0;
       }},
      {"show services nat mappings interface ms-0/0/0", [](QueryReply& r) { r.sessions[0].binding.pool = 1; }},
      {"show services nat mappings interface ms-0/0/0", [](QueryReply& r) { r.sessions[0].binding.service_set = 9; }},
      {"show services nat mappings interface ms-0/0/0",
       [](QueryReply& r) { r.sessions[0].kind = RecordKind::session; }},
      {"show services nat mappings interface ms-0/0/0", [](QueryReply& r) { r.uses.pop_back(); }},
      {"show services nat mappings interface ms-0/0/0", [](QueryReply& r) { r.uses[0].slot = 7; }},
      {"show services nat deterministic-nat internal-host 0.0.0.1 interface ms-0/0/0",
       [](QueryReply& r) { r.deterministic[0].pool = 1; }},
      {"show services nat deterministic-nat internal-host 0.0.0.1 interface ms-0/0/0",
       [](QueryReply& r) { r.deterministic[0].service_set = service_set_id(2); }},
      {"show services service-sets statistics tcp interface ms-0/0/0",
       [](QueryReply& r) { r.statistics[0].service_set = service_set_id(3); }},
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    for (const bool honest : {true, false}) {
      FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
        auto reply = answer_from(fake_, chassis, request);
        if (!honest && request.kind != QueryKind::status) lies[i].tell(*reply);
        return reply;
      });
      const auto output = run_line(lies[i].line, fake_.cluster, transport);
      EXPECT_EQ(output.code, honest ? ExitCode::ok : ExitCode::incomplete) << i << output.error;
      EXPECT_EQ(output.out.empty(), !honest) << i;
      const testing::Matcher<std::string> said =
          honest ? testing::Matcher<std::string>("") : HasSubstr("chassis left did not answer: its answer is invalid");
      EXPECT_THAT(output.error, said) << i;
    }
  }
}

TEST_F(Merge, AStatusOfASetThatIsNotThereIsRefused) {
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    auto reply = answer_from(fake_, chassis, request);
    if (chassis == 0 && request.kind == QueryKind::status) reply->status[0].set_id = 61;
    return reply;
  });
  const auto output = run_line("show services sessions", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: its answer is invalid"));
}

TEST_F(Merge, OnlyWhoShowsCountersAsksForThem) {
  struct Case {
    const char* line;
    bool wanted;
  };
  for (const Case& each : {Case{"show services sessions count", false},
                           {"show services redundancy-group extensive", true},
                           {"show services ha statistics", true}}) {
    FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      auto reply = answer_from(fake_, chassis, request);
      if (request.kind == QueryKind::status) {
        EXPECT_NE(request.without_counters, each.wanted) << each.line;
        EXPECT_NE(reply->status[0].counters.empty(), each.wanted) << each.line;
      }
      return reply;
    });
    const Output output = run_line(each.line, fake_.cluster, transport);
    EXPECT_EQ(output.out.find("heartbeats-sent") != std::string::npos, each.wanted) << each.line << "\n" << output.out;
  }
}

TEST_F(Merge, AnalysisAsksEachSourceOnce) {
  fill(10);
  auto transport = this->transport();
  const auto output = run_line("show services sessions analysis", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::ok) << output.error;
  std::multiset<std::uint16_t> scanned;
  for (const auto& [chassis, request] : transport.asked) {
    EXPECT_NE(request.kind, QueryKind::count);
    if (request.kind == QueryKind::live) scanned.insert(request.set);
  }
  EXPECT_EQ(scanned, (std::multiset<std::uint16_t>{0, 1, 2}));
}

TEST_F(Merge, AnalysisOfAChassisThatDoesNotKnowTheQuestionIsNotShown) {
  fill(10);
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (chassis == 0 && request.kind == QueryKind::live) {
      QueryReply reply;
      reply.error = QueryError::unknown_kind;
      reply.reason = "unknown kind of question: 17";
      return reply;
    }
    return answer_from(fake_, chassis, request);
  });
  const auto output = run_line("show services sessions analysis", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_EQ(output.error,
            "error: chassis left did not answer: it refused the question: unknown kind of question: 17\n");
  EXPECT_THAT(output.out, testing::Not(HasSubstr("ms-0/0/0"))) << "there would be no sessions in it";
  EXPECT_THAT(output.out, HasSubstr("vms-3/0/0"));
}

TEST_F(Merge, ClearAsksOnlyMasters) {
  fill(10);
  auto transport = this->transport();
  const auto output = run_line("clear services sessions source-port 3", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::ok);
  EXPECT_EQ(output.error, "");
  for (const auto& [chassis, request] : transport.asked) {
    if (request.kind != QueryKind::clear) continue;
    EXPECT_TRUE(fake_.shard(chassis, request.set).is_master());
  }
  EXPECT_EQ(fake_.shard(0, 0).sessions_of(service_set_id(0)), 9U);
  EXPECT_EQ(fake_.shard(1, 0).sessions_of(service_set_id(0)), 10U)
      << "the twin hears of it by replication, not from the CLI";
  EXPECT_EQ(fake_.shard(1, 1).sessions_of(service_set_id(2)), 9U);
}

TEST_F(Merge, ClearWithoutAMasterClearsNothing) {
  fill(10);
  silent_ = {1};
  auto transport = this->transport();
  const auto output = run_line("clear services sessions interface vms-2/0/0", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("error: no master of redundancy set rs2 answers: its sessions are not cleared"));
  EXPECT_EQ(fake_.shard(0, 1).sessions_of(service_set_id(2)), 10U);
}

TEST_F(Merge, ClearOfAStandbyIsRefused) {
  fill(10);
  auto transport = this->transport();
  const auto output = run_line("clear services sessions interface ms-1/0/0", fake_.cluster, transport, 1);
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(output.error, "error: chassis right is not master: nothing is cleared\n");
  // And the card itself would refuse, too.
  QueryRequest request;
  request.kind = QueryKind::clear;
  request.card = 0;
  request.set = 0;
  const auto reply = answer_from(fake_, 1, request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->error, QueryError::refused);
  EXPECT_EQ(fake_.shard(1, 0).sessions_of(service_set_id(0)), 10U);
}

TEST_F(Merge, SwitchoverGoesToTheMasterOnly) {
  auto transport = this->transport();
  const auto output = run_line("request services redundancy-set rs2 switchover", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::ok);
  EXPECT_EQ(output.out, "switchover started\n");
  EXPECT_EQ(fake_.shard(1, 1).switchovers, 1);
  EXPECT_EQ(fake_.shard(0, 1).switchovers, 0);
}

TEST_F(Merge, DrainGoesToTheMasterOrTheChassisThatIsNamed) {
  const auto run = [&](const char* line, std::optional<std::uint16_t> only = std::nullopt) {
    auto transport = this->transport();
    return run_line(line, fake_.cluster, transport, only);
  };
  constexpr auto* kDrain = "request services redundancy-set rs2 drain";
  constexpr auto* kCancel = "request services redundancy-set rs2 drain cancel";
  auto output = run(kCancel);
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(output.error, "error: no chassis that answers is drained\n");
  output = run(kDrain);
  EXPECT_EQ(output.code, ExitCode::ok);
  EXPECT_EQ(output.out, "drain=true\n");
  EXPECT_TRUE(fake_.shard(1, 1).drained) << "the master";
  EXPECT_FALSE(fake_.shard(0, 1).drained);
  EXPECT_EQ(run(kDrain).error, "error: chassis right: drained or not already\n");
  EXPECT_EQ(run(kDrain, 0).out, "drain=true\n");
  EXPECT_TRUE(fake_.shard(0, 1).drained) << "the chassis that is named";
  output = run(kCancel);
  EXPECT_EQ(output.out, "drain=false\ndrain=false\n") << "each that is drained";
  EXPECT_FALSE(fake_.shard(0, 1).drained || fake_.shard(1, 1).drained);
}

TEST_F(Merge, SwitchoverErrorsAreTheOperators) {
  fake_.shard(1, 1).switchover_refusal = "the standby is cold";
  auto first = transport();
  auto output = run_line("request services redundancy-set rs2 switchover", fake_.cluster, first);
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(output.error, "error: chassis right: the standby is cold\n");

  auto second = transport();
  output = run_line("request services redundancy-set nosuch switchover", fake_.cluster, second);
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(output.error, "error: redundancy set nosuch not found\n");
  EXPECT_TRUE(second.asked.empty()) << "nothing is sent";
}

TEST_F(Merge, OneChassisIsAskedAlone) {
  fill(4);
  auto transport = this->transport();
  const auto output = run_line("show services sessions count", fake_.cluster, transport, 1);
  EXPECT_EQ(output.code, ExitCode::ok);
  for (const auto& [chassis, request] : transport.asked) EXPECT_EQ(chassis, 1);
  EXPECT_THAT(output.out, HasSubstr("ms-1/0/0    ss1                                        4\n"));
}

}  // namespace
}  // namespace icr::test
