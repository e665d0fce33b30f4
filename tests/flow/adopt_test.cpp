// Tests what a master takes over from another one that was master at the same time, and why it refuses the rest.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

/// Two masters of one cluster; the records of the other one are offered to this one unchanged.
struct Two {
  explicit Two(const Plan& plan = {}) : other(plan, 2), master(plan, 1) {}
  Adopted offer(std::uint32_t slot) { return master.shard->adopt(other.record(slot), master.now); }
  void wait(Duration time) {
    other.wait(time);
    master.wait(time);
  }
  Bed other;
  Bed master;
};

/// A translated UDP session that no master has set up.
SessionRecord record_of(const char* client, std::uint16_t client_port, std::uint16_t pool_port,
                        const char* server = kServer) {
  SessionRecord r;
  r.ref = {9, 5};
  r.version = 3;
  r.flow[0] = {*IpAddress::parse(client), *IpAddress::parse(server), client_port, 53, 17};
  r.flow[1] = {*IpAddress::parse(server), *IpAddress::parse("203.0.113.1"), 53, pool_port, 17};
  r.nat_type = NatType::napt44;
  r.service_set = stable_id(Named::service_set, "cgn");
  r.nat_pool = stable_id(Named::nat_pool, "pool1");
  r.timeout_s = 30;
  r.has_counters = true;
  return r;
}

TEST(Adopt, WhatTheOtherSetUpGoesOnInASlotOfOnesOwn) {
  Two two;
  (void)two.master.pass(kInside, udp("198.18.0.77", 1, kServer, 53));  // has slot 0 here
  const Seen syn = two.other.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  (void)two.other.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, kSyn | kAck, 700, 101));
  (void)two.other.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701));
  two.wait(2s);
  ASSERT_EQ(two.offer(0), Adopted::created);
  const SessionRecord here = two.master.record(1);
  EXPECT_EQ(here.ref, (SessionRef{1, 1}));
  EXPECT_EQ(here.flow[1], two.other.record(0).flow[1]);
  EXPECT_EQ(here.tcp_state, TcpState::established);
  EXPECT_EQ(here.idle, 20U);
  EXPECT_EQ(here.counters[0].packets, 2U);
  EXPECT_EQ(two.master.shard->ports_in_use(), 2U);
  EXPECT_EQ(two.master.shard->digest(), two.master.slow_digest());
  // The adopted session is followed, owns its port, and ends here.
  EXPECT_EQ(two.master.pass(kInside, tcp(kClient, 5000, kServer, 80, kAck, 101, 701, 10)).source_port, syn.source_port);
  EXPECT_EQ(two.offer(0), Adopted::known);
  two.master.wait(31s);
  EXPECT_EQ(two.master.shard->sessions(), 0U);
  EXPECT_EQ(two.master.shard->ports_in_use(), 0U);
}

TEST(Adopt, OfASessionThatBothKnowTheStateThatWasUsedLastWins) {
  Two two;
  (void)two.other.pass(kInside, udp(kClient, 5000, kServer, 53, 100));
  ASSERT_EQ(two.offer(0), Adopted::created);
  two.wait(1s);
  (void)two.other.pass(kInside, udp(kClient, 5000, kServer, 53, 100));
  const std::uint32_t version = two.master.record(0).version;
  two.wait(1s);
  EXPECT_EQ(two.offer(0), Adopted::updated);
  EXPECT_EQ(two.master.record(0).idle, 10U);
  EXPECT_EQ(two.master.record(0).counters[0].packets, 2U);
  EXPECT_EQ(two.master.record(0).version, version + 1);
  // And the other way round: counters do not go back either.
  for (int i = 0; i < 3; ++i) (void)two.master.pass(kInside, udp(kClient, 5000, kServer, 53, 100));
  EXPECT_EQ(two.offer(0), Adopted::known);
  EXPECT_EQ(two.master.record(0).counters[0].packets, 5U);
  EXPECT_EQ(two.master.shard->sessions(), 1U);
  EXPECT_EQ(two.master.shard->digest(), two.master.slow_digest());
}

TEST(Adopt, RefusesAFlowOrPortThatIsTaken) {
  Bed bed;
  Shard& shard = *bed.shard;
  EXPECT_EQ(shard.adopt(record_of(kClient, 100, 2000), bed.now), Adopted::created);
  EXPECT_EQ(shard.adopt(record_of(kClient, 100, 2001), bed.now), Adopted::flow_taken) << "the client's flow";
  EXPECT_EQ(shard.adopt(record_of(kClient, 101, 2000), bed.now), Adopted::flow_taken) << "the answers'";
  EXPECT_EQ(shard.adopt(record_of(kClient, 101, 2000, "198.19.0.11"), bed.now), Adopted::port_taken);
  EXPECT_EQ(shard.sessions(), 1U);
  EXPECT_EQ(shard.ports_in_use(), 1U);
  std::vector<NatPoolStatus> pools;
  shard.nat().append_status(pools);
  EXPECT_EQ(pools[0].conflicts_refused, 1U);
  EXPECT_FALSE(shard.nat().contested());
}

TEST(Adopt, RefusesWhatIsBeyondALimitAndWhatHasNoSlot) {
  Plan plan;
  plan.service_options = "session-limit: 2";
  Bed limited(plan);
  EXPECT_EQ(limited.shard->adopt(record_of(kClient, 100, 2000), limited.now), Adopted::created);
  EXPECT_EQ(limited.shard->adopt(record_of(kClient, 101, 2001), limited.now), Adopted::created);
  EXPECT_EQ(limited.shard->adopt(record_of(kClient, 102, 2002), limited.now), Adopted::limit);

  plan.service_options = "nat-options: { max-sessions-per-subscriber: 1 }";
  Bed subscriber(plan);
  EXPECT_EQ(subscriber.shard->adopt(record_of(kClient, 100, 2000), subscriber.now), Adopted::created);
  EXPECT_EQ(subscriber.shard->adopt(record_of(kClient, 101, 2001), subscriber.now), Adopted::limit);
  EXPECT_EQ(subscriber.shard->adopt(record_of("198.18.0.11", 101, 2001), subscriber.now), Adopted::created);

  Bed small;
  for (std::uint16_t i = 0; i < 1024; ++i) {
    ASSERT_EQ(
        small.shard->adopt(
            record_of(kClient, static_cast<std::uint16_t>(100 + i), static_cast<std::uint16_t>(2000 + i)), small.now),
        Adopted::created);
  }
  EXPECT_EQ(small.shard->adopt(record_of(kClient, 5000, 5000), small.now), Adopted::table_full);
  EXPECT_EQ(small.shard->digest(), small.slow_digest());
}

TEST(Adopt, RefusesWhatThisConfigurationCannotHaveMadeAndWhileItIsNotMaster) {
  Bed bed;
  Shard& shard = *bed.shard;
  const auto refused = [&](const char* what, auto&& spoil) {
    SessionRecord r = record_of(kClient, 100, 2000);
    spoil(r);
    EXPECT_EQ(shard.adopt(r, bed.now), Adopted::invalid) << what;
  };
  refused("service set", [](SessionRecord& r) { r.service_set = 1; });
  refused("pool", [](SessionRecord& r) { r.nat_pool = 2; });
  refused("address outside the pool", [](SessionRecord& r) { r.flow[1].destination = *IpAddress::parse("192.0.2.9"); });
  refused("port outside the pool", [](SessionRecord& r) { r.flow[1].destination_port = 80; });
  refused("timeout", [](SessionRecord& r) { r.timeout_s = 0; });
  refused("TCP state of UDP", [](SessionRecord& r) { r.tcp_state = TcpState::established; });
  refused("binding of no pool", [](SessionRecord& r) {
    r.kind = RecordKind::mapping;
    r.binding.pool = 7;
  });
  // The slot of the record has no meaning here.
  SessionRecord far = record_of(kClient, 100, 2000);
  far.ref = {0xffffffff, 0xffffffff};
  EXPECT_EQ(shard.adopt(far, bed.now), Adopted::created);
  shard.deactivate(bed.now);
  EXPECT_EQ(shard.adopt(record_of(kClient, 101, 2001), bed.now), Adopted::invalid);
  EXPECT_EQ(shard.sessions(), 1U);
}

TEST(Adopt, RefusesWhatTheFirewallWouldEndAtOnce) {
  Plan plan;
  plan.firewall_terms = "      - { name: web, from: { destination-port: 80 }, then: accept }\n";
  Bed lenient(plan);
  EXPECT_EQ(lenient.shard->adopt(record_of(kClient, 100, 2000), lenient.now), Adopted::created) << "it lives on";

  plan.service_options = "policy-rematch: yes";
  Bed strict(plan);
  EXPECT_EQ(strict.shard->adopt(record_of(kClient, 100, 2000), strict.now), Adopted::invalid);
  SessionRecord web = record_of(kClient, 101, 2001);
  web.flow[0].destination_port = web.flow[1].source_port = 80;
  EXPECT_EQ(strict.shard->adopt(web, strict.now), Adopted::created);
}

/// A cluster of which the pool owns more than ports.
Cluster changed(const Plan& plan, void (*change)(NatPool&, NatTerm&)) {
  Cluster cluster = make_cluster(plan);
  change(cluster.nat_pools[0], cluster.nat_rules[0].terms[0]);
  return cluster;
}

/// Two masters of such a cluster, without engines: the shards alone.
struct Owners {
  explicit Owners(void (*change)(NatPool&, NatTerm&))
      : cluster(changed({}, change)), other(cluster, 0, 2, now), master(cluster, 0, 1, now) {
    other.activate(now, 2);
    master.activate(now, 3);
  }
  /// Creates a session of the client at the port in one of the masters. Returns its slot.
  std::uint32_t open(Shard& shard, const char* client, std::uint16_t port) {
    Bytes bytes = build(udp(client, port, kServer, 53));
    Headers headers;
    EXPECT_EQ(read_headers(bytes.data(), static_cast<std::uint32_t>(bytes.size()), headers), HeaderError::none);
    const SetUp result = shard.set_up(headers, 0, shard.table().hash(0, headers.key), true, Shard::ticks_of(now));
    EXPECT_TRUE(result.slot);
    return result.slot.value_or(0);
  }
  /// Offers all records of one kind of the other master to this one.
  std::vector<Adopted> offer(RecordKind kind) {
    std::vector<Adopted> out;
    SessionRecord r;
    for (std::uint32_t slot = 0; slot < other.high_water(); ++slot) {
      if (other.read(slot, now, r) && r.kind == kind) out.push_back(master.adopt(r, now));
    }
    return out;
  }
  [[nodiscard]] std::uint32_t bindings(RecordKind kind) const {
    std::uint32_t count = 0;
    SessionRecord r;
    for (std::uint32_t slot = master.table().capacity(); slot < master.high_water(); ++slot) {
      count += master.read(slot, now, r) && r.kind == kind ? 1U : 0U;
    }
    return count;
  }
  TimePoint now{std::chrono::hours(1)};
  Cluster cluster;
  Shard other;
  Shard master;
};

using Answers = std::vector<Adopted>;

TEST(Adopt, ABlockOfPortsStaysItsHostsWhereNobodyHasIt) {
  Owners o([](NatPool& pool, NatTerm&) {
    pool.addresses = {AddressRange::of(*Prefix::parse("203.0.113.1/32"))};
    pool.port_low = 1024;
    pool.port_high = 1024 + 31;
    pool.blocks = NatPool::BlockAllocation{16, 1, 0};
  });
  // Two blocks. Each master has given one to a host of its own, and the other one to one of the same name.
  (void)o.open(o.other, kClient, 100);
  EXPECT_EQ(o.offer(RecordKind::session), Answers{Adopted::created});
  EXPECT_EQ(o.bindings(RecordKind::port_block), 1U) << "with the session came its block";
  EXPECT_EQ(o.offer(RecordKind::port_block), Answers{Adopted::known});
  (void)o.open(o.other, "198.18.0.11", 101);
  (void)o.open(o.master, "198.18.0.12", 102);
  Answers blocks = o.offer(RecordKind::port_block);
  std::sort(blocks.begin(), blocks.end());
  EXPECT_EQ(blocks, (Answers{Adopted::known, Adopted::binding_taken}));
  const Answers sessions = o.offer(RecordKind::session);
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(sessions[0], Adopted::known);
  EXPECT_TRUE(sessions[1] == Adopted::binding_taken || sessions[1] == Adopted::port_taken ||
              sessions[1] == Adopted::flow_taken);
  EXPECT_FALSE(o.master.nat().must_reconcile());
}

TEST(Adopt, ABlockThatOnlyIdlesComesToo) {
  Owners o([](NatPool& pool, NatTerm&) { pool.blocks = NatPool::BlockAllocation{64, 4, 0}; });
  o.other.remove(o.open(o.other, kClient, 100));
  EXPECT_EQ(o.offer(RecordKind::port_block), Answers{Adopted::created});
  EXPECT_EQ(o.offer(RecordKind::port_block), Answers{Adopted::known});
  EXPECT_EQ(o.bindings(RecordKind::port_block), 1U);
  (void)o.open(o.master, kClient, 200);
  EXPECT_EQ(o.bindings(RecordKind::port_block), 1U) << "new ports of the host come from it";
}

TEST(Adopt, AMappingStaysWhereItIsAndAPairingToo) {
  Owners o([](NatPool&, NatTerm& term) { term.endpoint_independent_mapping = term.address_pooling_paired = true; });
  (void)o.open(o.other, kClient, 100);
  (void)o.open(o.other, "198.18.0.11", 100);
  EXPECT_EQ(o.offer(RecordKind::mapping), (Answers{Adopted::created, Adopted::created}));
  EXPECT_EQ(o.offer(RecordKind::pairing), (Answers{Adopted::created, Adopted::created}));
  EXPECT_EQ(o.offer(RecordKind::session), (Answers{Adopted::created, Adopted::created}));
  EXPECT_EQ(o.offer(RecordKind::mapping), (Answers{Adopted::known, Adopted::known}));
  EXPECT_EQ(o.offer(RecordKind::pairing), (Answers{Adopted::known, Adopted::known}));
  EXPECT_EQ(o.master.ports_in_use(), 2U);
  // A session brings its mapping along if the record of the mapping did not arrive.
  (void)o.open(o.other, kClient, 101);
  EXPECT_EQ(o.offer(RecordKind::session), (Answers{Adopted::known, Adopted::known, Adopted::created}));
  EXPECT_EQ(o.bindings(RecordKind::mapping), 3U);
  EXPECT_FALSE(o.master.nat().must_reconcile());
}

TEST(Adopt, OfTwoMappingsOfOneEndpointTheMastersStays) {
  Owners o([](NatPool&, NatTerm& term) { term.endpoint_independent_mapping = true; });
  (void)o.open(o.other, kClient, 100);
  (void)o.open(o.master, kClient, 100);
  const Answers answers = o.offer(RecordKind::mapping);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0], Adopted::binding_taken);
  EXPECT_EQ(o.bindings(RecordKind::mapping), 1U);
}

TEST(Adopt, AWholeAddressStaysItsHostsWhereNobodyHasIt) {
  Owners o([](NatPool& pool, NatTerm& term) {
    term.type = NatType::dynamic_nat44;
    pool.addresses = {AddressRange::of(*Prefix::parse("203.0.113.0/31"))};
  });
  (void)o.open(o.other, kClient, 100);
  EXPECT_EQ(o.offer(RecordKind::session), Answers{Adopted::created});
  EXPECT_EQ(o.offer(RecordKind::pairing), Answers{Adopted::known});
  // The last address has a different owner at each master.
  (void)o.open(o.other, "198.18.0.11", 100);
  (void)o.open(o.master, "198.18.0.12", 100);
  const Answers pairings = o.offer(RecordKind::pairing);
  EXPECT_EQ(std::count(pairings.begin(), pairings.end(), Adopted::binding_taken), 1);
  EXPECT_EQ(o.bindings(RecordKind::pairing), 2U);
}

}  // namespace
}  // namespace icr::node::test
