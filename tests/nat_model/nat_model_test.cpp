// Random sessions, rules, times and takeovers against the model.
//
//   ICR_TEST_SEED=n       the first seed (default 1)
//   ICR_TEST_STEPS=n      packets of a run (default 10000)
//   ICR_TEST_RUNS=n       runs, with seeds one after the other; 1 if only a seed is given
//   ICR_TEST_TRACE=1      prints every packet
//
// By hand, for millions:  ICR_TEST_RUNS=1000 build/release/bin/icr_nat_model_test
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/nat_model/runner.h"

namespace icr::node::test::nat_model {
namespace {

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Sanitizers cost ten times as much.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kRuns = 16, kPackets = 3000;
#else
constexpr std::uint64_t kRuns = 100, kPackets = 10000;
#endif

TEST(NatModel, TheEngineDoesWhatTheModelSays) {
  const std::uint64_t first = number("ICR_TEST_SEED", 1);
  const std::uint64_t runs = number("ICR_TEST_RUNS", std::getenv("ICR_TEST_SEED") == nullptr ? kRuns : 1);
  const std::uint64_t packets = number("ICR_TEST_STEPS", kPackets);
  std::uint64_t total = 0;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    Dice dice(seed);
    const World world = make_world(dice);
    ASSERT_FALSE(world.cluster.service_sets.empty()) << "ICR_TEST_SEED=" << seed;
    Runner runner(seed, dice, world);
    runner.run(packets);
    total += runner.packets();
    if (HasFailure()) {
      FAIL() << "ICR_TEST_SEED=" << seed << " ICR_TEST_STEPS=" << packets << ", step " << runner.step() << "\n"
             << world.text;
    }
  }
  RecordProperty("packets", std::to_string(total));
  std::printf("%llu packets, seeds %llu to %llu\n", static_cast<unsigned long long>(total),
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(first + runs - 1));
}

}  // namespace
}  // namespace icr::node::test::nat_model
