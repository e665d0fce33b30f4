// Random sessions, rules, times and takeovers against the model.
//
//   ICR_TEST_SEED=n       the first seed (default 1)
//   ICR_TEST_STEPS=n      packets of a run (default 10000)
//   ICR_TEST_RUNS=n       runs, with seeds one after the other; 1 if only a seed is given
//   ICR_TEST_TRACE=1      prints every packet
//
// By hand, for millions:  ICR_TEST_RUNS=1000 build/release/bin/icr_nat_model_test
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "tests/nat_model/amount.h"
#include "tests/nat_model/runner.h"

namespace icr::node::test::nat_model {
namespace {

constexpr std::uint64_t kRuns = kSanitized ? 16 : 100;
constexpr std::uint64_t kPackets = kSanitized ? 3000 : 10000;

constexpr std::array kMustBeMet = {
    Drop::wrong_interface,
    Drop::firewall_discard,
    Drop::firewall_reject,
    Drop::tcp_non_syn,
    Drop::tcp_rst_in_listen,
    Drop::tcp_bad_sequence,
    Drop::tcp_bad_ack,
    Drop::tcp_bad_syn_ack,
    Drop::tcp_bad_rst,
    Drop::tcp_bad_handshake,
    Drop::out_of_ports,
    Drop::out_of_addresses,
    Drop::nat_parity,

    Drop::nat_paired_out_of_ports,
    Drop::nat_port_limit,
    Drop::nat_out_of_blocks,
    Drop::nat_block_limit,
    Drop::subscriber_limit,
    Drop::nat_untranslatable,
    Drop::nat_filtered,

    Drop::nat_conflict,
    Drop::nat_no_session,
    Drop::session_limit,
    Drop::flow_limit,
    Drop::session_setup_rate,
    Drop::no_session_id,
    Drop::icmp_no_session,
    Drop::fragment_refused,
    Drop::tcp_bad_rst_in_syn_sent,
};

/// Runs one world. Returns how many packets it took.
std::uint64_t live(std::uint64_t seed, std::uint64_t packets, Coverage& coverage) {
  Dice dice(seed);
  const World world = make_world(dice);
  EXPECT_FALSE(world.cluster.service_sets.empty()) << "ICR_TEST_SEED=" << seed;
  if (world.cluster.service_sets.empty()) return 0;
  Runner runner(seed, dice, world, coverage);
  runner.run(packets);
  if (testing::Test::HasFailure()) {
    ADD_FAILURE() << "ICR_TEST_SEED=" << seed << " ICR_TEST_STEPS=" << packets << ", step " << runner.step() << "\n"
                  << world.text;
  }
  return runner.packets();
}

// Seeds by which engine and model differed once. 663: of two nested NAT64 prefixes the shorter one reads another IPv4
// address out of a destination, 0.0.198.19, to which nothing may be sent (RFC 1122 section 3.2.1.3).
TEST(NatModel, SeedsThatDifferedOnce) {
  Coverage coverage;
  for (const std::uint64_t seed : {663U, 1131U}) {
    (void)live(seed, kPackets, coverage);
    if (HasFailure()) return;
  }
}

TEST(NatModel, TheEngineDoesWhatTheModelSays) {
  const std::uint64_t first = number("ICR_TEST_SEED", 1);
  const std::uint64_t runs = number("ICR_TEST_RUNS", std::getenv("ICR_TEST_SEED") == nullptr ? kRuns : 1);
  const std::uint64_t packets = number("ICR_TEST_STEPS", kPackets);
  std::uint64_t total = 0;
  Coverage coverage;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    total += live(seed, packets, coverage);
    if (HasFailure()) return;
  }
  std::printf(
      "%llu packets, seeds %llu to %llu; %llu sessions by hairpinning, %llu from outside to a mapping, %llu of these "
      "with "
      "a translated source\n",
      static_cast<unsigned long long>(total), static_cast<unsigned long long>(first),
      static_cast<unsigned long long>(first + runs - 1), static_cast<unsigned long long>(coverage.hairpins),
      static_cast<unsigned long long>(coverage.inbound), static_cast<unsigned long long>(coverage.both_ends));
  if (total < 1'000'000) return;
  // So much of it meets everything.
  for (std::uint8_t type = 0; type < kNatTypeCount; ++type) {
    EXPECT_TRUE(coverage.types.count(static_cast<NatType>(type)) != 0) << to_string(static_cast<NatType>(type));
  }
  for (const Drop drop : kMustBeMet) EXPECT_TRUE(coverage.drops.count(drop) != 0) << to_string(drop);
  EXPECT_GT(coverage.hairpins, 100U);
  EXPECT_GT(coverage.inbound, 100U);
  EXPECT_GT(coverage.both_ends, 30U);
  EXPECT_GT(coverage.takeovers, 100U);
  EXPECT_GT(coverage.restarts, 100U);
}

}  // namespace
}  // namespace icr::node::test::nat_model
