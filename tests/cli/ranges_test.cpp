// Questions for the largest sessions and for sums by group, which sources answer by ranges of slots.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/cluster_fixture.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using testing::HasSubstr;

class Ranges : public testing::Test {
 protected:
  FakeTransport transport() {
    return FakeTransport(
        [this](std::uint16_t chassis, const QueryRequest& request) { return answer_from(fake_, chassis, request); });
  }
  void fill(std::uint32_t sessions) {
    for (std::uint32_t i = 0; i < sessions; ++i) {
      const auto flow = key("192.0.2.1", static_cast<std::uint16_t>(i), "198.51.100.1", 53, ip_protocol::udp);
      fake_.put_everywhere(0, make_session(3 * i, 0, flow));
      fake_.put_everywhere(1, make_session(2 * i, 2, flow));
    }
  }

  FakeCluster fake_;
};

/// The chassis and ranks of an answer to `top`.
std::vector<std::string> ranks_in(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("  Rank: ", 0) == 0) out.push_back(line.substr(8));
  }
  return out;
}

TEST_F(Ranges, TheLargestSessionsAreThoseOfTheWholeCluster) {
  fill(1500);
  // A twin hears of counters only now and then, so it is wrong about both.
  const auto flow = key("192.0.2.9", 9, "198.51.100.1", 53, ip_protocol::udp);
  auto large = make_session(3 * 700, 0, flow);
  large.counters = {FlowCounters{5, 900'000}, FlowCounters{6, 100'000}};
  large.age = 600;
  fake_.shard(0, 0).put(large);
  auto larger = make_session(2 * 1499, 2, flow);
  larger.counters = {FlowCounters{7, 0}, FlowCounters{1, 2'000'000}};
  fake_.shard(1, 1).put(larger);
  auto first = transport();
  auto output = run_line("show services sessions top 2", fake_.cluster, first);
  EXPECT_EQ(output.code, ExitCode::ok) << output.error;
  EXPECT_EQ(ranks_in(output.out), (std::vector<std::string>{"2, Packets: 11, Bytes: 1000000, Age: 60, Chassis: left",
                                                            "1, Packets: 8, Bytes: 2000000, Age: 0, Chassis: right"}));
  auto second = transport();
  output = run_line("show services sessions sort-by packets limit 1", fake_.cluster, second);
  EXPECT_EQ(ranks_in(output.out), (std::vector<std::string>{"1, Packets: 11, Bytes: 1000000, Age: 60, Chassis: left"}));
  // Only two chassis are asked for sessions, each for those sets of which it is the source.
  for (const auto& [chassis, request] : first.asked) {
    if (request.kind != QueryKind::largest) continue;
    EXPECT_EQ(chassis, request.set == 1 ? 1 : 0);
    EXPECT_EQ(request.limit, 2U);
  }
  auto third = transport();
  EXPECT_EQ(ranks_in(run_line("show services sessions top 1000 by age", fake_.cluster, third).out).size(), 1000U);
  auto fourth = transport();
  output = run_line("show services sessions sort-by age", fake_.cluster, fourth);
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(output.error, "error: sort-by needs a limit of 1 to 1000\n");
  EXPECT_TRUE(fourth.asked.empty());
}

TEST_F(Ranges, TheLargestSessionsAreAskedForByRanges) {
  constexpr std::uint32_t kRange = 100;
  std::mt19937 random(3);
  for (std::uint32_t slot = 0; slot < 950; ++slot) {
    auto record = make_session(slot, 0, key("192.0.2.1", 1, "198.51.100.1", 53, ip_protocol::udp));
    record.counters[0].bytes = random() % 100'000;
    fake_.put_everywhere(0, record);
  }
  std::vector<std::uint64_t> floors;
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    auto reply = answer_from(fake_, chassis, request);
    if (!reply || request.kind != QueryKind::largest || request.set != 0) return reply;
    // As a chassis with smaller ranges would answer.
    floors.push_back(request.floor);
    QueryRequest everything = request;
    everything.limit = kPageSessions;
    reply = answer_from(fake_, chassis, everything);
    LargestSessions found(*request.order, request.limit, request.floor);
    for (const auto& record : reply->sessions) {
      if (record.ref.slot < request.cursor + kRange) found.add(0, record);
    }
    reply->done = request.cursor + kRange >= 950;
    reply->next_cursor = std::min(request.cursor + kRange, 950U);
    reply->sessions.clear();
    for (const auto& entry : found.entries()) reply->sessions.push_back(entry.record);
    std::sort(reply->sessions.begin(), reply->sessions.end(),
              [](const auto& a, const auto& b) { return a.ref.slot < b.ref.slot; });
    return reply;
  });
  const auto cut = run_line("show services sessions top 25", fake_.cluster, transport);
  EXPECT_EQ(cut.code, ExitCode::ok) << cut.error;
  EXPECT_EQ(floors.size(), 10U);
  EXPECT_EQ(floors.front(), 0U);
  EXPECT_TRUE(std::is_sorted(floors.begin(), floors.end())) << "what is still wanted grows";
  EXPECT_GT(floors.back(), 0U);
  auto whole = this->transport();
  EXPECT_EQ(cut.out, run_line("show services sessions top 25", fake_.cluster, whole).out);
}

TEST_F(Ranges, AChassisThatDoesNotKnowTheLargestSessionsIsNamed) {
  fill(10);
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (chassis == 0 && request.kind == QueryKind::largest) {
      QueryReply reply;
      reply.error = QueryError::unknown_kind;
      reply.reason = "unknown kind of question: 22";
      return reply;
    }
    return answer_from(fake_, chassis, request);
  });
  const auto output = run_line("show services sessions top 3", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_EQ(output.error,
            "error: chassis left did not answer: it refused the question: unknown kind of question: 22\n");
  EXPECT_EQ(ranks_in(output.out).size(), 3U) << "of the other chassis";
  EXPECT_THAT(output.out, testing::Not(HasSubstr("Chassis: left")));
}

TEST_F(Ranges, LargestSessionsThatMakeNoSenseAreRefused) {
  fill(10);
  const std::vector<std::function<void(QueryReply&)>> lies = {
      [](QueryReply& r) {
        r.done = false;
        r.next_cursor = 0;
      },
      [](QueryReply& r) { r.sessions[0].service_set = 999; },
      [](QueryReply& r) { r.sessions.push_back(r.sessions.back()); },
      [](QueryReply& r) { r.sessions[1].ref.slot = r.sessions[0].ref.slot; },
  };
  for (const auto& lie : lies) {
    FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      auto reply = answer_from(fake_, chassis, request);
      if (chassis == 0 && reply && request.kind == QueryKind::largest && request.set == 0) lie(*reply);
      return reply;
    });
    const auto output = run_line("show services sessions top 10", fake_.cluster, transport);
    EXPECT_EQ(output.code, ExitCode::incomplete);
    EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: its answer is invalid: "));
  }
}

/// The rows of a table of groups: name, sessions, packets, bytes.
std::vector<std::string> groups_in(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string row;
    for (std::string word; words >> word;) row += (row.empty() ? "" : " ") + word;
    out.push_back(row);
  }
  return out;
}

TEST_F(Ranges, GroupsAreThoseOfTheWholeCluster) {
  fill(1500);
  // In both redundancy sets, and so told by two chassis.
  for (const std::uint16_t set : {std::uint16_t{0}, std::uint16_t{1}}) {
    auto record = make_session(9000, set == 0 ? 1 : 2, key("192.0.2.77", 1, "198.51.100.1", 53, ip_protocol::tcp));
    record.counters = {FlowCounters{10, 1000}, FlowCounters{20, 3000}};
    fake_.put_everywhere(set, record);
  }
  const auto groups = [&](const std::string& rest) {
    auto transport = this->transport();
    const auto output = run_line("show services sessions " + rest, fake_.cluster, transport);
    EXPECT_EQ(output.code, ExitCode::ok) << output.error;
    return groups_in(output.out);
  };
  using Rows = std::vector<std::string>;
  EXPECT_EQ(groups("group-by source-prefix"), (Rows{"192.0.2.1/32 3000 0 0", "192.0.2.77/32 2 60 8000"}));
  EXPECT_EQ(groups("group-by source-prefix sort-by bytes"), (Rows{"192.0.2.77/32 2 60 8000", "192.0.2.1/32 3000 0 0"}));
  EXPECT_EQ(groups("group-by source-prefix top 1 by packets"),
            (Rows{"192.0.2.77/32 2 60 8000", "Other groups: 1", "3000 0 0"}));
  EXPECT_EQ(groups("group-by source-prefix/24"), (Rows{"192.0.2.0/24 3002 60 8000"}));
  EXPECT_EQ(groups("group-by chassis"), (Rows{"left 1501 30 4000", "right 1501 30 4000"}));
  EXPECT_EQ(groups("group-by service-set"), (Rows{"PIC2_0 1501 30 4000", "ss1 1500 0 0", "ss2 1 30 4000"}));
  EXPECT_EQ(groups("group-by application-protocol protocol tcp"), (Rows{"none 2 60 8000"}));
  EXPECT_EQ(groups("group-by nat-pool service-set ss2"), (Rows{"none 1 30 4000"}));
  EXPECT_EQ(groups("group-by chassis service-set nosuch"), Rows{});
  auto transport = this->transport();
  auto output = run_line("show services sessions group-by chassis top 5 by age", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(output.error, "error: groups of sessions have no age\n");
  output = run_line("show services sessions top 5 by sessions", fake_.cluster, transport);
  EXPECT_EQ(output.error, "error: only groups have a number of sessions: group-by\n");
  EXPECT_TRUE(transport.asked.empty());
}

TEST_F(Ranges, AChassisThatDoesNotKnowGroupsIsNamed) {
  fill(10);
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (chassis == 0 && request.kind == QueryKind::groups) {
      QueryReply reply;
      reply.error = QueryError::unknown_kind;
      reply.reason = "unknown kind of question: 23";
      return reply;
    }
    return answer_from(fake_, chassis, request);
  });
  const auto output = run_line("show services sessions group-by chassis", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_EQ(output.error,
            "error: chassis left did not answer: it refused the question: unknown kind of question: 23\n");
  EXPECT_EQ(groups_in(output.out), std::vector<std::string>{"right 10 0 0"});
}

TEST_F(Ranges, MoreGroupsThanFitIntoAnAnswerAreAnError) {
  fill(10);
  std::uint32_t answers = 0;
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    auto reply = answer_from(fake_, chassis, request);
    if (!reply || request.kind != QueryKind::groups || request.set != 0) return reply;
    // As a chassis with a huge table of hosts would answer.
    reply->groups.clear();
    for (std::uint32_t i = 0; i < kPageGroups; ++i) {
      reply->groups.push_back({{IpAddress::v4(0x0a000000U + answers * kPageGroups + i), 0}, {1, 1, 1}});
    }
    ++answers;
    reply->next_cursor = answers * kPageGroups;
    reply->done = false;
    return reply;
  });
  const auto output = run_line("show services sessions group-by source-prefix", fake_.cluster, transport);
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(output.error, "error: more than 262144 groups: a shorter prefix or a filter makes fewer of them\n");
  EXPECT_EQ(output.out, "");
  EXPECT_EQ(answers, 262'144 / kPageGroups) << "with the one group of the other chassis, they are too many";
}

TEST_F(Ranges, GroupsThatMakeNoSenseAreRefused) {
  fill(10);
  const auto refused = [&](const std::string& grouping, const std::function<void(QueryReply&)>& lie) {
    FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      auto reply = answer_from(fake_, chassis, request);
      if (chassis == 0 && reply && request.kind == QueryKind::groups && request.set == 0) lie(*reply);
      return reply;
    });
    const auto output = run_line("show services sessions group-by " + grouping, fake_.cluster, transport);
    EXPECT_EQ(output.code, ExitCode::incomplete) << grouping;
    EXPECT_THAT(output.error, HasSubstr("chassis left did not answer: its answer is invalid: "));
  };
  refused("service-set", [](QueryReply& r) { r.groups[0].key.id = 999; });
  refused("nat-pool", [](QueryReply& r) { r.groups[0].key.id = 999; });
  refused("application-protocol", [](QueryReply& r) { r.groups[0].key.id = 999; });
  refused("source-prefix/24", [](QueryReply& r) { r.groups[0].key.prefix = ip("192.0.2.1"); });
  refused("source-prefix/24", [](QueryReply& r) { r.groups.push_back(r.groups[0]); });
  refused("chassis", [](QueryReply& r) { r.groups[0].sums.sessions = 1000; });
  refused("chassis", [](QueryReply& r) {
    r.done = false;
    r.next_cursor = 0;
  });
}

}  // namespace
}  // namespace icr::test
