// Rows of bits against a plain reading of them.
#include "node/nat/bit_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace icr::node::test {
namespace {

using Parity = BitRows::Parity;

struct Model {
  Model(std::size_t rows, std::uint32_t bits) : taken(rows, std::vector<bool>(bits)) {}

  [[nodiscard]] bool has(std::size_t row, const BitRows::Wanted& wanted) const {
    for (std::uint32_t bit = wanted.first; bit <= wanted.last; ++bit) {
      if (!taken[row][bit] && fits(bit, wanted.parity)) return true;
    }
    return false;
  }
  [[nodiscard]] static bool fits(std::uint32_t bit, Parity parity) {
    return parity == Parity::any || (bit % 2 == 0) == (parity == Parity::even);
  }
  std::vector<std::vector<bool>> taken;
};

struct Shape {
  std::uint32_t bits, near, far;
};

class BitRowsOfEveryShape : public testing::TestWithParam<Shape> {};

TEST_P(BitRowsOfEveryShape, KnowWhatIsFree) {
  constexpr std::size_t kRows = 6;
  constexpr std::uint32_t kGroups = 3;
  const Shape shape = GetParam();
  BitRows rows(kRows, shape.bits, kGroups, shape.near, shape.far);
  Model model(kRows, shape.bits);
  std::mt19937_64 random(shape.bits + shape.near);
  const auto below = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
  for (int step = 0; step < 20000; ++step) {
    const std::uint32_t row = below(kRows);
    // Mostly full, mostly empty, and back: what matters is when something is used up.
    const bool filling = step / 1000 % 2 == 0;
    BitRows::Wanted wanted{below(shape.bits), 0, static_cast<Parity>(below(3))};
    wanted.last = wanted.first + below(shape.bits - wanted.first);
    if (random() % 10 < (filling ? 8U : 2U)) {
      const std::uint32_t start = wanted.first + below(wanted.last - wanted.first + 1);
      const auto bit = rows.take(row, start, wanted);
      ASSERT_EQ(bit.has_value(), model.has(row, wanted));
      if (bit) {
        ASSERT_TRUE(*bit >= wanted.first && *bit <= wanted.last && Model::fits(*bit, wanted.parity));
        ASSERT_FALSE(model.taken[row][*bit]);
        model.taken[row][*bit] = true;
      }
    } else if (random() % 2 == 0) {
      ASSERT_EQ(rows.set(row, wanted.first), !model.taken[row][wanted.first]);
      model.taken[row][wanted.first] = true;
    } else {
      ASSERT_EQ(rows.clear(row, wanted.last), model.taken[row][wanted.last]);
      model.taken[row][wanted.last] = false;
    }
    const auto free = std::count(model.taken[row].begin(), model.taken[row].end(), false);
    ASSERT_EQ(rows.free(row), static_cast<std::uint32_t>(free));
    // Never "no" where there is something; and between borders never "yes" where there is nothing.
    if (model.has(row, wanted)) {
      ASSERT_TRUE(rows.may_have(row, wanted));
      ASSERT_TRUE(rows.group_may_have(row % kGroups, wanted));
    }
    const std::uint32_t near = std::min(shape.near, shape.bits), far = std::min(shape.far, shape.bits);
    for (const std::uint32_t from : {0U, near, far}) {
      for (const std::uint32_t to : {near, far, shape.bits}) {
        if (from >= to) continue;
        const BitRows::Wanted exact{from, to - 1, wanted.parity};
        ASSERT_EQ(rows.may_have(row, exact), model.has(row, exact));
        ASSERT_EQ(rows.group_may_have(row % kGroups, exact),
                  model.has(row % kGroups, exact) || model.has(row % kGroups + kGroups, exact));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BitRowsOfEveryShape,
                         testing::Values(Shape{1, 0, 0}, Shape{2, 1, 1}, Shape{7, 3, 4}, Shape{38, 24, 24},
                                         Shape{64, 0, 64}, Shape{65, 64, 64}, Shape{100, 200, 300}));

TEST(BitRows, CountAsManyAsTheyMayBe) {
  BitRows rows(1, 65536);
  for (std::uint32_t bit = 0; bit < 65536; bit += 2) ASSERT_TRUE(rows.set(0, bit));
  EXPECT_FALSE(rows.may_have(0, {0, 65535, Parity::even}));
  EXPECT_TRUE(rows.may_have(0, {0, 65535, Parity::odd}));
  EXPECT_EQ(rows.free(0), 32768U);
}

}  // namespace
}  // namespace icr::node::test
