// The shard as a twin: what a peer or a checkpoint says of its sessions, and what happens when it takes over.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

/// Everything that `from` says, to `to`: a bulk copy.
void copy(const Bed& from, Bed& to) {
  to.shard->begin_pass(to.now);
  SessionRecord r;
  for (std::uint32_t slot = 0; slot < from.shard->high_water(); ++slot) {
    if (from.shard->read(slot, from.now, r)) {
      EXPECT_EQ(to.shard->apply(r, to.now), Applied::created);
    } else {
      (void)to.shard->erase(r.ref, to.now);
    }
  }
  (void)to.shard->end_pass(to.now);
}

bool same(const SessionRecord& a, const SessionRecord& b) {
  return a.ref == b.ref && a.version == b.version && a.flow[0] == b.flow[0] && a.flow[1] == b.flow[1] &&
         a.tcp_state == b.tcp_state && a.nat_type == b.nat_type && a.flag == b.flag && a.alg == b.alg &&
         a.initiated_outside == b.initiated_outside && a.service_set == b.service_set && a.policy == b.policy &&
         a.nat_pool == b.nat_pool && a.timeout_s == b.timeout_s && a.idle == b.idle && a.age == b.age &&
         a.lifetime_s == b.lifetime_s && a.has_tcp == b.has_tcp && (!a.has_tcp || a.tcp == b.tcp) &&
         a.counters == b.counters;
}

/// Hears what a shard tells.
class Ears final : public ChangeListener {
 public:
  void changed(std::uint32_t slot, Change change) override {
    (change == Change::state ? state : change == Change::refresh ? refresh : peer_refresh).insert(slot);
  }
  std::multiset<std::uint32_t> state, refresh, peer_refresh;
};

struct Pair {
  Bed master{{}, 1};
  Bed standby{{}, 2, false};
};

/// A translated UDP session as a record, without a master.
SessionRecord record_of(std::uint32_t slot, std::uint32_t generation, std::uint16_t client_port,
                        std::uint16_t pool_port, const char* pool = "203.0.113.1") {
  SessionRecord r;
  r.ref = {slot, generation};
  r.version = 1;
  r.flow[0] = {*IpAddress::parse(kClient), *IpAddress::parse(kServer), client_port, 53, 17};
  r.flow[1] = {*IpAddress::parse(kServer), *IpAddress::parse(pool), 53, pool_port, 17};
  r.nat_type = NatType::napt44;
  r.service_set = stable_id(Named::service_set, "cgn");
  r.nat_pool = stable_id(Named::nat_pool, "pool1");
  r.timeout_s = 30;
  r.has_counters = true;
  return r;
}

/// What a table says that reads its records.
class Reader final : public SessionSource {
 public:
  explicit Reader(const SessionSource& table) : table_(table) {}
  [[nodiscard]] std::uint32_t capacity() const override { return table_.capacity(); }
  [[nodiscard]] std::uint32_t live_sessions() const override { return table_.live_sessions(); }
  [[nodiscard]] std::uint32_t high_water() const override { return table_.high_water(); }
  bool read(std::uint32_t slot, TimePoint now, SessionRecord& out) const override {
    return table_.read(slot, now, out);
  }

 private:
  const SessionSource& table_;
};

TEST(Twin, DigestsOfRangesAreThoseOfTheRecords) {
  Bed bed;
  for (std::uint16_t i = 0; i < 20; ++i) {
    (void)bed.pass(kInside, udp(kClient, static_cast<std::uint16_t>(5000 + i), kServer, 53));
    bed.now += 1s;
  }
  bed.shard->remove(3);
  const Reader reader(*bed.shard);
  const std::uint32_t ranges = bed.shard->capacity() / 4 + 2;  // beyond the last slot as well
  std::vector<std::uint64_t> kept(ranges), read(ranges);
  for (const std::uint32_t first : {0U, 1U, bed.shard->capacity() - 8, bed.shard->capacity() + 8}) {
    bed.shard->digests(first, 4, kept);
    reader.digests(first, 4, read);
    EXPECT_EQ(kept, read) << first;
  }
  bed.shard->digests(0, 4, kept);
  EXPECT_NE(kept[0], 0U);
  for (std::uint32_t slot = 0; slot < bed.shard->high_water(); ++slot) {
    for (const Ticks span : {0U, 50U, 100U, ~0U}) {
      EXPECT_EQ(bed.shard->used_within(slot, bed.now, span), reader.used_within(slot, bed.now, span)) << slot;
    }
  }
  EXPECT_TRUE(bed.shard->used_within(19, bed.now, 10));
  EXPECT_FALSE(bed.shard->used_within(0, bed.now, 10));
  EXPECT_FALSE(bed.shard->used_within(3, bed.now, ~0U)) << "it is empty";
}

TEST(Twin, WhatIsKeptOutlivesThePass) {
  Pair pair;
  for (std::uint16_t i = 0; i < 12; ++i) {
    (void)pair.master.pass(kInside, udp(kClient, static_cast<std::uint16_t>(5000 + i), kServer, 53));
  }
  copy(pair.master, pair.standby);
  Shard& shard = *pair.standby.shard;
  ASSERT_EQ(shard.sessions(), 12U);
  shard.begin_pass(pair.standby.now);
  shard.keep(0, 4);
  shard.keep(8, 2);
  shard.keep(shard.capacity() - 1, 0xffffffffU);  // beyond the last slot: ignored
  EXPECT_EQ(shard.end_pass(pair.standby.now), 6U);
  for (std::uint32_t slot = 0; slot < 12; ++slot) {
    EXPECT_EQ(shard.table().at(slot).live, slot < 4 || slot == 8 || slot == 9) << slot;
  }
}

/// The generation of an empty slot is not compared, so it may be later than that of the peer.
TEST(Twin, ASlotThatIsEmptyIsNotKept) {
  Bed standby{{}, 2, false};
  Shard& shard = *standby.shard;
  shard.begin_pass(standby.now);
  (void)shard.erase({5, 9}, standby.now);
  shard.begin_pass(standby.now);
  shard.keep(0, 8);
  EXPECT_EQ(shard.apply(record_of(5, 2, 5000, 6000), standby.now), Applied::created);
}

TEST(Twin, ReadsBackWhatWasApplied) {
  Pair p;
  (void)p.master.pass(kInside, udp(kClient, 5000, kServer, 53));
  (void)p.master.pass(kInside, tcp(kClient, 5000, kServer, 80, kSyn, 100, 0));
  (void)p.master.pass(kInside, echo(kClient, kServer, 12));
  (void)p.master.pass(kInside, udp("2001:db8:18::1", 9, "2001:db8:19::1", 53));
  (void)p.master.pass(kOutside, udp(kServer, 9, kClient, 53));
  p.master.now += 2s;
  p.standby.now += 2s;
  (void)p.master.pass(kInside, udp(kClient, 5000, kServer, 53));
  p.master.now += 700ms;
  p.standby.now += 700ms;
  copy(p.master, p.standby);
  ASSERT_EQ(p.standby.shard->sessions(), 5U);
  SessionRecord a, b;
  for (std::uint32_t slot = 0; slot < 5; ++slot) {
    ASSERT_TRUE(p.master.shard->read(slot, p.master.now, a));
    ASSERT_TRUE(p.standby.shard->read(slot, p.standby.now, b));
    EXPECT_TRUE(same(a, b)) << "slot " << slot;
  }
  EXPECT_EQ(p.master.shard->digest(), p.standby.shard->digest());
  EXPECT_EQ(p.master.shard->digest(), p.master.slow_digest());
  EXPECT_EQ(p.standby.shard->digest(), p.standby.slow_digest());
  EXPECT_EQ(p.master.shard->ports_in_use(), p.standby.shard->ports_in_use());
  EXPECT_EQ(p.standby.shard->sessions_of(0), 5U);
}

TEST(Twin, ForwardsWithTheSameTranslationAfterTakeover) {
  Pair p;
  const Seen u = p.master.pass(kInside, udp(kClient, 5000, kServer, 53));
  const Seen t = p.master.pass(kInside, tcp(kClient, 6000, kServer, 80, kSyn, 100, 0));
  (void)p.master.pass(kOutside, tcp(kServer, 80, t.source, t.source_port, kSyn | kAck, 900, 101));
  const Seen e = p.master.pass(kInside, echo(kClient, kServer, 12));
  copy(p.master, p.standby);
  Bed& s = p.standby;
  s.expect_drop(kInside, udp(kClient, 5000, kServer, 53), Drop::not_master);
  s.shard->activate(s.now);
  const Seen u2 = s.pass(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_EQ(u2.source, u.source);
  EXPECT_EQ(u2.source_port, u.source_port);
  EXPECT_EQ(s.pass(kOutside, udp(kServer, 53, u.source, u.source_port)).destination_port, 5000);
  EXPECT_EQ(s.pass(kInside, tcp(kClient, 6000, kServer, 80, kAck, 101, 901)).source_port, t.source_port);
  EXPECT_EQ(s.pass(kOutside, echo(kServer, e.source, e.source_port, true)).source_port, 12);
  EXPECT_EQ(s.shard->sessions(), 3U);
  // A new session does not get a port that a twin owns.
  std::set<std::pair<std::string, std::uint16_t>> ports = {{u.source, u.source_port}};
  for (std::uint16_t i = 1; i < 900; ++i) {
    const Seen n = s.pass(kInside, udp(kClient, i, kServer, 53));
    EXPECT_TRUE(ports.insert({n.source, n.source_port}).second);
  }
}

TEST(Twin, TimersRunAfterTakeoverWithAGracePeriod) {
  Pair p;
  (void)p.master.pass(kInside, udp(kClient, 5000, kServer, 53));
  p.master.now += 29s;
  p.standby.now += 29s;
  (void)p.master.pass(kInside, udp(kClient, 5001, kServer, 53));
  copy(p.master, p.standby);
  p.standby.wait(100s);
  EXPECT_EQ(p.standby.shard->sessions(), 2U) << "a standby expires nothing";
  p.standby.shard->activate(p.standby.now);
  p.standby.wait(29s);
  EXPECT_EQ(p.standby.shard->sessions(), 2U);
  (void)p.standby.pass(kInside, udp(kClient, 5001, kServer, 53));
  p.standby.wait(2s);
  EXPECT_EQ(p.standby.shard->sessions(), 1U);
  p.standby.wait(30s);
  EXPECT_EQ(p.standby.shard->sessions(), 0U);
  EXPECT_EQ(p.standby.shard->ports_in_use(), 0U);
  EXPECT_EQ(p.standby.shard->digest(), 0U);
}

TEST(Twin, OlderAndBuriedRecordsChangeNothing) {
  Bed s({}, 2, false);
  Shard& shard = *s.shard;
  SessionRecord r = record_of(3, 5, 100, 2000);
  r.version = 7;
  EXPECT_EQ(shard.apply(r, s.now), Applied::created);
  r.counters[0].packets = 9;
  EXPECT_EQ(shard.apply(r, s.now), Applied::updated) << "counters do not grow the version";
  EXPECT_EQ(s.record(3).counters[0].packets, 9U);
  SessionRecord old = r;
  old.version = 6;
  EXPECT_EQ(shard.apply(old, s.now), Applied::unchanged);
  EXPECT_EQ(s.record(3).version, 7U);
  old = record_of(3, 4, 101, 2001);
  EXPECT_EQ(shard.apply(old, s.now), Applied::unchanged);
  EXPECT_EQ(shard.erase({3, 4}, s.now), Applied::unchanged);
  EXPECT_EQ(shard.sessions(), 1U);
  EXPECT_EQ(shard.erase({3, 5}, s.now), Applied::deleted);
  EXPECT_EQ(shard.erase({3, 5}, s.now), Applied::unchanged);
  // A late message does not bring it back.
  EXPECT_EQ(shard.apply(r, s.now), Applied::unchanged);
  EXPECT_EQ(shard.sessions(), 0U);
  EXPECT_EQ(shard.ports_in_use(), 0U);
  SessionRecord tombstone;
  EXPECT_FALSE(shard.read(3, s.now, tombstone));
  EXPECT_EQ(tombstone.ref, (SessionRef{3, 5}));
  // Its successor lives.
  EXPECT_EQ(shard.apply(record_of(3, 6, 100, 2000), s.now), Applied::created);
  EXPECT_EQ(shard.apply(record_of(3, 8, 102, 2002), s.now), Applied::created) << "another session in the slot";
  EXPECT_EQ(shard.sessions(), 1U);
  EXPECT_EQ(shard.ports_in_use(), 1U);
  EXPECT_EQ(shard.digest(), s.slow_digest());
}

TEST(Twin, TombstoneOfASlotNeverUsedIsWithinReachOfCursors) {
  Bed s({}, 2, false);
  EXPECT_EQ(s.shard->high_water(), 0U);
  EXPECT_EQ(s.shard->erase({7, 4}, s.now), Applied::unchanged);
  EXPECT_EQ(s.shard->high_water(), 8U) << "a bulk copy and a base checkpoint must come by it";
  SessionRecord out;
  EXPECT_FALSE(s.shard->read(7, s.now, out));
  EXPECT_EQ(out.ref, (SessionRef{7, 4}));
  EXPECT_EQ(s.shard->sessions(), 0U) << "and the slot is still free";
}

TEST(Twin, APassSweepsWhatItDoesNotName) {
  Bed s({}, 2, false);
  Shard& shard = *s.shard;
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    (void)shard.apply(record_of(slot, 9, static_cast<std::uint16_t>(slot + 1), static_cast<std::uint16_t>(slot + 2000)),
                      s.now);
  }
  shard.begin_pass(s.now);
  // Within a new pass the peer's word counts, also with a lower generation.
  EXPECT_EQ(shard.apply(record_of(0, 2, 50, 2050), s.now), Applied::created);
  EXPECT_EQ(shard.erase({1, 3}, s.now), Applied::deleted);
  EXPECT_EQ(shard.apply(record_of(2, 9, 3, 2002), s.now), Applied::updated);
  EXPECT_EQ(shard.end_pass(s.now), 1U);
  EXPECT_EQ(shard.sessions(), 2U);
  EXPECT_EQ(s.record(0).ref.generation, 2U);
  EXPECT_EQ(s.record(2).ref.generation, 9U);
  EXPECT_EQ(shard.counters().swept, 1U);
  EXPECT_EQ(shard.ports_in_use(), 2U);
  EXPECT_EQ(shard.digest(), s.slow_digest());
  EXPECT_EQ(shard.apply(record_of(0, 1, 50, 2050), s.now), Applied::unchanged);
  shard.begin_pass(s.now);
  EXPECT_EQ(shard.end_pass(s.now), 2U);
  EXPECT_EQ(shard.digest(), 0U);
  EXPECT_EQ(shard.sessions_of(0), 0U);
}

TEST(Twin, AnotherOwnerOfAFlowKeyIsDisplaced) {
  Bed s({}, 2, false);
  Shard& shard = *s.shard;
  (void)shard.apply(record_of(1, 1, 100, 2000), s.now);
  EXPECT_EQ(shard.apply(record_of(7, 1, 100, 2001), s.now), Applied::created);
  EXPECT_EQ(shard.sessions(), 1U);
  EXPECT_EQ(shard.counters().displaced, 1U);
  EXPECT_EQ(shard.ports_in_use(), 1U);
  // The tombstone of the displaced one comes later.
  EXPECT_EQ(shard.erase({1, 1}, s.now), Applied::unchanged);
  // One record may stand in the way of two sessions: its initiator key of one, its responder key of the other.
  (void)shard.apply(record_of(8, 1, 101, 2002), s.now);
  EXPECT_EQ(shard.apply(record_of(9, 1, 100, 2002), s.now), Applied::created);
  EXPECT_EQ(shard.sessions(), 1U);
  EXPECT_EQ(shard.counters().displaced, 3U);
  EXPECT_EQ(shard.digest(), s.slow_digest());
  EXPECT_EQ(shard.ports_in_use(), 1U);
}

TEST(Twin, ContestedPortsEndWithOneOwner) {
  Bed s({}, 2, false);
  Shard& shard = *s.shard;
  // Same translated port towards two servers: different flow keys.
  SessionRecord old = record_of(1, 1, 100, 2000);
  old.age = 500;
  SessionRecord young = record_of(2, 1, 101, 2000);
  young.flow[0].destination = young.flow[1].source = *IpAddress::parse("198.19.0.11");
  young.age = 5;
  (void)shard.apply(old, s.now);
  (void)shard.apply(young, s.now);
  EXPECT_EQ(shard.sessions(), 2U);
  // The usual case: the tombstone of the old one follows.
  EXPECT_EQ(shard.erase({1, 1}, s.now), Applied::deleted);
  EXPECT_EQ(shard.ports_in_use(), 1U);
  old.ref.generation = 2;
  (void)shard.apply(old, s.now);
  Ears ears;
  shard.add_listener(ears);
  shard.activate(s.now);
  EXPECT_EQ(shard.sessions(), 1U);
  EXPECT_EQ(shard.counters().contested_resolved, 1U);
  EXPECT_EQ(s.record(2).flow[0].source_port, 101);
  EXPECT_EQ(shard.ports_in_use(), 1U);
  EXPECT_EQ(ears.state, (std::multiset<std::uint32_t>{1}));
  shard.remove(2);
  EXPECT_EQ(shard.ports_in_use(), 0U);
}

TEST(Twin, HostileRecordsAreRefused) {
  Bed s({}, 2, false);
  Shard& shard = *s.shard;
  const auto refused = [&](const char* what, auto&& spoil) {
    SessionRecord r = record_of(1, 1, 100, 2000);
    spoil(r);
    EXPECT_EQ(shard.apply(r, s.now), Applied::refused) << what;
  };
  refused("slot", [](SessionRecord& r) { r.ref.slot = 1024; });
  refused("slot", [](SessionRecord& r) { r.ref.slot = 0xffffffff; });
  refused("service set", [](SessionRecord& r) { r.service_set = 1; });
  refused("pool", [](SessionRecord& r) { r.nat_pool = 2; });
  refused("pool", [](SessionRecord& r) { r.nat_pool = 0; });
  refused("pool without translation", [](SessionRecord& r) { r.nat_type = NatType::none; });
  refused("address outside the pool", [](SessionRecord& r) { r.flow[1].destination = *IpAddress::parse("192.0.2.9"); });
  refused("port outside the pool", [](SessionRecord& r) { r.flow[1].destination_port = 80; });
  refused("timeout", [](SessionRecord& r) { r.timeout_s = 0; });
  refused("timeout", [](SessionRecord& r) { r.timeout_s = 0xffffffff; });
  refused("lifetime", [](SessionRecord& r) { r.lifetime_s = 0xffffffff; });
  refused("TCP state of UDP", [](SessionRecord& r) { r.tcp_state = TcpState::established; });
  refused("TCP part of UDP", [](SessionRecord& r) { r.has_tcp = true; });
  refused("TCP without state", [](SessionRecord& r) { r.flow[0].protocol = r.flow[1].protocol = 6; });
  refused("families", [](SessionRecord& r) { r.flow[0].source = *IpAddress::parse("2001:db8::1"); });
  refused("own mirror", [](SessionRecord& r) {
    r.flow[0].destination = r.flow[0].source;
    r.flow[0].destination_port = r.flow[0].source_port;
  });
  EXPECT_EQ(shard.erase({1024, 1}, s.now), Applied::refused);
  EXPECT_EQ(shard.sessions(), 0U);
  EXPECT_EQ(shard.ports_in_use(), 0U);
  EXPECT_EQ(shard.digest(), 0U);
  EXPECT_GT(shard.counters().refused_slot + shard.counters().refused_service, 15U);
}

TEST(Twin, ASessionThatChangesItsServiceSetIsAnother) {
  Plan plan;
  plan.second_service_set = true;
  Bed s(plan, 2, false);
  SessionRecord r = record_of(1, 1, 100, 2000);
  r.nat_type = NatType::none;
  r.nat_pool = 0;
  r.flow[1] = r.flow[0].mirrored();
  EXPECT_EQ(s.shard->apply(r, s.now), Applied::created);
  r.service_set = stable_id(Named::service_set, "plain");
  r.version = 2;
  EXPECT_EQ(s.shard->apply(r, s.now), Applied::created);
  EXPECT_EQ(s.shard->sessions_of(0), 0U);
  EXPECT_EQ(s.shard->sessions_of(1), 1U);
  EXPECT_EQ(s.record(1).service_set, r.service_set);
  EXPECT_EQ(s.shard->digest(), s.slow_digest());
}

TEST(Twin, ImpossibleAgesDoNotLiveForEver) {
  Bed s({}, 2, false);
  SessionRecord r = record_of(1, 1, 100, 2000);
  r.idle = 0x80000001U;  // would be the far future
  r.age = 0xffffffffU;
  EXPECT_EQ(s.shard->apply(r, s.now), Applied::created);
  s.shard->activate(s.now);
  s.wait(31s);
  EXPECT_EQ(s.shard->sessions(), 0U);
}

TEST(Twin, ListenersHearOfOwnChangesAndObserversOfAll) {
  Bed s;
  Ears listener, observer;
  s.shard->add_listener(listener);
  s.shard->add_observer(observer);
  (void)s.pass(kInside, udp(kClient, 5000, kServer, 53));
  EXPECT_EQ(listener.state, (std::multiset<std::uint32_t>{0}));
  // A busy session is told of again and again, but not with each packet.
  for (int i = 0; i < 300; ++i) {
    (void)s.pass(kInside, udp(kClient, 5000, kServer, 53));
    s.wait(100ms);
  }
  EXPECT_EQ(listener.state.size(), 1U);
  EXPECT_EQ(listener.refresh.size(), 3U) << "a quarter of 30 s each";
  EXPECT_NEAR(static_cast<double>(listener.refresh.size() + listener.peer_refresh.size()), 29, 1)
      << "the peer hears of it every second";
  s.shard->deactivate(s.now);
  SessionRecord told = record_of(4, 1, 100, 2000);
  (void)s.shard->apply(told, s.now);
  observer.refresh.clear();
  told.has_counters = true;
  told.counters[0] = {7, 700};
  EXPECT_EQ(s.shard->apply(told, s.now), Applied::updated);
  EXPECT_EQ(observer.refresh, (std::multiset<std::uint32_t>{4})) << "only counters are new";
  (void)s.shard->erase({4, 1}, s.now);
  EXPECT_EQ(listener.state.size(), 1U);
  EXPECT_EQ(observer.state, (std::multiset<std::uint32_t>{0, 4, 4}));
}

TEST(Twin, TakeoverToAndFro) {
  // Each side continues where the other stood; generations go on.
  Bed a({}, 1), b({}, 2, false);
  const Seen first = a.pass(kInside, udp(kClient, 5000, kServer, 53));
  for (int round = 0; round < 6; ++round) {
    Bed& from = round % 2 == 0 ? a : b;
    Bed& to = round % 2 == 0 ? b : a;
    const auto port = static_cast<std::uint16_t>(6000 + round);
    (void)from.pass(kInside, udp(kClient, port, kServer, 53));
    from.wait(1s);
    to.wait(1s);
    from.shard->deactivate(from.now);
    to.shard->begin_pass(to.now);
    SessionRecord r;
    for (std::uint32_t slot = 0; slot < from.shard->high_water(); ++slot) {
      if (from.shard->read(slot, from.now, r)) {
        (void)to.shard->apply(r, to.now);
      } else {
        (void)to.shard->erase(r.ref, to.now);
      }
    }
    (void)to.shard->end_pass(to.now);
    EXPECT_EQ(a.shard->digest(), b.shard->digest());
    to.shard->activate(to.now);
    const Seen still = to.pass(kInside, udp(kClient, 5000, kServer, 53));
    EXPECT_EQ(still.source_port, first.source_port);
    EXPECT_EQ(to.shard->sessions(), static_cast<std::uint32_t>(round) + 2);
  }
}

}  // namespace
}  // namespace icr::node::test
