// Bindings as records: a twin holds what the master holds, whatever the order, and refuses what cannot be.
#include <algorithm>
#include <random>

#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

void configure(NatBed& bed) {
  NatPool& blocks = bed.pool("203.0.113.0/30", 2000, 2255);
  blocks.blocks = NatPool::BlockAllocation{8, 4, 0};
  blocks.mapping_timeout_s = 5;
  bed.pool("203.0.113.16/30", 2000, 2063).mapping_timeout_s = 5;
  bed.pool("203.0.113.32/29").mapping_timeout_s = 5;
  bed.pool("203.0.113.64/30", 2000, 2063).mapping_timeout_s = 5;
  bed.term(NatType::napt44, "198.18.0.0/28");
  NatTerm& eim = bed.term(NatType::napt44, "198.18.1.0/28");
  eim.source_pools = {1};
  eim.endpoint_independent_mapping = eim.endpoint_independent_filtering = true;
  bed.term(NatType::dynamic_nat44, "198.18.2.0/28").source_pools = {2};
  NatTerm& app = bed.term(NatType::napt44, "198.18.3.0/28");
  app.source_pools = {3};
  app.address_pooling_paired = true;
}

struct Item {
  bool session = false;
  NatSession s;
  std::uint32_t row = 0;
  SessionRecord r;
};

/// A master with sessions of every kind that come and go.
struct Master {
  Master() {
    configure(bed);
    bed.start(3);
  }
  void live(std::mt19937& random, int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto kind = static_cast<unsigned>(random() % 5);
      if (kind == 4 || open.size() > 60) {
        if (open.empty()) continue;
        const std::size_t n = random() % open.size();
        bed.close(open[n]);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(n));
        continue;
      }
      const auto host = "198.18." + std::to_string(kind) + "." + std::to_string(random() % 16);
      const FlowKey packet =
          key({host, static_cast<std::uint16_t>(random() % 12)},
              {"192.0.2." + std::to_string(random() % 4), static_cast<std::uint16_t>(1 + random() % 3)});
      if (std::any_of(open.begin(), open.end(), [&](const NatSession& s) { return s.initiator == packet; })) continue;
      const NatResult r = bed.nat->translate(0, bed.rule(kind), packet, true, bed.now);
      if (r.refused != NatRefusal::none) continue;
      const NatSession s{packet, r.responder, r.type, r.pool, 0, false};
      bed.nat->hold(s, true, bed.now);
      open.push_back(s);
      if (random() % 20 == 0) bed.wait(10);
    }
  }
  [[nodiscard]] std::vector<Item> everything() const {
    std::vector<Item> out;
    for (const auto& s : open) out.push_back({true, s, 0, {}});
    SessionRecord r;
    for (std::uint32_t row = 0; row < bed.nat->high_water(); ++row) {
      if (bed.nat->read(row, bed.now, r)) out.push_back({false, {}, row, r});
    }
    return out;
  }
  NatBed bed;
  std::vector<NatSession> open;
};

void expect_same(const NatBed& a, const NatBed& b) {
  EXPECT_EQ(a.digest(), b.digest());
  EXPECT_EQ(a.nat->ports_in_use(), b.nat->ports_in_use());
  for (std::size_t p = 0; p < 4; ++p) {
    const auto x = a.status(p);
    const auto y = b.status(p);
    EXPECT_EQ(x.ports_in_use, y.ports_in_use) << p;
    EXPECT_EQ(x.addresses_in_use, y.addresses_in_use) << p;
    EXPECT_EQ(x.blocks_in_use, y.blocks_in_use) << p;
    EXPECT_EQ(x.mappings, y.mappings) << p;
    EXPECT_EQ(x.pairings, y.pairings) << p;
    EXPECT_EQ(x.users, y.users) << p;
  }
}

TEST(NatTwin, HoldsTheSameWhateverTheOrder) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Master master;
    master.live(random, 200);
    auto items = master.everything();
    std::shuffle(items.begin(), items.end(), random);
    NatBed twin;
    configure(twin);
    twin.start(0, false, seed);
    twin.now = master.bed.now;
    twin.nat->begin_pass();
    for (const Item& item : items) {
      if (item.session) {
        ASSERT_TRUE(twin.nat->consistent(item.s));
        twin.nat->hold(item.s, false, twin.now);
      } else {
        ASSERT_EQ(twin.nat->apply(item.row, item.r, twin.now), Applied::created);
        ASSERT_EQ(twin.nat->apply(item.row, item.r, twin.now), Applied::updated);
      }
    }
    EXPECT_EQ(twin.nat->end_pass(twin.now), 0U);
    expect_same(master.bed, twin);
    EXPECT_FALSE(twin.nat->must_reconcile());
    EXPECT_FALSE(twin.nat->contested());

    // It takes over: mappings, blocks and addresses stay what they were, and all of them end when their sessions do.
    twin.nat->activate(4);
    for (std::uint32_t row = 0; row < twin.nat->high_water(); ++row) twin.nat->arm(row);
    for (const NatSession& s : master.open) {
      if (s.pool != 2 && s.pool != 3) continue;
      const FlowKey elsewhere = key({s.initiator.source.to_string(), s.initiator.source_port}, {"192.0.2.200", 9});
      const NatResult r = twin.nat->translate(0, twin.rule(s.pool - 1U), elsewhere, true, twin.now);
      ASSERT_EQ(r.refused, NatRefusal::none);
      EXPECT_EQ(r.responder.destination, s.responder.destination);
      EXPECT_EQ(r.responder.destination_port, s.responder.destination_port);
    }
    for (const NatSession& s : master.open) twin.close(s);
    twin.wait(200);
    EXPECT_EQ(twin.nat->ports_in_use(), 0U);
    EXPECT_EQ(twin.digest(), 0U) << "nothing is left";
    for (std::size_t p = 0; p < 4; ++p) EXPECT_EQ(twin.status(p).users, 0U);
  }
}

TEST(NatTwin, ActivationMakesLostBindingsAgain) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Master master;
    master.live(random, 200);
    NatBed twin;
    configure(twin);
    twin.start(0, false, seed);
    twin.now = master.bed.now;
    std::vector<NatSession> held;
    for (const Item& item : master.everything()) {
      if (item.session) {
        twin.nat->hold(item.s, false, twin.now);
        held.push_back(item.s);
      } else if (random() % 2 == 0) {
        (void)twin.nat->apply(item.row, item.r, twin.now);
      }
    }
    twin.nat->activate(9);
    std::size_t removed = 0;
    for (const NatSession& s : held) {
      if (twin.nat->reconcile(s, twin.now)) continue;
      twin.close(s);
      ++removed;
    }
    twin.nat->finish_reconcile(twin.now);
    EXPECT_EQ(removed, 0U) << "nothing contradicts them";
    EXPECT_FALSE(twin.nat->must_reconcile());
    // Whoever comes now gets nothing that somebody has.
    for (int i = 0; i < 60; ++i) {
      const auto kind = static_cast<std::size_t>(random() % 4);
      const auto host = "198.18." + std::to_string(kind) + "." + std::to_string(random() % 16);
      const FlowKey packet = key({host, static_cast<std::uint16_t>(100 + i)}, {"192.0.2.99", 7});
      const NatResult r = twin.nat->translate(0, twin.rule(kind), packet, true, twin.now);
      if (r.refused != NatRefusal::none) continue;
      for (const NatSession& s : held) {
        EXPECT_FALSE(s.responder.destination == r.responder.destination &&
                     s.responder.destination_port == r.responder.destination_port && r.type == NatType::napt44 &&
                     s.initiator.protocol == packet.protocol)
            << "port " << r.responder.destination_port << " twice";
        if (r.type == NatType::dynamic_nat44 && s.responder.destination == r.responder.destination) {
          EXPECT_EQ(s.initiator.source, packet.source) << "an address of two hosts";
        }
      }
      twin.nat->hold({packet, r.responder, r.type, r.pool, 0, false}, true, twin.now);
    }
  }
}

TEST(NatTwin, SessionsInAnothersBlockGoAtActivation) {
  Master master;
  const NatSession a = master.bed.open(key({"198.18.0.1", 1}, {"192.0.2.1", 53}));
  const auto blocks = master.bed.bindings(RecordKind::port_block);
  ASSERT_EQ(blocks.size(), 1U);
  NatBed twin;
  configure(twin);
  twin.start(0, false);
  twin.nat->hold(a, false, twin.now);
  // The block went to another host; the tombstone of the session did not arrive.
  SessionRecord other = blocks[0];
  ++other.ref.generation;
  other.binding.internal = ip("198.18.0.2");
  EXPECT_EQ(twin.nat->apply(other.ref.slot, other, twin.now), Applied::created);
  EXPECT_TRUE(twin.nat->must_reconcile());
  twin.nat->activate(2);
  EXPECT_FALSE(twin.nat->reconcile(a, twin.now));
  twin.close(a);
  twin.nat->finish_reconcile(twin.now);
  EXPECT_FALSE(twin.nat->must_reconcile());
  // When it does arrive, there is nothing to settle.
  NatBed calm;
  configure(calm);
  calm.start(0, false);
  calm.nat->hold(a, false, calm.now);
  (void)calm.nat->apply(other.ref.slot, other, calm.now);
  calm.close(a);
  EXPECT_FALSE(calm.nat->must_reconcile());
}

TEST(NatTwin, RefusesBindingsThatCannotBe) {
  Master master;
  (void)master.bed.open(key({"198.18.0.1", 1}, {"192.0.2.1", 53}), true, 0);
  (void)master.bed.open(key({"198.18.1.1", 1}, {"192.0.2.1", 53}), true, 1);
  (void)master.bed.open(key({"198.18.2.1", 1}, {"192.0.2.1", 53}), true, 2);
  (void)master.bed.open(key({"198.18.3.1", 1}, {"192.0.2.1", 53}), true, 3);
  NatBed twin;
  configure(twin);
  twin.start(0, false);
  std::uint64_t refused = 0;
  const auto bad = [&](const char* what, SessionRecord r, const auto& change) {
    change(r);
    EXPECT_EQ(twin.nat->apply(r.ref.slot, r, twin.now), Applied::refused) << what;
    EXPECT_EQ(twin.nat->counters().bindings_refused, ++refused) << what;
  };
  const SessionRecord block = master.bed.bindings(RecordKind::port_block).at(0);
  const SessionRecord mapping = master.bed.bindings(RecordKind::mapping).at(0);
  SessionRecord whole;
  SessionRecord paired;
  for (const auto& r : master.bed.bindings(RecordKind::pairing)) {
    ((r.binding.flags & kBindingExclusive) != 0 ? whole : paired) = r;
  }
  for (const SessionRecord& r : {block, mapping, whole, paired}) {
    bad("unknown pool", r, [](SessionRecord& b) { b.binding.pool = 9; });
    bad("another pool", r, [&](SessionRecord& b) {
      const auto index = twin.cluster.pool_ids.find(b.binding.pool).value_or(0);
      b.binding.pool = twin.cluster.nat_pools[(index + 1U) % 4].stable_id;
    });
    bad("unknown service set", r, [](SessionRecord& b) { b.binding.service_set = 3; });
    bad("host that no rule translates", r, [](SessionRecord& b) { b.binding.internal = ip("198.18.77.1"); });
    bad("address of another pool", r, [](SessionRecord& b) { b.binding.external = ip("203.0.113.100"); });
    bad("an IPv6 address outside", r, [](SessionRecord& b) { b.binding.external = ip("2001:db8::1"); });
    bad("another row", r, [&](SessionRecord& b) { b.ref.slot = r.kind == RecordKind::mapping ? 0 : b.ref.slot + 200; });
    bad("beyond the rows", r, [&](SessionRecord& b) { b.ref.slot = twin.nat->rows(); });
  }
  bad("ports of another block", block, [](SessionRecord& b) { b.binding.external_port += 8; });
  bad("not on the boundary", block, [](SessionRecord& b) { ++b.binding.external_port; });
  bad("another size", block, [](SessionRecord& b) { ++b.binding.last_port; });
  bad("port out of range", mapping, [](SessionRecord& b) { b.binding.external_port = 1999; });
  bad("protocol without ports", mapping, [](SessionRecord& b) { b.binding.protocol = ip_protocol::gre; });
  bad("ICMPv6 of an IPv4 host", mapping, [](SessionRecord& b) { b.binding.protocol = ip_protocol::icmp6; });
  bad("shared, in a row of whole addresses", whole, [](SessionRecord& b) { b.binding.flags = 0; });
  bad("whole, in a pool of ports", paired, [](SessionRecord& b) { b.binding.flags = kBindingExclusive; });
  EXPECT_EQ(twin.digest(), 0U);
}

TEST(NatTwin, TheYoungerFactOfOnePassStays) {
  Master master;
  (void)master.bed.open(key({"198.18.1.1", 1}, {"192.0.2.1", 53}), true, 1);
  const SessionRecord mapping = master.bed.bindings(RecordKind::mapping).at(0);
  NatBed twin;
  configure(twin);
  twin.start(0, false);
  twin.nat->begin_pass();
  SessionRecord younger = mapping;
  younger.ref.slot += 1;
  younger.binding.internal = ip("198.18.1.2");
  younger.binding.term = 7;
  ASSERT_EQ(twin.nat->apply(younger.ref.slot, younger, twin.now), Applied::created);
  // An older master's fact about the same endpoint, in the same pass: it is refused, counted and shown.
  EXPECT_EQ(twin.nat->apply(mapping.ref.slot, mapping, twin.now), Applied::refused);
  EXPECT_EQ(twin.nat->counters().bindings_conflicting, 1U);
  EXPECT_EQ(twin.status(1).conflicts_refused, 1U);
  EXPECT_EQ(twin.nat->ports_in_use(), 1U);
  // A newer one takes its place.
  SessionRecord newest = mapping;
  newest.ref.generation = 5;
  newest.binding.term = 8;
  EXPECT_EQ(twin.nat->apply(newest.ref.slot, newest, twin.now), Applied::created);
  EXPECT_EQ(twin.nat->counters().bindings_displaced, 1U);
  EXPECT_EQ(twin.status(1).mappings, 1U);
  // In a new pass whoever is named is right.
  twin.nat->begin_pass();
  EXPECT_EQ(twin.nat->apply(younger.ref.slot, younger, twin.now), Applied::created);
  EXPECT_EQ(twin.nat->end_pass(twin.now), 0U);
  EXPECT_EQ(twin.status(1).mappings, 1U);
  EXPECT_EQ(twin.nat->ports_in_use(), 1U);
}

TEST(NatTwin, TheDeadStayDead) {
  Master master;
  const NatSession s = master.bed.open(key({"198.18.1.1", 1}, {"192.0.2.1", 53}), true, 1);
  const SessionRecord mapping = master.bed.bindings(RecordKind::mapping).at(0);
  NatBed twin;
  configure(twin);
  twin.start(0, false);
  twin.nat->begin_pass();
  const std::uint32_t row = mapping.ref.slot;
  ASSERT_EQ(twin.nat->apply(row, mapping, twin.now), Applied::created);
  EXPECT_EQ(twin.nat->erase(row, mapping.ref.generation, twin.now), Applied::deleted);
  EXPECT_EQ(twin.nat->apply(row, mapping, twin.now), Applied::unchanged) << "a late message";
  EXPECT_EQ(twin.nat->erase(row, mapping.ref.generation, twin.now), Applied::unchanged);
  EXPECT_EQ(twin.nat->ports_in_use(), 0U);
  SessionRecord tombstone;
  EXPECT_FALSE(twin.nat->read(row, twin.now, tombstone));
  EXPECT_EQ(tombstone.ref.generation, mapping.ref.generation);
  EXPECT_EQ(twin.nat->high_water(), row + 1) << "cursors must come by it";
  // The next one in this row has a higher generation.
  twin.nat->activate(5);
  for (std::uint16_t i = 0; i < 300 && twin.bindings(RecordKind::mapping).empty(); ++i) {
    (void)twin.open(key({"198.18.1.1", 1}, {"192.0.2.1", 53}), true, 1);
  }
  EXPECT_EQ(twin.bindings(RecordKind::mapping).at(0).binding.term, 5U);
  master.bed.close(s);
}

}  // namespace
}  // namespace icr::node::test
