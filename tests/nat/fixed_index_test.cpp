#include "node/nat/fixed_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace icr::node {
namespace {

TEST(FixedIndex, IsAMap) {
  // Hashes that collide a lot, so that runs of entries wrap around and are closed when one leaves.
  for (const std::uint32_t spread : {3U, 17U, 1000U}) {
    std::mt19937 random(spread);
    constexpr std::uint32_t kCapacity = 64;
    FixedIndex index(kCapacity);
    std::map<std::uint32_t, std::uint64_t> there;  // value -> hash
    const auto hash_of_value = [&](std::uint32_t value) { return std::uint64_t{value} % spread + 120; };
    for (int step = 0; step < 20'000; ++step) {
      const auto value = static_cast<std::uint32_t>(random() % 200);
      const std::uint64_t hash = hash_of_value(value);
      const bool known = there.count(value) != 0;
      const auto found = index.find(hash, [&](std::uint32_t v) { return v == value; });
      ASSERT_EQ(found, known ? value : FixedIndex::kNone);
      if (known) {
        index.erase(hash, value);
        there.erase(value);
      } else if (there.size() < kCapacity) {
        index.insert(hash, value);
        there[value] = hash;
      }
    }
  }
}

TEST(FixedIndex, ToEraseWhatIsNotThereIsCountedAndChangesNothing) {
  const auto faults = [] {
    CounterList out;
    guilt::append_to(out);
    return out.at(0).value;
  };
  const auto before = faults();
  FixedIndex index(4);
  index.insert(7, 1);
  index.erase(7, 2);
  index.erase(8, 1);
  EXPECT_EQ(faults(), before + 2);
  EXPECT_EQ(index.find(7, [](std::uint32_t v) { return v == 1; }), 1U);
}

TEST(FixedIndex, OfNothingHasNothing) {
  const FixedIndex index(0);
  EXPECT_EQ(index.find(1, [](std::uint32_t) { return true; }), FixedIndex::kNone);
}

}  // namespace
}  // namespace icr::node
