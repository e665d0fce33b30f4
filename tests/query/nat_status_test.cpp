// Tests the counters of NAT pools as values.
#include "model/query/nat_status.h"

#include <gtest/gtest.h>

namespace icr {
namespace {

TEST(NatPoolCounters, EachOneIsClearedAlsoThoseThatAreAddedLater) {
  NatPoolCounterWords before;
  NatPoolCounterWords now;
  for (std::size_t i = 0; i < now.size(); ++i) {
    before[i] = 10 * (i + 1);
    now[i] = before[i] + i + 1;
  }
  auto counters = std::bit_cast<NatPoolCounters>(now);
  counters.subtract(std::bit_cast<NatPoolCounters>(before));
  const auto left = std::bit_cast<NatPoolCounterWords>(counters);
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_EQ(left[i], i + 1);
  EXPECT_EQ(counters.out_of_port_errors, 1U) << "the first one";
  EXPECT_EQ(counters.conflicts_refused, left.size()) << "the last one";
}

TEST(NatPoolStatus, FiguresOfNowAreNotCleared) {
  NatPoolStatus cleared;
  cleared.ports_in_use = cleared.max_ports_in_use = cleared.users = cleared.held = 7;
  cleared.block_allocations = 5;
  NatPoolStatus status = cleared;
  status.subtract(cleared);
  EXPECT_EQ(status.block_allocations, 0U);
  EXPECT_EQ(status.ports_in_use, 7U);
  EXPECT_EQ(status.max_ports_in_use, 7U);
  EXPECT_EQ(status.users, 7U);
  EXPECT_EQ(status.held, 7U);
}

}  // namespace
}  // namespace icr
