// Looking ahead at first packets must guess what then happens, and change nothing.
#include <gtest/gtest.h>

#include "node/nat/port_pool.h"
#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

NatPool pool_of(const char* prefix) {
  NatPool pool;
  pool.addresses = {AddressRange::of(*Prefix::parse(prefix))};
  pool.port_low = 1024;
  pool.port_high = 65535;
  return pool;
}

TEST(LookAhead, APoolGivesWhatWasLikely) {
  for (const bool parity : {false, true}) {
    NatPool config = pool_of("203.0.113.0/29");
    config.preserve_parity = parity;
    PortPool pool(config, 7);
    for (std::uint32_t i = 0; i < 1000; ++i) {
      const IpAddress host = IpAddress::v4(0xc6120000U + i % 50);
      const auto original = static_cast<std::uint16_t>(2000 + i);
      const std::uint8_t protocol = i % 2 == 0 ? ip_protocol::udp : ip_protocol::tcp;
      const std::uint64_t nonce = icr::detail::mix(i + 1, 0x9e3779b97f4a7c15ULL);
      const auto predicted = pool.look_ahead(host, protocol, original, nonce);
      ASSERT_TRUE(predicted);
      const auto likely = pool.likely(*predicted);
      PortPool::Refusal why{};
      const auto given = pool.allocate(host, protocol, original, nonce, why);
      ASSERT_TRUE(given);
      ASSERT_EQ(given->address, likely.address);
      ASSERT_EQ(given->port, likely.port);
    }
  }
}

TEST(LookAhead, APoolThatGivesInTurnIsNotGuessedAt) {
  NatPool sequential = pool_of("203.0.113.0/29");
  sequential.assignment = NatPool::Assignment::sequential;
  NatPool round_robin = pool_of("203.0.113.0/29");
  round_robin.round_robin = true;
  for (const NatPool& config : {sequential, round_robin}) {
    const PortPool pool(config, 7);
    EXPECT_FALSE(pool.look_ahead(IpAddress::v4(0xc6120001), ip_protocol::udp, 2000, 1));
  }
}

FlowKey key_of(const Spec& spec) {
  return {*IpAddress::parse(spec.source), *IpAddress::parse(spec.destination), spec.source_port, spec.destination_port,
          spec.protocol};
}

Spec flow(std::uint16_t i) {
  return udp("198.18.0." + std::to_string(1 + i % 200), static_cast<std::uint16_t>(2000 + i), "198.19.0.10", 53);
}

/// The guess at the responder flow of a session that `spec` will set up.
std::optional<FlowKey> guess(const Bed& bed, const Spec& spec, bool inside = true) {
  const auto predicted = bed.shard->look_ahead(key_of(spec), 0, inside, Shard::ticks_of(bed.now));
  return predicted ? std::optional(Shard::likely_responder(*predicted)) : std::nullopt;
}

TEST(LookAhead, AShardGuessesTheRuleThatWasUsedLast) {
  Bed bed;
  ASSERT_TRUE(guess(bed, flow(0)));
  EXPECT_EQ(*guess(bed, flow(0)), key_of(flow(0)).mirrored()) << "no session yet: no rule is known";
  (void)bed.pass(kInside, flow(0));
  for (std::uint16_t i = 1; i < 300; ++i) {
    Spec spec = i % 5 == 0 ? echo("198.18.0.9", "198.19.0.10", i) : flow(i);
    if (spec.protocol == ip_protocol::icmp) spec.destination_port = spec.source_port;
    if (i % 5 == 1) spec.protocol = ip_protocol::tcp;
    const auto expected = guess(bed, spec);
    (void)bed.pass(kInside, spec);
    ASSERT_TRUE(expected);
    ASSERT_EQ(bed.record(i).flow[1], *expected) << i;
  }
}

TEST(LookAhead, EachFamilyAndSideHasItsOwnGuess) {
  Bed bed;
  (void)bed.pass(kInside, flow(0));
  const Spec six = udp("2001:db8:18::1", 2000, "2001:db8:19::1", 53);
  (void)bed.pass(kInside, six);
  EXPECT_EQ(guess(bed, six), key_of(six).mirrored());
  EXPECT_FALSE(*guess(bed, flow(1)) == key_of(flow(1)).mirrored());
  const Spec in = udp("198.19.0.10", 53, "198.18.0.7", 2000);
  EXPECT_EQ(guess(bed, in, false), key_of(in).mirrored());
  EXPECT_FALSE(guess(bed, udp("198.19.0.10", 53, "203.0.113.1", 2000), false)) << "nobody waits there";
  bed.shard->refuse_new_sessions(true);
  EXPECT_FALSE(guess(bed, flow(1)));
}

/// RFC 6056: who knows some ports of a host knows nothing about the next one.
TEST(LookAhead, PortsOfFlowsAreNotPredictable) {
  Bed a;
  Bed b({}, 2);
  Bed later;
  later.wait(kTick);
  int near = 0;
  int same_seed = 0;
  int same_tick = 0;
  std::uint16_t last = 0;
  for (std::uint16_t i = 0; i < 500; ++i) {
    const Spec spec = udp("198.18.0.10", static_cast<std::uint16_t>(2000 + i), "198.19.0.10", 53);
    const std::uint16_t port = a.pass(kInside, spec).source_port;
    near += port - last < 64 && last - port < 64 ? 1 : 0;
    same_seed += port == b.pass(kInside, spec).source_port ? 1 : 0;
    same_tick += port == later.pass(kInside, spec).source_port ? 1 : 0;
    last = port;
  }
  EXPECT_LT(near, 10);
  EXPECT_LT(same_seed, 10);
  EXPECT_LT(same_tick, 10);
}

/// In a burst all are looked ahead at before the first is set up: the same comes of it.
TEST(LookAhead, ABurstOfFirstPacketsIsTranslatedLikeSingleOnes) {
  Bed single;
  Bed together;
  std::vector<Bytes> buffers;
  std::vector<Packet> burst;
  for (std::uint16_t i = 0; i < 200; ++i) {
    // Others between them: to an external address, and protocols of their own way.
    Spec spec = i % 7 == 3   ? udp("198.19.0.10", 53, "203.0.113.1", static_cast<std::uint16_t>(2000 + i))
                : i % 7 == 5 ? echo("198.18.0.9", "198.19.0.10", i)
                             : flow(i);
    if (i % 7 == 6) spec.protocol = 47;
    buffers.push_back(build(spec));
  }
  std::vector<Sent> expected;
  for (const Bytes& b : buffers) {
    for (Sent& sent : single.send(kInside, b)) expected.push_back(std::move(sent));
  }
  for (Bytes& b : buffers) {
    const auto size = static_cast<std::uint32_t>(b.size());
    burst.push_back({b.data(), size, size, kInside});
  }
  together.engine->process(burst, together.now, together.out);
  ASSERT_EQ(together.out.sent.size(), expected.size());
  for (std::size_t i = 0; i < together.out.sent.size(); ++i) {
    EXPECT_EQ(together.out.sent[i].bytes, expected[i].bytes) << i;
    EXPECT_EQ(together.out.sent[i].unit, expected[i].unit) << i;
  }
  EXPECT_GT(together.shard->sessions(), 100U);
  EXPECT_EQ(together.shard->sessions(), single.shard->sessions());
  EXPECT_EQ(together.shard->digest(), single.shard->digest());
  EXPECT_EQ(together.shard->ports_in_use(), single.shard->ports_in_use());
  together.expect_accounted();
}

}  // namespace
}  // namespace icr::node::test
