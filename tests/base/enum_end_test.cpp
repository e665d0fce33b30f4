// Tests that the number of values of an enumeration is found without being written down.
#include "model/base/enum_end.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace icr {
namespace {

enum class Local : std::uint8_t { none, nat44, ipv6 };
enum class FromOne : std::uint16_t { first = 1, second, third };
struct Holder {
  enum class Inner : unsigned { only };
};

TEST(EnumEnd, IsOneAfterTheLastEnumerator) {
  EXPECT_EQ(enum_end<Local>(), 3U) << "names that end in digits are names";
  EXPECT_EQ((enum_end<FromOne, FromOne::first>()), 4U);
  EXPECT_EQ(enum_end<Holder::Inner>(), 1U);
}

}  // namespace
}  // namespace icr
