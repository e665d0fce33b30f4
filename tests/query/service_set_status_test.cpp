#include "model/query/service_set_status.h"

#include <gtest/gtest.h>

#include <set>

namespace icr {
namespace {

TEST(ServiceSetStatus, EveryGroupHasItsOwnNameAndList) {
  std::set<std::string_view> names;
  ServiceSetStatus status;
  for (std::size_t i = 0; i < kStatisticsGroupCount; ++i) {
    const auto group = static_cast<StatisticsGroup>(i);
    names.insert(to_string(group));
    status.group(group).push_back({std::string(to_string(group)), i});
  }
  EXPECT_EQ(names.size(), kStatisticsGroupCount);
  EXPECT_EQ(names.count(""), 0U);
  for (std::size_t i = 0; i < kStatisticsGroupCount; ++i) {
    ASSERT_EQ(status.groups[i].size(), 1U);
    EXPECT_EQ(status.groups[i][0].value, i);
  }
}

}  // namespace
}  // namespace icr
