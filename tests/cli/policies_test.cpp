// Hits of terms, the peers of redundancy sets, and what clears counters of service sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TermHitsRow row(std::uint16_t service_set, TermKind kind, const char* rule, const char* term, std::uint64_t hits) {
  return {service_set_id(service_set), kind, rule, term, true, kind == TermKind::nat, hits, 0};
}

class Policies : public testing::Test {
 protected:
  void SetUp() override {
    fake_.shard(1, 1).hits = {
        row(2, TermKind::firewall, "first", "web", 12'345), row(2, TermKind::firewall, "first", "dns", 0),
        row(2, TermKind::firewall, "second", "rest", 7), row(2, TermKind::nat, "first", "web", 99)};
    fake_.shard(0, 0).hits = {row(0, TermKind::firewall, "a", "b", 1), row(1, TermKind::firewall, "a", "b", 2)};
    fake_.shard(0, 0).hits[1].input = false;
    fake_.shard(0, 0).hits[1].output = true;
    fake_.shard(1, 0).hits = {row(0, TermKind::firewall, "a", "b", 50)};
  }
  FakeCluster fake_;
};

TEST_F(Policies, HitsAreThoseOfTheSources) {
  expect_golden(fake_, "show services policies hit-count", "hit-count");
  expect_golden(fake_, "show services policies hit-count service-set ss2", "hit-count-one");
  expect_forms(fake_, "show services policies hit-count", "hit-count");
  EXPECT_THAT(answer(fake_, "show services policies hit-count").out, Not(HasSubstr(" 50\n"))) << "of a standby";
  EXPECT_THAT(answer(fake_, "show services policies hit-count", 1).out, HasSubstr(" 50\n"));
  EXPECT_THAT(answer(fake_, "show services policies hit-count interface vms-3/0/0").out, Not(HasSubstr("ms-0/0/0")));
}

TEST_F(Policies, MoreTermsThanAPageHasAreAllThere) {
  fake_.shard(0, 0).hits.clear();
  for (std::uint32_t i = 0; i < 2 * kPageTerms + 3; ++i) {
    fake_.shard(0, 0).hits.push_back(row(0, TermKind::firewall, "long", "t", i));
  }
  const auto out = answer(fake_, "show services policies hit-count service-set ss1").out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2 * kPageTerms + 4);
  EXPECT_THAT(out, HasSubstr(fmt::format(" {}\n", 2 * kPageTerms + 2)));
}

TEST_F(Policies, AChassisThatTellsOfTermsForEverIsStopped) {
  fake_.shard(0, 0).hits.clear();
  for (std::uint32_t i = 0; i < 100; ++i) {
    fake_.shard(0, 0).hits.push_back(row(0, TermKind::firewall, "long", "t", i));
  }
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (chassis != 0 || request.kind != QueryKind::term_hits) return answer_from(fake_, chassis, request);
    QueryRequest first = request;
    first.cursor = 0;
    auto reply = answer_from(fake_, chassis, first);
    if (reply) {
      reply->done = false;
      reply->next_cursor = request.cursor + 100;
    }
    return reply;
  });
  for (const std::string line : {"show services policies hit-count", "show services nat source rule all"}) {
    const auto output = run_line(line, fake_.cluster, transport);
    EXPECT_EQ(output.out, "") << line;
    EXPECT_THAT(output.error, HasSubstr("more than 262144 terms")) << line;
    EXPECT_EQ(output.code, ExitCode::command_error) << line;
  }
}

TEST_F(Policies, TermsOfNatSayHowOftenTheyTranslated) {
  NatTerm term;
  term.name = "all";
  term.type = NatType::napt44;
  term.source_pools = {0};
  fake_.cluster.nat_rules = {{"out", MatchDirection::input, {term}}};
  fake_.cluster.service_sets[0].nat_rules = {0};
  EXPECT_THAT(answer(fake_, "show services nat source rule").out, Not(HasSubstr("hits"))) << "nobody told";
  fake_.shard(0, 0).hits = {row(0, TermKind::nat, "out", "all", 40), row(1, TermKind::nat, "out", "all", 5)};
  fake_.shard(0, 0).hits[0].failures = 3;
  EXPECT_THAT(answer(fake_, "show services nat source rule").out, HasSubstr("  Translation hits          : 40\n"
                                                                            "    Successful sessions     : 37\n"
                                                                            "    Failed sessions         : 3\n"));
  EXPECT_THAT(answer(fake_, "show services nat source rule | display xml").out,
              HasSubstr("<succ-hits>37</succ-hits>\n"));
}

TEST_F(Policies, HaIsEachMemberAsItSeesItsPeer) {
  expect_golden(fake_, "show services ha", "ha");
  expect_golden(fake_, "show services ha statistics interface ms-1/0/0", "ha-statistics");
  expect_forms(fake_, "show services ha", "ha");
  EXPECT_EQ(answer(fake_, "show services ha detail").out, answer(fake_, "show services ha").out);
}

TEST_F(Policies, CountersOfScreensHaveTwoNames) {
  EXPECT_EQ(answer(fake_, "show services screen statistics service-set ss1").out,
            answer(fake_, "show services service-sets statistics screen-drops service-set ss1").out);
}

TEST_F(Policies, OneGroupOfCountersIsClearedAtMasters) {
  const std::pair<const char*, StatisticsGroup> cases[] = {{"tcp", StatisticsGroup::tcp},
                                                           {"tcp-mss", StatisticsGroup::tcp_mss},
                                                           {"packet-drops", StatisticsGroup::packet_drops},
                                                           {"integrity-drops", StatisticsGroup::integrity_drops},
                                                           {"screen-drops", StatisticsGroup::screen_drops}};
  for (const auto& [word, group] : cases) {
    for (auto& chassis : fake_.cards) {
      for (auto& card : chassis) card.cleared.clear();
    }
    const auto output = answer(fake_, fmt::format("clear services service-sets statistics {} service-set ss2", word));
    EXPECT_EQ(output.code, ExitCode::ok) << word << output.error;
    EXPECT_THAT(fake_.cards[0][0].cleared, ElementsAre(Pair(service_set_id(1), group))) << word;
    EXPECT_TRUE(fake_.cards[1][0].cleared.empty()) << "a standby";
  }
  EXPECT_THAT(answer(fake_, "clear services service-sets statistics tcp service-set nosuch").error,
              HasSubstr("service set nosuch not found"));
}

class ClearNat : public testing::Test {
 protected:
  void SetUp() override {
    fake_.put_everywhere(0, make_translated(2, 0, key("192.0.2.10", 1, "198.51.100.20", 80, ip_protocol::tcp), 1025));
    fake_.put_everywhere(0, make_session(3, 0, key("192.0.2.11", 1, "198.51.100.20", 80, ip_protocol::tcp)));
  }
  std::uint64_t left() { return fake_.shard(0, 0).sessions_of(service_set_id(0)); }
  FakeCluster fake_;
};

TEST_F(ClearNat, TranslatedSessionsAlone) {
  EXPECT_THAT(answer(fake_, "clear services sessions nat").out, HasSubstr(" 1\n"));
  EXPECT_EQ(left(), 1U);
}

TEST_F(ClearNat, ThoseOfAPoolOrAnOverloadIndex) {
  EXPECT_THAT(answer(fake_, "clear services sessions nat-port-overload-index 5").out, Not(HasSubstr(" 1\n")));
  EXPECT_EQ(left(), 2U) << "no port is used twice";
  auto output = answer(fake_, "clear services sessions source-nat-pool nosuch");
  EXPECT_EQ(output.error, "error: NAT pool nosuch not found\n");
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_EQ(left(), 2U);
  EXPECT_THAT(answer(fake_, "clear services sessions source-nat-pool pool1").out, HasSubstr(" 1\n"));
  EXPECT_EQ(left(), 1U);
}

TEST_F(ClearNat, FlowsAreClearedWithTheWordsOfNat) {
  const auto output = answer(fake_, "clear services nat flows");
  EXPECT_THAT(output.out, HasSubstr("Flows removed"));
  EXPECT_EQ(left(), 1U);
}

}  // namespace
}  // namespace icr::test
