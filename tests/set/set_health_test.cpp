// The weights of everything that is wrong with a set are added, and every reason is told.
#include "node/set/set_health.h"

#include <gtest/gtest.h>

namespace icr::node {
namespace {

KernelReport two_interfaces_down() {
  KernelReport report;
  report.interfaces = {"interface in0 has no carrier", "interface out0 does not exist"};
  return report;
}

TEST(SetHealth, AddsAWeightForEachInterface) {
  const Health health = health_of(two_interfaces_down(), {}, false, false, {128, 255, 100, 255}, {});
  EXPECT_EQ(health, (Health{256, "interface in0 has no carrier; interface out0 does not exist"}));
}

TEST(SetHealth, AddsTheWeightsOfKernelSelfTestAndStore) {
  KernelReport report;
  report.kernel = {"device tun1 is gone"};
  const Health health = health_of(report, {"no answer"}, true, false, {128, 10, 100, 1}, {});
  EXPECT_EQ(health, (Health{111, "device tun1 is gone; no answer; checkpoints cannot be written"}));
}

TEST(SetHealth, AWeightOfZeroStillTellsItsReason) {
  const Health health = health_of(two_interfaces_down(), {}, false, false, {0, 255, 100, 255}, {});
  EXPECT_EQ(health, (Health{0, "interface in0 has no carrier; interface out0 does not exist"}));
}

TEST(SetHealth, AStoreThatFailsHasTheDefaultWeight) {
  EXPECT_EQ(health_of({}, {}, true, false, HealthWeights{}, {}), (Health{100, "checkpoints cannot be written"}));
  EXPECT_EQ(health_of({}, {}, false, false, HealthWeights{}, {}), Health{});
}

TEST(SetHealth, EachAddressThatDoesNotAnswerHasItsOwnWeight) {
  const std::vector<ProbeTrouble> probes = {{100, "address 192.0.2.1 does not answer"},
                                            {155, "address 192.0.2.2 does not answer"}};
  const Health health = health_of({}, {}, false, false, HealthWeights{}, probes);
  EXPECT_EQ(health, (Health{255, "address 192.0.2.1 does not answer; address 192.0.2.2 does not answer"}));
}

}  // namespace
}  // namespace icr::node
