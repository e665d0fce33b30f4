#include "model/record/stable_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace icr {
namespace {

/// They are on disk and on the wire: another value would be another thing.
TEST(StableId, IsTheSameForEver) {
  EXPECT_EQ(stable_id(Named::service_set, "cgn"), 0x47dc2de9U);
  EXPECT_EQ(stable_id(Named::nat_pool, "pool1"), 0xe729135dU);
  EXPECT_EQ(stable_id(Named::firewall_term, "allow", "from-inside"), 0xd4b9e970U);
}

TEST(StableId, TellsKindsRulesAndNamesApart) {
  const std::set<StableId> ids = {
      stable_id(Named::service_set, "a"),
      stable_id(Named::nat_pool, "a"),
      stable_id(Named::chassis, "a"),
      stable_id(Named::redundancy_set, "a"),
      stable_id(Named::firewall_term, "a", "b"),
      stable_id(Named::firewall_term, "b", "a"),
      stable_id(Named::firewall_term, "ab"),
      stable_id(Named::firewall_term, "b", "aa"),
      stable_id(Named::firewall_term, "a", "ab"),
  };
  EXPECT_EQ(ids.size(), 9U);
  EXPECT_EQ(ids.count(0), 0U);
}

TEST(StableId, OfTenThousandNamesThatLookAlikeDiffer) {
  std::set<StableId> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(stable_id(Named::service_set, "service-set-" + std::to_string(i)));
  EXPECT_EQ(ids.size(), 10'000U);
}

TEST(StableId, IsShownAsEightDigits) { EXPECT_EQ(text_of_id(0xabc), "0x00000abc"); }

}  // namespace
}  // namespace icr
