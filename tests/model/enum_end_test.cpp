// Tests that the number of values of an enumeration is found without being written down.
#include "model/base/enum_end.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "model/query/query.h"

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

TEST(EnumEnd, CountsWhatCodecsCheck) {
  EXPECT_EQ(kSetRoleCount, static_cast<unsigned>(SetRole::standby_warned) + 1);
  EXPECT_EQ(kSyncStateCount, static_cast<unsigned>(SyncState::hot) + 1);
  EXPECT_EQ(kQueryErrorCount, static_cast<unsigned>(QueryError::refused) + 1);
  EXPECT_EQ(kTcpStateCount, static_cast<unsigned>(TcpState::closed) + 1);
  EXPECT_EQ(kNatTypeCount, static_cast<unsigned>(NatType::nptv6) + 1);
  EXPECT_EQ(kRecordKindCount, static_cast<unsigned>(RecordKind::pairing) + 1);
  EXPECT_GT(kQueryKindEnd, static_cast<unsigned>(QueryKind::live));
}

}  // namespace
}  // namespace icr
