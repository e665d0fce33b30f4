#include "model/record/address.h"

#include <gtest/gtest.h>

namespace icr {
namespace {

TEST(IpAddress, ReadsAndWritesBothFamilies) {
  const auto four = IpAddress::parse("192.0.2.1");
  ASSERT_TRUE(four);
  EXPECT_TRUE(four->is_v4());
  EXPECT_EQ(four->to_v4(), 0xc0000201U);
  EXPECT_EQ(four->to_string(), "192.0.2.1");
  EXPECT_EQ(*four, IpAddress::v4(0xc0000201U));

  const auto six = IpAddress::parse("2001:0DB8:0:0::1");
  ASSERT_TRUE(six);
  EXPECT_FALSE(six->is_v4());
  EXPECT_EQ(six->to_string(), "2001:db8::1");
  EXPECT_EQ(*six, IpAddress::v6(six->bytes.data()));
}

TEST(IpAddress, AMappedAddressIsTheIpv4Address) {
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1"), IpAddress::parse("192.0.2.1"));
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", "192.0.2.1/24", "1.2.3.4.5", "fe80::1%eth0",
                           "2001:db8:::1", "2001:db8", "12345::", "host"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string(1000, ':')));
  EXPECT_FALSE(IpAddress::parse(std::string_view("192.0.2.1\0x", 11)));
}

TEST(Prefix, ClearsHostBits) {
  const auto prefix = Prefix::parse("198.18.77.9/15");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->to_string(), "198.18.0.0/15");
  EXPECT_EQ(Prefix::parse("2001:db8:ffff::1/33")->to_string(), "2001:db8:8000::/33");
  EXPECT_EQ(Prefix::parse("192.0.2.7")->to_string(), "192.0.2.7/32");
  EXPECT_EQ(Prefix::parse("::1")->to_string(), "::1/128");
}

TEST(Prefix, RefusesBadLengths) {
  for (const char* text : {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/2x", "2001:db8::/129", "/24",
                           "192.0.2.0/99999999999"}) {
    EXPECT_FALSE(Prefix::parse(text)) << text;
  }
}

TEST(Prefix, ContainsExactlyItsAddresses) {
  const auto prefix = *Prefix::parse("203.0.113.16/28");
  for (std::uint32_t last = 0; last < 256; ++last) {
    EXPECT_EQ(prefix.contains(IpAddress::v4(0xcb007100U + last)), last >= 16 && last < 32) << last;
  }
  EXPECT_FALSE(prefix.contains(*IpAddress::parse("2001:db8::10")));
}

TEST(Prefix, AllOfOneFamilyHoldsNothingOfTheOther) {
  const auto every4 = *Prefix::parse("0.0.0.0/0");
  const auto every6 = *Prefix::parse("::/0");
  EXPECT_TRUE(every4.contains(*IpAddress::parse("255.255.255.255")));
  EXPECT_FALSE(every4.contains(*IpAddress::parse("::1")));
  EXPECT_TRUE(every6.contains(*IpAddress::parse("2001:db8::1")));
  EXPECT_FALSE(every6.contains(*IpAddress::parse("192.0.2.1")));
  EXPECT_FALSE(every4.overlaps(every6));
}

TEST(Prefix, OverlapIsSymmetric) {
  const auto wide = *Prefix::parse("198.18.0.0/15");
  const auto inside = *Prefix::parse("198.19.4.0/24");
  const auto beside = *Prefix::parse("198.20.0.0/24");
  EXPECT_TRUE(wide.overlaps(inside));
  EXPECT_TRUE(inside.overlaps(wide));
  EXPECT_FALSE(beside.overlaps(wide));
  EXPECT_FALSE(wide.overlaps(beside));
}

}  // namespace
}  // namespace icr
