// Screens and limits of a service set, through the engine and over a takeover.
#include <gtest/gtest.h>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

Plan plan_with(const std::string& screen) {
  Plan plan;
  plan.service_options = "screen: s";
  plan.timeouts += "screens:\n  - name: s\n" + screen;
  return plan;
}

Spec datagram(unsigned from, unsigned to, std::uint16_t port) {
  Spec out;
  out.source = "198.18.0." + std::to_string(from);
  out.destination = "198.19.0." + std::to_string(to);
  out.source_port = port;
  return out;
}

Spec syn(unsigned from, unsigned to, std::uint16_t port) {
  Spec out = datagram(from, to, port);
  out.protocol = ip_protocol::tcp;
  return out;
}

TEST(EngineScreen, SessionsOfASourceAreLimitedAndComeBack) {
  Bed bed(plan_with("    limit-session: { source-ip-based: 2 }\n"));
  (void)bed.pass(kInside, datagram(10, 10, 1000));
  (void)bed.pass(kInside, datagram(10, 11, 1001));
  bed.expect_drop(kInside, datagram(10, 12, 1002), Drop::screen_sessions_of_source);
  (void)bed.pass(kInside, datagram(10, 10, 1000));
  (void)bed.pass(kInside, datagram(11, 10, 1003));
  bed.wait(31s);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  (void)bed.pass(kInside, datagram(10, 12, 1002));
  bed.expect_accounted();
}

TEST(EngineScreen, ATwinCountsSessionsOfADestination) {
  const Plan plan = plan_with("    limit-session: { destination-ip-based: 2 }\n");
  Bed bed(plan);
  Bed twin(plan, 2, false);
  (void)bed.pass(kInside, datagram(10, 10, 1000));
  (void)bed.pass(kInside, datagram(11, 10, 1001));
  (void)bed.pass(kInside, datagram(12, 11, 1002));
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    ASSERT_EQ(twin.shard->apply(bed.record(slot), twin.now), Applied::created);
  }
  twin.shard->activate(twin.now);
  twin.expect_drop(kInside, datagram(13, 10, 1003), Drop::screen_sessions_of_destination);
  (void)twin.pass(kInside, datagram(13, 11, 1003));
  // What the peer deletes is counted off.
  SessionRef gone = bed.record(0).ref;
  EXPECT_EQ(twin.shard->erase(gone, twin.now), Applied::deleted);
  (void)twin.pass(kInside, datagram(13, 10, 1004));
}

TEST(EngineScreen, SynFloodsAreRefusedButConnectionsGoOn) {
  Bed bed(plan_with("    tcp: { syn-flood: { attack-threshold: 3, timeout: 1 } }\n"));
  for (std::uint16_t i = 0; i < 3; ++i) (void)bed.pass(kInside, syn(10U + i, 10, 1000));
  bed.expect_drop(kInside, syn(20, 10, 1000), Drop::screen_syn_flood);
  (void)bed.pass(kInside, syn(10, 10, 1000));  // again: it has its session
  (void)bed.pass(kInside, syn(20, 11, 1000));  // to another address
  EXPECT_EQ(bed.record(0).timeout_s, 1U) << "a handshake has the screen's time";
  bed.wait(1100ms);
  (void)bed.pass(kInside, syn(21, 10, 1000));
}

TEST(EngineScreen, MaxFlowsAreTwoForEachSession) {
  Plan plan;
  plan.service_options = "max-flows: 5";
  Bed bed(plan);
  (void)bed.pass(kInside, datagram(10, 10, 1000));
  (void)bed.pass(kInside, datagram(10, 10, 1001));
  bed.expect_drop(kInside, datagram(10, 10, 1002), Drop::flow_limit);
}

}  // namespace
}  // namespace icr::node::test
