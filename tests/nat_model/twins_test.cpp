// Whatever a packet makes of the master, its twin takes over: every NAT of random configurations, any protocol number
// in either family, from and to any address that means something there. What becomes of the packet is no matter here.
//
//   ICR_TEST_SEED=n, ICR_TEST_RUNS=n   as in nat_model_test.cpp
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "tests/nat_model/amount.h"
#include "tests/nat_model/rig.h"
#include "tests/nat_model/wire.h"
#include "tests/nat_model/world.h"

namespace icr::node::test::nat_model {
namespace {

/// All addresses of a family that a packet may come from or go to.
std::vector<IpAddress> places(const World& world, const World::Side& side, bool v6) {
  std::vector<IpAddress> out;
  for (const auto* some : {&world.hosts, &world.servers, &world.hosts6, &world.servers6, &side.external, &side.internal,
                           &side.internal6}) {
    for (const IpAddress& address : *some) {
      if (address.is_v4() != v6) out.push_back(address);
    }
  }
  return out;
}

std::uint8_t any_protocol(Dice& dice, bool v6) {
  const auto roll = dice.below(100);
  return roll < 20   ? kUdp
         : roll < 40 ? kTcp
         : roll < 60 ? (v6 ? kIcmp6 : kIcmp)
         : roll < 80 ? (v6 ? kIcmp : kIcmp6)
                     : static_cast<std::uint8_t>(dice.between(0, 255));
}

Wire any_first_packet(Dice& dice, const World& world, const World::Side& side) {
  const bool v6 = dice.chance(40);
  const auto all = places(world, side, v6);
  const auto port = [&] { return dice.pick(dice.chance(50) ? world.client_ports : world.server_ports); };
  Wire w;
  w.key = {dice.pick(all), dice.pick(all), port(), port(), any_protocol(dice, v6)};
  w.flags = kSyn;
  w.icmp_type = v6 ? 128 : 8;
  if (w.icmp()) w.key.destination_port = w.key.source_port;
  // Enough for the header of any transport, with ports where it has some.
  for (unsigned i = 0; i < 24; ++i) w.payload.push_back(static_cast<std::uint8_t>(dice.between(1, 255)));
  return w;
}

/// Packets that nobody planned, and after each of them the twin is told. Says what types of sessions it saw.
void run(Dice& dice, const World& world, std::uint64_t seed, std::map<NatType, std::size_t>& seen) {
  Rig rig(world.cluster, seed);
  const auto sides = static_cast<std::uint32_t>(world.sides.size());
  std::vector<std::pair<std::uint32_t, FlowKey>> ways_back;  // unit, key of an answer
  for (unsigned i = 0; i < 1500; ++i) {
    const auto ss = static_cast<std::uint16_t>(dice.below(sides));
    Wire w = any_first_packet(dice, world, world.sides[ss]);
    std::uint32_t unit = dice.chance(60) ? inside_unit(ss) : outside_unit(ss);
    if (!ways_back.empty() && dice.chance(30)) {  // to what a session has outside, from anybody there
      const auto& [side, answer] = dice.pick(ways_back);
      if (answer.destination.is_v4() != w.v6()) {
        w.key.destination = answer.destination;
        w.key.destination_port = answer.destination_port;
        unit = side;
        if (w.icmp()) w.key.source_port = w.key.destination_port;
      }
    }
    const Outcome o = rig.send(unit, build(w));
    for (const Outcome::Sent& sent : o.sent) ways_back.emplace_back(sent.unit, key_of(sent.bytes).mirrored());
    std::string wrong = rig.replicate();
    if (dice.chance(20)) rig.tick();
    if (wrong.empty() && dice.chance(1)) wrong = rig.take_over(dice.chance(30));
    ASSERT_EQ(wrong, "") << "after unit " << unit << ": " << describe(w);
    ASSERT_EQ(rig.standby().counters().refused_service, 0U);
  }
  for (const SessionRecord& r : rig.records()) {
    if (r.kind == RecordKind::session) ++seen[r.nat_type];
  }
}

/// So many runs make at least 50 sessions of each kind of NAT.
constexpr std::uint64_t kRunsThatMeetEveryKind = 500;
constexpr std::uint64_t kTwinRuns = kSanitized ? 40 : kRunsThatMeetEveryKind;

TEST(NatTwins, TakeOverWhateverAPacketMakes) {
  const std::uint64_t first = number("ICR_TEST_SEED", 1);
  const std::uint64_t runs = number("ICR_TEST_RUNS", std::getenv("ICR_TEST_SEED") == nullptr ? kTwinRuns : 1);
  std::map<NatType, std::size_t> seen;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    Dice dice(seed);
    const World world = make_world(dice);
    ASSERT_FALSE(world.cluster.service_sets.empty()) << "ICR_TEST_SEED=" << seed;
    run(dice, world, seed, seen);
    if (HasFailure()) FAIL() << "ICR_TEST_SEED=" << seed << "\n" << world.text;
  }
  if (runs < kRunsThatMeetEveryKind) return;
  for (std::uint8_t type = 0; type < kNatTypeCount; ++type) {
    EXPECT_GT(seen[static_cast<NatType>(type)], 50U) << to_string(static_cast<NatType>(type));
  }
}

}  // namespace
}  // namespace icr::node::test::nat_model
