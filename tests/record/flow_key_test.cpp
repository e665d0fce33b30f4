#include "model/record/flow_key.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace icr {
namespace {

FlowKey sample() { return FlowKey{*IpAddress::parse("198.18.0.10"), *IpAddress::parse("198.19.0.10"), 40000, 80, 6}; }

TEST(FlowKey, MirroringTwiceGivesTheSame) {
  const auto key = sample();
  const auto back = key.mirrored();
  EXPECT_EQ(back.source, key.destination);
  EXPECT_EQ(back.destination, key.source);
  EXPECT_EQ(back.source_port, 80);
  EXPECT_EQ(back.destination_port, 40000);
  EXPECT_FALSE(back == key);
  EXPECT_TRUE(back.mirrored() == key);
}

TEST(FlowKey, EqualityLooksAtEveryField) {
  const auto key = sample();
  auto other = key;
  EXPECT_TRUE(other == key);
  other.protocol = 17;
  EXPECT_FALSE(other == key);
  other = key;
  ++other.source_port;
  EXPECT_FALSE(other == key);
  other = key;
  ++other.destination_port;
  EXPECT_FALSE(other == key);
  for (std::size_t byte = 0; byte < 16; ++byte) {
    other = key;
    ++other.source.bytes[byte];
    EXPECT_FALSE(other == key) << byte;
    other = key;
    ++other.destination.bytes[byte];
    EXPECT_FALSE(other == key) << byte;
  }
}

TEST(FlowKeyHash, EveryBitOfTheKeyAndOfTheSeedChangesIt) {
  constexpr std::uint64_t kSeed = 0x123456789abcdef0ULL;
  const auto key = sample();
  std::set<std::uint64_t> seen = {hash_of(key, kSeed)};
  std::size_t variants = 1;
  const auto note = [&](const FlowKey& changed, std::uint64_t seed) {
    seen.insert(hash_of(changed, seed));
    ++variants;
  };
  for (unsigned bit = 0; bit < 128; ++bit) {
    auto changed = key;
    changed.source.bytes[bit / 8] = static_cast<std::uint8_t>(changed.source.bytes[bit / 8] ^ (1U << bit % 8));
    note(changed, kSeed);
    changed = key;
    changed.destination.bytes[bit / 8] =
        static_cast<std::uint8_t>(changed.destination.bytes[bit / 8] ^ (1U << bit % 8));
    note(changed, kSeed);
  }
  for (unsigned bit = 0; bit < 16; ++bit) {
    auto changed = key;
    changed.source_port = static_cast<std::uint16_t>(changed.source_port ^ (1U << bit));
    note(changed, kSeed);
    changed = key;
    changed.destination_port = static_cast<std::uint16_t>(changed.destination_port ^ (1U << bit));
    note(changed, kSeed);
  }
  for (unsigned bit = 0; bit < 8; ++bit) {
    auto changed = key;
    changed.protocol = static_cast<std::uint8_t>(changed.protocol ^ (1U << bit));
    note(changed, kSeed);
  }
  for (unsigned bit = 0; bit < 64; ++bit) note(key, kSeed ^ std::uint64_t{1} << bit);
  EXPECT_EQ(seen.size(), variants);
}

constexpr std::uint64_t kSecret = 0x3c6ef372fe94f82aULL;
/// Halves of addresses that somebody may write who has read the code: what the hash mixes in.
constexpr std::uint64_t kReadInTheCode[] = {0,
                                            ~std::uint64_t{0},
                                            0xa0761d6478bd642fULL,
                                            0xe7037ed1a0b428dbULL,
                                            0x8ebc6af09c88c6e3ULL,
                                            0x589965cc75374cc3ULL,
                                            0x9e3779b97f4a7c15ULL};

TEST(AddressHash, NoHalfOfAnAddressMakesAllOthersCollide) {
  for (const std::uint64_t half : kReadInTheCode) {
    for (const bool inverted : {false, true}) {
      for (const bool lower : {false, true}) {
        std::set<std::uint64_t> addresses, sources, destinations;
        auto key = sample();
        for (std::uint64_t other = 0; other < 1000; ++other) {
          IpAddress address;
          const std::uint64_t fixed = inverted ? ~half : half;
          std::memcpy(address.bytes.data() + (lower ? 8 : 0), &fixed, 8);
          std::memcpy(address.bytes.data() + (lower ? 0 : 8), &other, 8);
          addresses.insert(hash_of(address, kSecret));
          key.source = address;
          key.destination = sample().destination;
          sources.insert(hash_of(key, kSecret));
          key.destination = address;
          key.source = sample().source;
          destinations.insert(hash_of(key, kSecret));
        }
        EXPECT_EQ(addresses.size(), 1000U) << std::hex << half;
        EXPECT_EQ(sources.size(), 1000U) << std::hex << half;
        EXPECT_EQ(destinations.size(), 1000U) << std::hex << half;
      }
    }
  }
}

TEST(FlowKeyHash, SpreadsConsecutiveHostsAndPorts) {
  constexpr std::size_t kBuckets = 1024;
  constexpr std::size_t kKeys = 64 * kBuckets;
  std::vector<unsigned> low(kBuckets);
  std::vector<unsigned> high(kBuckets);
  auto key = sample();
  for (std::size_t i = 0; i < kKeys; ++i) {
    key.source = IpAddress::v4(0xc6120000U + static_cast<std::uint32_t>(i / 256));
    key.source_port = static_cast<std::uint16_t>(1024 + i % 256);
    const auto hash = hash_of(key, 42);
    ++low[hash % kBuckets];
    ++high[hash >> 54];
  }
  // 64 a bucket expected, standard deviation 8: six of them leave a fair hash alone.
  for (const auto* buckets : {&low, &high}) {
    for (const auto count : *buckets) {
      EXPECT_GT(count, 64U - 48U);
      EXPECT_LT(count, 64U + 48U);
    }
  }
}

}  // namespace
}  // namespace icr
