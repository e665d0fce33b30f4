#include "model/record/nat64_address.h"

#include <gtest/gtest.h>

#include <random>

namespace icr {
namespace {

constexpr std::uint32_t kV4 = 192U << 24 | 0U << 16 | 2U << 8 | 33U;

// The examples of RFC 6052 section 2.4.
TEST(Nat64Address, TextRepresentationOfRfc6052Section24) {
  const struct {
    const char* prefix;
    const char* address;
  } kRows[] = {
      {"2001:db8::/32", "2001:db8:c000:221::"},
      {"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
      {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
      {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
      {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"},
      {"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"},
      {"64:ff9b::/96", "64:ff9b::192.0.2.33"},
  };
  for (const auto& row : kRows) {
    const Prefix prefix = *Prefix::parse(row.prefix);
    EXPECT_TRUE(is_nat64_prefix_length(prefix.length));
    const IpAddress expected = *IpAddress::parse(row.address);
    EXPECT_EQ(embed_v4(prefix, kV4).to_string(), expected.to_string()) << row.prefix;
    EXPECT_EQ(extract_v4(prefix, expected), kV4) << row.prefix;
  }
}

TEST(Nat64Address, WhatIsNotEmbeddedIsRefused) {
  const Prefix prefix = *Prefix::parse("2001:db8:100::/40");
  EXPECT_EQ(extract_v4(prefix, *IpAddress::parse("2001:db8:200::1")), std::nullopt);
  IpAddress reserved = embed_v4(prefix, kV4);
  reserved.bytes[8] = 1;  // RFC 6052 section 2.2: "these bits MUST be set to zero"
  EXPECT_EQ(extract_v4(prefix, reserved), std::nullopt);
  IpAddress suffix = embed_v4(prefix, kV4);
  suffix.bytes[15] = 7;
  EXPECT_EQ(extract_v4(prefix, suffix), kV4);
  for (unsigned length = 0; length <= 128; ++length) {
    const bool allowed = length == 32 || length == 40 || length == 48 || length == 56 || length == 64 || length == 96;
    EXPECT_EQ(is_nat64_prefix_length(static_cast<std::uint8_t>(length)), allowed) << length;
  }
}

TEST(Nat64Address, EveryAddressComesBack) {
  std::mt19937 random(1);
  for (const char* text : {"2001:db8::/32", "2001:db8:100::/40", "2001:db8:122::/48", "2001:db8:122:300::/56",
                           "2001:db8:122:344::/64", "2001:db8:122:344::/96"}) {
    const Prefix prefix = *Prefix::parse(text);
    for (int i = 0; i < 1000; ++i) {
      const auto v4 = static_cast<std::uint32_t>(random());
      EXPECT_EQ(extract_v4(prefix, embed_v4(prefix, v4)), v4);
    }
  }
}

}  // namespace
}  // namespace icr
