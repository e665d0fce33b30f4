// A shard and an engine that take another configuration between two packets.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

Plan with_timeouts(const std::string& timeouts) {
  Plan plan;
  plan.timeouts = timeouts;
  return plan;
}

Plan with_options(const std::string& options) {
  Plan plan;
  plan.service_options = options;
  return plan;
}

Plan with_terms(const std::string& terms) {
  Plan plan;
  plan.firewall_terms = terms;
  return plan;
}

TEST(LiveChange, AShorterTimeoutEndsASessionThatIdles) {
  Bed bed(with_timeouts("  inactivity-timeout: 300\n"));
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.wait(8s);
  bed.take(with_timeouts("  inactivity-timeout: 10\n"));
  bed.wait(1900ms);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  EXPECT_EQ(bed.record().timeout_s, 10U);
  bed.wait(400ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
}

TEST(LiveChange, ALongerTimeoutKeepsASessionThatIdles) {
  Bed bed;
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.wait(20s);
  bed.take(with_timeouts("  inactivity-timeout: 60\n"));
  bed.wait(39s);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  bed.wait(2s);
  EXPECT_EQ(bed.shard->sessions(), 0U);
}

TEST(LiveChange, ASessionTimeoutEndsASessionThatIsBusy) {
  Bed bed;
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.wait(20s);
  bed.take(with_timeouts("  inactivity-timeout: 30\n  session-timeout: 25\n"));
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.wait(4s);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  bed.wait(2s);
  EXPECT_EQ(bed.shard->sessions(), 0U);
}

TEST(LiveChange, TheWalkOverSessionsIsCutIntoSlices) {
  Bed bed(with_timeouts("  inactivity-timeout: 300\n"));
  for (std::uint16_t i = 1; i <= 100; ++i) (void)bed.pass(kInside, udp(kClient, i, kServer, 53));
  bed.take(with_timeouts("  inactivity-timeout: 20\n"));
  const auto changed = [&] {
    int out = 0;
    for (std::uint32_t slot = 0; slot < 100; ++slot) out += bed.record(slot).timeout_s == 20 ? 1 : 0;
    return out;
  };
  EXPECT_FALSE(bed.shard->tick(bed.now, 16));
  EXPECT_EQ(changed(), 16);
  EXPECT_FALSE(bed.shard->tick(bed.now, 16));
  EXPECT_EQ(changed(), 32);
  for (int i = 0; i < 8; ++i) (void)bed.shard->tick(bed.now, 16);
  EXPECT_EQ(changed(), 100);
  EXPECT_FALSE(bed.shard->reviews());
}

TEST(LiveChange, TheWalkLeavesOutSessionsThatBeginMeanwhile) {
  // A shard under load would not come to the end of them, and they have what the configuration says.
  Bed bed(with_timeouts("  inactivity-timeout: 300\n"));
  for (std::uint16_t i = 1; i <= 20; ++i) (void)bed.pass(kInside, udp(kClient, i, kServer, 53));
  bed.take(with_timeouts("  inactivity-timeout: 20\n"));
  for (std::uint16_t i = 21; i <= 200; ++i) (void)bed.pass(kInside, udp(kClient, i, kServer, 53));
  EXPECT_FALSE(bed.shard->tick(bed.now, 16));
  EXPECT_TRUE(bed.shard->reviews());
  (void)bed.shard->tick(bed.now, 16);
  EXPECT_FALSE(bed.shard->reviews());
  for (std::uint32_t slot = 0; slot < 200; ++slot) EXPECT_EQ(bed.record(slot).timeout_s, 20U) << slot;
}

TEST(LiveChange, AStandbyWalksWhenItBecomesMaster) {
  Bed bed(with_timeouts("  inactivity-timeout: 300\n"));
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.shard->deactivate(bed.now);
  bed.take(with_timeouts("  inactivity-timeout: 10\n"));
  bed.wait(60s);
  EXPECT_EQ(bed.record().timeout_s, 300U) << "a standby has what the master reports";
  bed.shard->activate(bed.now, 2);
  bed.wait(100ms);
  EXPECT_EQ(bed.record().timeout_s, 10U);
}

TEST(LiveChange, WhoStartedWithAnotherTimeoutAppliesItAsMaster) {
  Bed bed(with_timeouts("  inactivity-timeout: 300\n"));
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  Bed twin(with_timeouts("  inactivity-timeout: 10\n"), 2, false);
  ASSERT_EQ(twin.shard->apply(bed.record(), bed.now), Applied::created);
  twin.wait(1s);
  EXPECT_EQ(twin.record().timeout_s, 300U) << "a standby has what the master reports";
  twin.shard->activate(twin.now, 2);
  twin.wait(100ms);
  EXPECT_EQ(twin.record().timeout_s, 10U);
}

TEST(LiveChange, ATakeoverWithoutAChangeLeavesTheTimeouts) {
  const std::string apps = "      - { name: apps, from: { applications: [dns, ping] }, then: accept }\n";
  Plan plan = with_terms(apps + "      - { name: rest, then: accept }\n");
  plan.applications =
      "  - { name: dns, protocol: udp, destination-port: 53, inactivity-timeout: 600 }\n"
      "  - { name: ping, protocol: icmp, inactivity-timeout: 700 }\n";
  Bed bed(plan);
  Bed twin(plan, 2, false);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 54));
  (void)bed.pass(kInside, echo(kClient, kServer, 5));
  (void)bed.pass(kInside, tcp(kClient, 3, kServer, 80, kSyn, 1, 0));
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    ASSERT_EQ(twin.shard->apply(bed.record(slot), bed.now), Applied::created);
  }
  const std::uint64_t digest = twin.shard->digest();
  twin.shard->activate(twin.now, 2);
  twin.wait(100ms);
  EXPECT_FALSE(twin.shard->reviews());
  for (std::uint32_t slot = 0; slot < 4; ++slot) EXPECT_EQ(twin.record(slot).timeout_s, bed.record(slot).timeout_s);
  EXPECT_EQ(twin.shard->digest(), digest);
}

TEST(LiveChange, LimitsCountTheSessionsThatExist) {
  Bed bed(with_options("session-limit: 3"));
  for (std::uint16_t i = 1; i <= 2; ++i) (void)bed.pass(kInside, udp(kClient, i, kServer, 53));
  bed.take(with_options("session-limit: 2"));
  bed.expect_drop(kInside, udp(kClient, 3, kServer, 53), Drop::session_limit);
  bed.take(with_options("max-flows: 4"));
  bed.expect_drop(kInside, udp(kClient, 3, kServer, 53), Drop::flow_limit);
  bed.take(with_options("max-session-setup-rate: 1"));
  (void)bed.pass(kInside, udp(kClient, 3, kServer, 53));
  bed.expect_drop(kInside, udp(kClient, 4, kServer, 53), Drop::session_setup_rate);
  bed.take(Plan{});
  (void)bed.pass(kInside, udp(kClient, 4, kServer, 53));
  EXPECT_EQ(bed.shard->sessions(), 4U);
  bed.expect_accounted();
}

TEST(LiveChange, ASubscriberLimitCountsTheSessionsThatExist) {
  Bed bed(with_options("nat-options: { max-sessions-per-subscriber: 9 }"));
  for (std::uint16_t i = 1; i <= 3; ++i) (void)bed.pass(kInside, udp(kClient, i, kServer, 53));
  bed.take(with_options("nat-options: { max-sessions-per-subscriber: 3 }"));
  bed.expect_drop(kInside, udp(kClient, 4, kServer, 53), Drop::subscriber_limit);
  (void)bed.pass(kInside, udp("198.18.0.11", 4, kServer, 53));
}

Plan screened(const std::string& screen) {
  Plan plan;
  plan.service_options = "screen: s";
  plan.timeouts += "screens:\n  - name: s\n" + screen;
  return plan;
}

TEST(LiveChange, AScreenGoesOnWithWhatItHasCounted) {
  Bed bed(screened("    limit-session: { source-ip-based: 3 }\n"));
  for (std::uint16_t i = 1; i <= 2; ++i) (void)bed.pass(kInside, udp(kClient, i, kServer, 53));
  bed.take(screened("    limit-session: { source-ip-based: 2 }\n    tcp: { land: yes }\n"));
  bed.expect_drop(kInside, udp(kClient, 3, kServer, 53), Drop::screen_sessions_of_source);
  bed.expect_drop(kInside, tcp(kClient, 80, kClient, 80, kSyn, 1, 0), Drop::screen_land);
  bed.wait(31s);
  (void)bed.pass(kInside, udp(kClient, 3, kServer, 53));
  bed.take(Plan{});  // without any screen
  for (std::uint16_t i = 4; i <= 9; ++i) (void)bed.pass(kInside, udp(kClient, i, kServer, 53));
}

TEST(LiveChange, ATermKeepsItsSessionsWhereverItStands) {
  const std::string dns = "      - { name: dns, from: { destination-port: 53 }, then: accept }\n";
  const std::string web = "      - { name: web, from: { destination-port: 80 }, then: accept }\n";
  Bed bed(with_terms(dns + web));
  const auto of = [](const char* term) { return stable_id(Named::firewall_term, term, "rule"); };
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 80));
  bed.take(with_terms("      - { name: no, from: { destination-port: 81 }, then: discard }\n" + web));
  EXPECT_EQ(bed.record(0).policy, of("dns")) << "the session lives on without its term";
  EXPECT_EQ(bed.record(1).policy, of("web"));
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.expect_drop(kInside, udp(kClient, 3, kServer, 53), Drop::firewall_discard);
  (void)bed.pass(kInside, udp(kClient, 4, kServer, 80));
  EXPECT_EQ(bed.record(2).policy, of("web"));
  bed.take(with_terms(web + dns));
  EXPECT_EQ(bed.record(0).policy, of("dns"));
  (void)bed.pass(kInside, udp(kClient, 5, kServer, 53));
  EXPECT_EQ(bed.record(3).policy, of("dns"));
}

TEST(LiveChange, AnApplicationKeepsItsTimeout) {
  const std::string apps = "      - { name: apps, from: { applications: [dns] }, then: accept }\n";
  Plan plan = with_terms(apps + "      - { name: rest, then: accept }\n");
  plan.applications = "  - { name: dns, protocol: udp, destination-port: 53, inactivity-timeout: 600 }\n";
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  // Another one before it, and then it is gone.
  plan.applications =
      "  - { name: first, protocol: udp, destination-port: 9, inactivity-timeout: 50 }\n" + plan.applications;
  bed.take(plan);
  bed.wait(200ms);
  EXPECT_EQ(bed.record(0).timeout_s, 600U);
  Plan without = with_terms("      - { name: rest, from: { applications: [first] }, then: accept }\n");
  without.applications = "  - { name: first, protocol: udp, destination-port: 9, inactivity-timeout: 50 }\n";
  bed.take(without);
  bed.wait(200ms);
  EXPECT_EQ(bed.record(0).timeout_s, 600U);
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 9));
  EXPECT_EQ(bed.record(1).timeout_s, 50U);
}

TEST(LiveChange, TranslationsStay) {
  Bed bed;
  const Seen before = bed.pass(kInside, udp(kClient, 1, kServer, 53));
  const auto in_use = bed.shard->ports_in_use();
  bed.take(with_options("session-limit: 100"));
  const Seen after = bed.pass(kInside, udp(kClient, 1, kServer, 53));
  EXPECT_EQ(after.source, before.source);
  EXPECT_EQ(after.source_port, before.source_port);
  (void)bed.pass(kOutside, udp(kServer, 53, before.source.c_str(), before.source_port));
  EXPECT_EQ(bed.shard->ports_in_use(), in_use);
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 53));
  EXPECT_EQ(bed.shard->ports_in_use(), in_use + 1);
  bed.wait(31s);
  EXPECT_EQ(bed.shard->ports_in_use(), 0U);
  EXPECT_EQ(bed.shard->digest(), bed.slow_digest());
}

std::uint64_t counter(const Bed& bed, std::string_view name) {
  CounterList list;
  bed.shard->counters().append_to(list);
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& c) { return c.name == name; });
  return found == list.end() ? ~std::uint64_t{0} : found->value;
}

constexpr const char* kWeb = "      - { name: web, from: { destination-port: 80 }, then: accept }\n";

TEST(PolicyRematch, EndsWhatTheFirewallDoesNotAdmitAnyMore) {
  Plan plan = with_options("policy-rematch: yes");
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 80));
  (void)bed.pass(kInside, echo(kClient, kServer, 5));
  plan.firewall_terms = kWeb;
  bed.take(plan);
  bed.wait(200ms);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  EXPECT_EQ(bed.record(1).flow[0].destination_port, 80);
  EXPECT_EQ(bed.shard->ports_in_use(), 1U);
  EXPECT_EQ(counter(bed, "sessions-ended-by-policy-rematch"), 2U);
}

TEST(PolicyRematch, IsNotDoneUnlessItIsConfigured) {
  Bed bed;
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  bed.take(with_terms(kWeb));
  bed.wait(200ms);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  // And it acts on the sessions that exist when it is.
  Plan plan = with_terms(kWeb);
  plan.service_options = "policy-rematch: yes";
  bed.take(plan);
  bed.wait(200ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  EXPECT_EQ(counter(bed, "sessions-ended-by-policy-rematch"), 1U);
}

TEST(PolicyRematch, IsDoneByWhoBecomesMaster) {
  Plan plan = with_terms(kWeb);
  plan.service_options = "policy-rematch: yes";
  Bed twin(plan, 2, false);
  Bed bed;
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 53));
  (void)bed.pass(kInside, udp(kClient, 2, kServer, 80));
  for (const std::uint32_t slot : {0U, 1U}) ASSERT_EQ(twin.shard->apply(bed.record(slot), bed.now), Applied::created);
  twin.wait(1s);
  EXPECT_EQ(twin.shard->sessions(), 2U) << "only the master ends sessions";
  twin.shard->activate(twin.now, 2);
  twin.wait(200ms);
  EXPECT_EQ(twin.shard->sessions(), 1U);
  EXPECT_EQ(counter(twin, "sessions-ended-by-policy-rematch"), 1U);
}

/// Firewall terms and applications, in any order and number.
Plan any_plan(std::mt19937& dice) {
  Plan plan;
  std::vector<std::string> applications;
  for (int i = 0; i < 6; ++i) {
    if (dice() % 3 == 0) continue;
    applications.push_back("  - { name: a" + std::to_string(i) +
                           ", protocol: udp, destination-port: " + std::to_string(100 + i) +
                           ", inactivity-timeout: " + std::to_string(40 + dice() % 100) + " }\n");
  }
  if (applications.empty()) applications.emplace_back("  - { name: a0, protocol: udp, destination-port: 100 }\n");
  std::shuffle(applications.begin(), applications.end(), dice);
  for (const auto& line : applications) plan.applications += line;
  std::vector<std::string> terms;
  for (int i = 0; i < 8; ++i) {
    if (dice() % 3 == 0) continue;
    std::string from;
    if (i < 4) {
      from = "applications: [" + applications[dice() % applications.size()].substr(12, 2) + "]";
    } else {
      from = "destination-port: " + std::to_string(98 + dice() % 6) + "-" + std::to_string(104 + dice() % 4);
    }
    terms.push_back("      - { name: t" + std::to_string(i) + ", from: { " + from +
                    " }, then: " + (dice() % 4 == 0 ? "discard" : "accept") + " }\n");
  }
  terms.emplace_back("      - { name: last, from: { source-port: 7 }, then: accept }\n");
  std::shuffle(terms.begin(), terms.end(), dice);
  plan.firewall_terms.clear();
  for (const auto& line : terms) plan.firewall_terms += line;
  plan.timeouts = "  inactivity-timeout: " + std::to_string(4 + dice() % 30) + "\n";
  return plan;
}

TEST(LiveChange, AShardThatTookManyConfigurationsDecidesAsANewOne) {
  std::mt19937 dice(4711);
  Bed old(any_plan(dice));
  std::uint16_t port = 1000;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const Plan plan = any_plan(dice);
    old.take(plan);
    Bed fresh(plan);
    for (int i = 0; i < 12; ++i) {
      const auto packet = udp(kClient, ++port, kServer, static_cast<std::uint16_t>(97 + dice() % 12));
      const auto before = old.shard->sessions();
      ASSERT_EQ(old.send(kInside, packet).size(), fresh.send(kInside, packet).size());
      if (old.shard->sessions() == before) continue;
      const auto last = [&](const Bed& bed) {
        for (std::uint32_t slot = bed.shard->table().high_water(); slot-- > 0;) {
          SessionRecord record;
          if (bed.shard->read(slot, bed.now, record) && record.flow[0].source_port == port) return record;
        }
        return SessionRecord{};
      };
      const SessionRecord mine = last(old);
      const SessionRecord other = last(fresh);
      EXPECT_EQ(mine.policy, other.policy);
      EXPECT_EQ(mine.timeout_s, other.timeout_s);
    }
    if (dice() % 2 == 0) old.wait(std::chrono::seconds(dice() % 10));
    EXPECT_EQ(old.shard->digest(), old.slow_digest());
  }
  old.expect_accounted();
}

}  // namespace
}  // namespace icr::node::test
