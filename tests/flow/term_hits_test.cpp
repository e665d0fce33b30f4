// How often terms of rules were matched by first packets, and what a change of the configuration makes of the counts.
#include "node/flow/term_hits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "model/config/arrangement.h"
#include "model/config/reserved_endpoints.h"
#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

using ::testing::ElementsAre;

constexpr const char* kTerms =
    "      - { name: no-dns, from: { destination-port: 53 }, then: discard }\n"
    "      - { name: web, from: { destination-port: 80 }, then: accept }\n"
    "      - { name: rest, then: accept }\n";

class TermHitsTest : public ::testing::Test {
 protected:
  static Plan plan(const std::string& terms) {
    Plan out;
    out.firewall_terms = terms;
    out.pool = "203.0.113.1/32";
    out.port_low = 1024;
    out.port_high = 1025;
    return out;
  }
  /// Returns the hits of the terms of a kind, by their names.
  std::map<std::string, std::uint64_t> hits(TermKind kind = TermKind::firewall) const {
    std::vector<TermHitsRow> rows;
    (void)bed_.shard->term_hits({}, 0, 100, rows);
    std::map<std::string, std::uint64_t> out;
    for (const TermHitsRow& row : rows) {
      if (row.kind == kind) out[row.term] = row.hits;
    }
    return out;
  }
  std::uint64_t failures() const {
    std::vector<TermHitsRow> rows;
    (void)bed_.shard->term_hits({}, 0, 100, rows);
    return rows.back().failures;
  }

  Bed bed_{plan(kTerms)};
};

TEST_F(TermHitsTest, EachFirstPacketCountsForTheTermThatItMatches) {
  EXPECT_THAT(hits(), ElementsAre(testing::Pair("no-dns", 0), testing::Pair("rest", 0), testing::Pair("web", 0)));
  bed_.send(kInside, udp(kClient, 1000, kServer, 53));
  bed_.send(kInside, udp(kClient, 1000, kServer, 53));
  bed_.send(kInside, tcp(kClient, 1000, kServer, 80, kSyn, 1, 0));
  bed_.send(kInside, tcp(kClient, 1000, kServer, 80, kSyn, 1, 0));  // of the session that is there
  EXPECT_THAT(hits(), ElementsAre(testing::Pair("no-dns", 2), testing::Pair("rest", 0), testing::Pair("web", 1)));
  EXPECT_THAT(hits(TermKind::nat), ElementsAre(testing::Pair("hosts", 1))) << "what is discarded is not translated";
}

TEST_F(TermHitsTest, WhatCannotBeTranslatedIsAFailureOfTheTerm) {
  for (std::uint16_t port = 1000; port < 1005; ++port) bed_.send(kInside, udp(kClient, port, kServer, 99));
  EXPECT_THAT(hits(TermKind::nat), ElementsAre(testing::Pair("hosts", 5)));
  EXPECT_EQ(failures(), 3U) << "the pool has two ports";
}

TEST_F(TermHitsTest, CountsStayWithTheNamesOfTermsInAnotherConfiguration) {
  bed_.send(kInside, tcp(kClient, 1000, kServer, 80, kSyn, 1, 0));
  bed_.send(kInside, udp(kClient, 1000, kServer, 53));
  const Cluster next = arranged(
      bed_.cluster, make_cluster(plan("      - { name: new, from: { destination-port: 7 }, then: accept }\n"
                                      "      - { name: rest, then: accept }\n"
                                      "      - { name: web, from: { destination-port: 81 }, then: accept }\n")));
  ShardUpdate update = bed_.shard->prepare(next, reserved_endpoints(next));
  // What is counted between the two is not lost.
  bed_.send(kInside, udp(kClient, 1001, kServer, 99));
  bed_.shard->take(update);
  EXPECT_THAT(hits(), ElementsAre(testing::Pair("new", 0), testing::Pair("rest", 1), testing::Pair("web", 1)));
  EXPECT_THAT(hits(TermKind::nat), ElementsAre(testing::Pair("hosts", 2)));
}

TEST_F(TermHitsTest, OneKindIsCleared) {
  bed_.send(kInside, tcp(kClient, 1000, kServer, 80, kSyn, 1, 0));
  const StableId set = bed_.cluster.service_sets[0].stable_id;
  bed_.shard->clear_term_hits(set + 1, TermKind::firewall);
  EXPECT_EQ(hits()["web"], 1U) << "another service set";
  bed_.shard->clear_term_hits(set, TermKind::firewall);
  EXPECT_EQ(hits()["web"], 0U);
  EXPECT_EQ(hits(TermKind::nat)["hosts"], 1U);
  bed_.shard->clear_term_hits(set, TermKind::nat);
  EXPECT_EQ(hits(TermKind::nat)["hosts"], 0U);
}

TEST_F(TermHitsTest, RowsComeInPagesAndByServiceSet) {
  std::vector<TermHitsRow> rows;
  EXPECT_EQ(bed_.shard->term_hits({}, 1, 2, rows), 4U);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].term, "web");
  EXPECT_EQ(rows[0].rule, "rule");
  EXPECT_TRUE(rows[0].input && rows[0].output);
  EXPECT_EQ(rows[1].term, "rest");
  rows.clear();
  SessionFilter filter;
  filter.service_sets = {bed_.cluster.service_sets[0].stable_id + 1};
  EXPECT_EQ(bed_.shard->term_hits(filter, 0, 100, rows), 0U);
  EXPECT_TRUE(rows.empty());
}

}  // namespace
}  // namespace icr::node::test
