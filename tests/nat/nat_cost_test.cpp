// What a pool that has nothing for a packet costs: whoever sends such packets must not be able to keep the engine busy.
// Processor time of the thread, against that of a pool which is alike but has nothing to search.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>

#include "node/nat/port_pool.h"
#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

const IpAddress kHost = *IpAddress::parse("198.18.0.10");
constexpr std::uint8_t kUdp = ip_protocol::udp;
std::uint64_t nonce = 0;  ///< of the last flow

NatPool pool_of(const char* prefix, std::uint16_t low, std::uint16_t high) {
  NatPool pool;
  pool.addresses = {AddressRange::of(*Prefix::parse(prefix))};
  pool.port_low = low;
  pool.port_high = high;
  return pool;
}

/// Takes every port with which `fits` agrees.
template <class Fits>
void use_up(PortPool& pool, const Fits& fits) {
  for (std::uint32_t index = 0; index < pool.addresses().size(); ++index) {
    const IpAddress address = IpAddress::v4(pool.addresses().at(index));
    for (std::uint32_t port = pool.whole().first; port <= pool.whole().last; ++port) {
      if (!fits(port)) continue;
      ASSERT_TRUE(pool.claim(address, kUdp, static_cast<std::uint16_t>(port)));
    }
  }
}

/// Seconds for one call: the least of many rounds, so that what else the machine does is left out.
template <class Call>
double cost(const Call& call) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
  };
  constexpr int kRounds = 20, kCalls = 50;
  double least = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double begun = now();
    for (int i = 0; i < kCalls; ++i) call();
    least = std::min(least, (now() - begun) / kCalls);
  }
  return least;
}

double cost_of_refusal(PortPool& pool, std::uint16_t original, PortPool::Refusal expected) {
  return cost([&] {
    PortPool::Refusal why{};
    EXPECT_FALSE(pool.allocate(kHost, kUdp, original, ++nonce, why));
    EXPECT_EQ(why, expected);
  });
}

/// One address, and not a port left.
double cost_of_the_smallest() {
  PortPool pool(pool_of("203.0.113.0/32", 2000, 2000), 1);
  use_up(pool, [](std::uint32_t) { return true; });
  return cost_of_refusal(pool, 4000, PortPool::Refusal::out_of_ports);
}

TEST(NatCost, APoolWithoutPortsIsNotSearched) {
  PortPool pool(pool_of("10.0.0.0/16", 2000, 2000), 1);
  use_up(pool, [](std::uint32_t) { return true; });
  EXPECT_LT(cost_of_refusal(pool, 4000, PortPool::Refusal::out_of_ports), 50 * cost_of_the_smallest());
}

TEST(NatCost, NorIsOneWithoutPortsOfTheParity) {
  NatPool config = pool_of("10.0.0.0/16", 2000, 2001);
  config.preserve_parity = true;
  PortPool pool(config, 1);
  use_up(pool, [](std::uint32_t port) { return port % 2 == 0; });
  EXPECT_LT(cost_of_refusal(pool, 4000, PortPool::Refusal::parity), 50 * cost_of_the_smallest());
}

TEST(NatCost, NorIsOneWithoutPortsOfTheRange) {
  NatPool config = pool_of("10.0.0.0/16", 1023, 1024);
  config.preserve_range = true;
  PortPool pool(config, 1);
  use_up(pool, [](std::uint32_t port) { return port < 1024; });
  EXPECT_LT(cost_of_refusal(pool, 500, PortPool::Refusal::range), 50 * cost_of_the_smallest());
}

/// Where one address has a port of the parity, the others, which have none, cost no more than if they had none at all.
TEST(NatCost, AddressesWithoutPortsOfTheParityArePassedBy) {
  const IpAddress last = *IpAddress::parse("203.0.113.63");
  const auto cost_of_the_last_port = [&](bool preserve) {
    NatPool config = pool_of("203.0.113.0/26", 1024, 65535);
    config.preserve_parity = preserve;
    PortPool pool(config, 1);
    use_up(pool, [&](std::uint32_t port) { return !preserve || port % 2 == 0; });
    pool.release(last, kUdp, 30000);
    return cost([&] {
      PortPool::Refusal why{};
      const auto got = pool.allocate(kHost, kUdp, 4000, ++nonce, why);
      ASSERT_TRUE(got);
      EXPECT_EQ(got->port, 30000);
      pool.release(got->address, kUdp, got->port);
    });
  };
  EXPECT_LT(cost_of_the_last_port(true), 8 * cost_of_the_last_port(false));
}

/// What a packet from outside costs that is for the last of many static terms.
double cost_among_static_terms(unsigned terms) {
  NatBed bed;
  for (unsigned n = 0; n < terms; ++n) {
    NatTerm& term = bed.term(NatType::basic_nat44);
    term.from.source_addresses = {AddressRange::of(Prefix::of(IpAddress::v4(0xc6120000U + n), 32))};
    term.source_prefix = Prefix::of(IpAddress::v4(0xcb007100U + n), 32);
  }
  bed.start();
  const FlowKey packet{IpAddress::v4(0xc0000209U), IpAddress::v4(0xcb007100U + terms - 1), 999, 80, kUdp};
  return cost([&] { EXPECT_EQ(bed.nat->translate(0, nullptr, packet, false, bed.now).type, NatType::basic_nat44); });
}

TEST(NatCost, StaticTermsAreNotSearchedOneByOne) {
  EXPECT_LT(cost_among_static_terms(10'000), 20 * cost_among_static_terms(1));
}

}  // namespace
}  // namespace icr::node::test
