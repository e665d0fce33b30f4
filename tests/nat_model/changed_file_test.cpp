// Random pairs of cluster files and random traffic. A master runs one file, and the model says what it must do. Another
// chassis runs the other file and follows: by records, or from a checkpoint. Whatever both files keep lives on there
// and is forwarded as before, whatever the other file has no more is refused and counted, and nothing contradicts
// anything.
//
//   ICR_TEST_SEED=n, ICR_TEST_RUNS=n   as in nat_model_test.cpp
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>

#include "model/config/difference.h"
#include "model/config/drain.h"
#include "model/record/slot_layout.h"
#include "storage/checkpointer.h"
#include "storage/restore.h"
#include "tests/nat_model/amount.h"
#include "tests/nat_model/edits.h"
#include "tests/nat_model/rules.h"
#include "tests/nat_model/runner.h"
#include "tests/support/memory_store.h"

namespace icr::node::test::nat_model {
namespace {

constexpr std::uint64_t kRuns = kSanitized ? 40 : 400;

struct Totals {
  std::uint64_t lived = 0, ended = 0, open = 0, refused = 0, packets = 0, from_checkpoints = 0;
  std::uint64_t drained = 0;  ///< sessions that ended when their drain-time was over
  std::map<NatType, std::uint64_t> lived_by_type;
};

/// What a change of the file means for a session.
enum class Fate : std::uint8_t {
  lives,
  ends,
  open,  ///< the change is near it: rules or pools of its service set are not what they were
};

/// Judges sessions by the two files alone.
class Judge {
 public:
  Judge(const Cluster& before, const Cluster& after) : before_(before), after_(after) {
    for (const ConfigChange& change : difference(before, after)) {
      // What belongs to the further service set has addresses and units of its own.
      if (change.part.find("[another]") == std::string::npos) changed_.insert(change.part);
    }
    same_rules_ = std::none_of(changed_.begin(), changed_.end(),
                               [](const auto& part) { return part.compare(0, 9, "nat.rules") == 0; });
  }

  [[nodiscard]] Fate of(const SessionRecord& r) const {
    const auto set = after_.service_set_ids.find(r.service_set);
    if (!set || r.ref.slot >= after_.redundancy_sets[0].max_sessions) return Fate::ends;
    if (r.nat_type == NatType::none) return Fate::lives;
    if (r.nat_pool != 0) {
      const auto index = after_.pool_ids.find(r.nat_pool);
      if (!index) return Fate::ends;
      if (out_of(after_.nat_pools[*index], r)) return Fate::ends;
    }
    const bool simple = r.nat_type == NatType::napt44 || r.nat_type == NatType::dynamic_nat44;
    const bool fewer = after_.redundancy_sets[0].max_sessions < before_.redundancy_sets[0].max_sessions;
    if (is_drained(r) && simple && !fewer && !r.initiated_outside && !r.hairpin) return Fate::lives;
    if (!same_rules_) return Fate::open;
    // There are as many mappings and pairings as sessions, so with fewer sessions one that lives may lose its mapping.
    if (fewer) return Fate::open;
    // A session may have two pools, of which its record names one.
    if (!simple || r.initiated_outside || r.hairpin) return pools_changed() ? Fate::open : Fate::lives;
    const auto index = before_.pool_ids.find(r.nat_pool);
    return index && changed_.contains("nat.pools[" + before_.nat_pools[*index].name + "]") ? Fate::open : Fate::lives;
  }
  /// Returns true if the session is translated by a pool that `after` drains of its service set.
  [[nodiscard]] bool is_drained(const SessionRecord& r) const {
    return std::any_of(after_.drained.begin(), after_.drained.end(), [&](const DrainedUse& each) {
      return after_.service_sets[each.service_set].stable_id == r.service_set &&
             after_.nat_pools[each.term.source_pools[0]].stable_id == r.nat_pool;
    });
  }

 private:
  /// Returns true if the session has an address or a port outside that the pool does not have.
  static bool out_of(const NatPool& pool, const SessionRecord& r) {
    const bool owns_port = r.nat_type == NatType::napt44 || r.nat_type == NatType::deterministic_napt44;
    if (r.initiated_outside || r.hairpin || !(owns_port || r.nat_type == NatType::dynamic_nat44)) return false;
    const FlowKey& back = r.flow[1];
    if (!holds(pool, back.destination)) return true;
    const bool has_port = back.protocol == kTcp || back.protocol == kUdp || back.protocol == kIcmp;
    return owns_port && has_port && (back.destination_port < pool.port_low || back.destination_port > pool.port_high);
  }
  [[nodiscard]] bool pools_changed() const {
    return std::any_of(changed_.begin(), changed_.end(),
                       [](const auto& part) { return part.compare(0, 9, "nat.pools") == 0; });
  }

  const Cluster& before_;
  const Cluster& after_;
  std::set<std::string> changed_;  ///< parts of the file
  bool same_rules_ = false;
};

/// A chassis that follows another one under a file of its own.
struct Follower {
  Follower(const World& w, std::uint64_t seed, TimePoint now)
      : world(w), shard(w.cluster, 0, seed, now), engine(w.cluster, {&shard}, seed) {}
  const World& world;
  Shard shard;
  Engine engine;
};

/// Keeps what the engine lets out.
struct Sink final : PacketSink {
  void send(const Packet& packet) override { sent.emplace_back(packet.data, packet.data + packet.length); }
  std::vector<Bytes> sent;
};

std::vector<SessionRecord> sessions_of(const Shard& shard, TimePoint now) {
  std::vector<SessionRecord> out;
  SessionRecord r;
  for (std::uint32_t slot = 0; slot < shard.table().high_water(); ++slot) {
    r = SessionRecord{};
    if (shard.read(slot, now, r)) out.push_back(r);
  }
  return out;
}

bool same_session(const SessionRecord& a, const SessionRecord& b) {
  return a.ref == b.ref && a.flow == b.flow && a.nat_type == b.nat_type && a.nat_pool == b.nat_pool &&
         a.service_set == b.service_set && a.timeout_s == b.timeout_s && a.initiated_outside == b.initiated_outside;
}

class Change {
 public:
  Change(const World& before, const World& after, std::uint64_t seed, Dice& dice, Totals& totals)
      : before_(before),
        after_(after),
        judge_(before.cluster, after.cluster),
        seed_(seed),
        dice_(dice),
        totals_(totals) {}

  /// Brings everything that the master has to a follower, in a copy or as changes.
  void bring(const Shard& master, Follower& to, TimePoint now) {
    const SlotMap map(master.layout(), to.shard.layout());
    const bool copy = dice_.chance(50);
    if (copy) to.shard.begin_pass(now);
    SessionRecord r;
    for (std::uint32_t slot = 0; slot < master.high_water(); ++slot) {
      r = SessionRecord{};
      const bool live = master.read(slot, now, r);
      const auto own = map.own(slot);
      if (!own) {
        ASSERT_FALSE(live && r.kind == RecordKind::session && judge_.of(r) != Fate::ends)
            << about(r) << " has no slot, but both files have a place for it";
        continue;
      }
      r.ref.slot = *own;
      if (!live) {
        (void)to.shard.erase(r.ref, now);
        continue;
      }
      const std::uint64_t before = to.shard.counters().refused_service + to.shard.counters().refused_slot;
      const bool refused = to.shard.apply(r, now) == Applied::refused;
      // As replication::Receiver does: what the slot held before is dead.
      if (refused && r.ref.generation > 1) (void)to.shard.erase({*own, r.ref.generation - 1}, now);
      if (r.kind != RecordKind::session) continue;
      const std::uint64_t counted = to.shard.counters().refused_service + to.shard.counters().refused_slot - before;
      ASSERT_EQ(counted, refused ? 1U : 0U) << "a refusal is counted, and nothing else";
      if (refused) ++totals_.refused;
      const Fate fate = judge_.of(r);
      ASSERT_FALSE(fate == Fate::lives && refused) << about(r) << " is refused, but both files have a place for it";
      ASSERT_FALSE(fate == Fate::ends && !refused) << about(r) << " lives on, but its file has no place for it";
    }
    if (copy) (void)to.shard.end_pass(now);
    SCOPED_TRACE(copy ? "after a copy" : "after changes");
    check_kept(master, to.shard, now);
  }

  /// Writes a checkpoint of the master, and makes a chassis from it.
  std::unique_ptr<Follower> restore(const Shard& master, TimePoint now) {
    storage::MemoryStore store;
    storage::DirectOutput disk(store, "rs1");
    storage::Checkpointer checkpointer("rs1", before_.cluster.digest, master, disk, {}, 1, 2);
    EXPECT_TRUE(checkpointer.flush_all(now, kWall, 2));
    auto out = std::make_unique<Follower>(after_, seed_ + 7, now);
    const auto restored = storage::restore(store, "rs1", after_.cluster.digest, out->shard, out->shard, now, kWall);
    EXPECT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->damage, "");
    totals_.from_checkpoints += restored->sessions;
    restored_ = true;
    SCOPED_TRACE("after a restore");
    check_kept(master, out->shard, now);
    return out;
  }

  /// The follower becomes master: what it kept goes on, in both directions, under the addresses and ports that it had.
  void take_over(const Shard& former, Follower& to, TimePoint now) {
    to.shard.activate(now);
    SCOPED_TRACE("after a takeover");
    check_kept(former, to.shard, now);
    check_owners(to.shard, now);
    for (const SessionRecord& r : sessions_of(to.shard, now)) {
      if (r.protocol() != kTcp) forward(r, to, now);
      if (::testing::Test::HasFailure()) return;
    }
  }

  /// New traffic under the new file, with a twin that has the same file.
  void go_on(Follower& master, TimePoint now) {
    Follower twin(after_, seed_ + 9, now);
    std::set<std::uint32_t> known;
    for (const SessionRecord& r : sessions_of(master.shard, now)) known.insert(r.ref.slot);
    for (unsigned i = 0; i < 60 && !after_.sides.empty(); ++i) {
      const auto ss = static_cast<std::uint16_t>(dice_.below(static_cast<std::uint32_t>(after_.sides.size())));
      const ServiceSet& set = after_.cluster.service_sets[ss];
      Wire w;
      w.key = {dice_.pick(after_.hosts), dice_.pick(after_.servers), dice_.pick(after_.client_ports),
               dice_.pick(after_.server_ports), dice_.chance(50) ? kUdp : kTcp};
      w.flags = kSyn;
      (void)send(master, set.inside_unit, build(w), now);
    }
    check_owners(master.shard, now);
    check_drains(master, known, now);
    for (const bool copy : {true, false}) {
      if (copy) twin.shard.begin_pass(now);
      SessionRecord r;
      for (std::uint32_t slot = 0; slot < master.shard.high_water(); ++slot) {
        r = SessionRecord{};
        const bool live = master.shard.read(slot, now, r);
        const Applied applied = live ? twin.shard.apply(r, now) : twin.shard.erase(r.ref, now);
        ASSERT_NE(applied, Applied::refused)
            << "its twin has the same file; slot " << slot << " kind " << static_cast<int>(r.kind) << " " << about(r);
      }
      if (copy) (void)twin.shard.end_pass(now);
      ASSERT_EQ(master.shard.digest(), twin.shard.digest());
      ASSERT_EQ(master.shard.ports_in_use(), twin.shard.ports_in_use());
    }
  }

  /// The drain-time is over: the sessions that the file has no place for otherwise end, and no other session does.
  void end_drains(Follower& master, TimePoint now) {
    std::map<std::uint32_t, SessionRecord> before;
    for (const SessionRecord& r : sessions_of(master.shard, now)) before.emplace(r.ref.slot, r);
    master.shard.end_drains(kUntil);
    for (int i = 0; i < 1000 && !master.shard.tick(now, 64); ++i) {
    }
    std::set<std::uint32_t> there;
    for (const SessionRecord& r : sessions_of(master.shard, now)) {
      ASSERT_FALSE(judge_.is_drained(r)) << about(r) << " lives on after the drain-time";
      there.insert(r.ref.slot);
    }
    for (const auto& [slot, r] : before) {
      if (there.contains(slot)) continue;
      // A call to a mapping of such a pool has an end there as well.
      const bool called = r.initiated_outside || r.hairpin;
      const bool over = r.idle >= r.timeout_s * 10;
      ASSERT_TRUE(judge_.is_drained(r) || called || over) << about(r) << " ends with the drain-time of others";
      if (judge_.is_drained(r)) ++totals_.drained;
    }
  }
  static constexpr WallMillis kUntil = 1'700'000'060'000;

 private:
  static constexpr WallMillis kWall = 1'700'000'000'000;

  static std::string about(const SessionRecord& r) {
    return fmt::format("slot {}, {} of pool {:x}: {} | {}", r.ref.slot, to_string(r.nat_type), r.nat_pool,
                       describe(r.flow[0]), describe(r.flow[1]));
  }

  void check_kept(const Shard& master, const Shard& follower, TimePoint now) {
    std::map<std::uint32_t, SessionRecord> there;
    for (const SessionRecord& r : sessions_of(follower, now)) there.emplace(r.ref.slot, r);
    for (const SessionRecord& r : sessions_of(master, now)) {
      const auto found = there.find(r.ref.slot);
      // After a takeover a session may idle longer than its timeout; a checkpoint does not say so.
      const bool over = restored_ && r.idle >= r.timeout_s * 10;
      const bool lives = found != there.end() && same_session(found->second, r);
      const Fate fate = judge_.of(r);
      ASSERT_FALSE(fate == Fate::lives && !lives && !over)
          << about(r) << " is gone, but both files have a place for it; there: "
          << (found == there.end() ? "nothing" : about(found->second));
      ASSERT_FALSE(fate == Fate::ends && lives) << about(r) << " lives on, but its file has no place for it";
      ++(fate == Fate::lives ? totals_.lived : fate == Fate::ends ? totals_.ended : totals_.open);
      if (fate == Fate::lives) ++totals_.lived_by_type[r.nat_type];
      if (found != there.end()) there.erase(found);
    }
    for (const auto& [slot, r] : there) ADD_FAILURE() << about(r) << " is only at the one that follows";
  }

  /// No two sessions have the same flow key, and no two hosts the same port outside.
  static void check_owners(const Shard& shard, TimePoint now) {
    std::set<std::tuple<StableId, IpAddress, IpAddress, std::uint16_t, std::uint16_t, std::uint8_t>> keys;
    std::map<std::tuple<IpAddress, std::uint16_t, std::uint8_t>, IpAddress> owners;
    for (const SessionRecord& r : sessions_of(shard, now)) {
      for (const FlowKey& k : r.flow) {
        ASSERT_TRUE(
            keys.emplace(r.service_set, k.source, k.destination, k.source_port, k.destination_port, k.protocol).second)
            << about(r);
      }
      if (r.nat_type != NatType::napt44 || r.initiated_outside) continue;
      const FlowKey& back = r.flow[1];
      if (back.destination == r.flow[0].source || back.protocol > kUdp) continue;
      const auto owner =
          owners.emplace(std::make_tuple(back.destination, back.destination_port, back.protocol), r.flow[0].source);
      ASSERT_TRUE(owner.second || owner.first->second == r.flow[0].source) << about(r) << ": a port with two owners";
    }
  }

  /// What began under the new file takes nothing from a pool that is drained.
  void check_drains(const Follower& master, const std::set<std::uint32_t>& known, TimePoint now) {
    for (const SessionRecord& r : sessions_of(master.shard, now)) {
      ASSERT_TRUE(known.contains(r.ref.slot) || !judge_.is_drained(r)) << about(r) << " takes from a drained pool";
    }
  }

  Sink send(Follower& to, std::uint32_t unit, const Bytes& packet, TimePoint now) const {
    Bytes buffer(2048);
    std::copy(packet.begin(), packet.end(), buffer.begin());
    Packet p{buffer.data(), static_cast<std::uint32_t>(packet.size()), static_cast<std::uint32_t>(buffer.size()), unit};
    Sink sink;
    to.engine.process(std::span(&p, 1), now, sink);
    return sink;
  }

  /// Returns true if the firewall of the new file admits timestamp requests of this session's addresses, and no echo
  /// requests. A session does not remember which of the two began it, so its echo requests are discarded.
  [[nodiscard]] bool is_echo_that_the_file_refuses(const SessionRecord& r) const {
    if (r.protocol() != kIcmp) return false;
    const auto action = [&](std::uint8_t query) {
      return nat_model::firewall(after_.cluster, *after_.cluster.service_set_ids.find(r.service_set), r.flow[0],
                                 !r.initiated_outside, query)
          .action;
    };
    return action(nat_model::kEchoRequest) != FirewallAction::accept &&
           action(nat_model::kTimestampRequest) == FirewallAction::accept;
  }

  /// One packet of each flow passes, and leaves as the other flow says.
  void forward(const SessionRecord& r, Follower& to, TimePoint now) {
    const ServiceSet& set = after_.cluster.service_sets[*after_.cluster.service_set_ids.find(r.service_set)];
    for (unsigned d = 0; d < 2; ++d) {
      Wire w;
      w.key = r.flow[d];
      w.payload = Bytes(24, 0xa5);
      if (w.icmp()) w.icmp_type = w.v6() ? (d == 0 ? 128 : 129) : (d == 0 ? 8 : 0);
      const bool from_inside = r.hairpin || (d == 0) != r.initiated_outside;
      const Sink out = send(to, from_inside ? set.inside_unit : set.outside_unit, build(w), now);
      if (d == 0 && is_echo_that_the_file_refuses(r)) {
        ASSERT_EQ(out.sent.size(), 0U) << about(r);
        continue;
      }
      ASSERT_EQ(out.sent.size(), 1U) << about(r) << ", direction " << d << ": the packet did not pass";
      ASSERT_EQ(key_of(out.sent[0]).mirrored(), r.flow[1 - d]) << about(r) << ", direction " << d;
      ++totals_.packets;
    }
  }

  const World& before_;
  const World& after_;
  const Judge judge_;
  std::uint64_t seed_;
  Dice& dice_;
  Totals& totals_;
  bool restored_ = false;
};

/// Takes a pool out of all rules. A term that has no other one goes as well.
void take_away_a_pool(Cluster& cluster, Dice& dice) {
  if (cluster.nat_pools.empty()) return;
  const auto pool = static_cast<std::uint16_t>(dice.below(static_cast<std::uint32_t>(cluster.nat_pools.size())));
  for (NatRule& rule : cluster.nat_rules) {
    std::erase_if(rule.terms, [&](NatTerm& term) {
      if (term.overload_pool == pool) term.overload_pool.reset();
      return std::erase(term.source_pools, pool) != 0 && term.source_pools.empty();
    });
  }
}

void live(std::uint64_t seed, Edits& edits, Totals& totals) {
  Dice dice(seed);
  const World before = make_world(dice);
  ASSERT_FALSE(before.cluster.service_sets.empty());
  World after = edited(before, dice, edits);
  if (dice.chance(50)) {
    take_away_a_pool(after.cluster, dice);
    for (ServiceSet& each : after.cluster.service_sets) each.drain_time_s = 60;
    constexpr WallMillis kSince = Change::kUntil - 60'000;
    const Cluster next = after.cluster;
    add_drained(before.cluster, next, kSince, kSince, after.cluster);
  }
  Coverage coverage;
  Runner runner(seed, dice, before, coverage);
  Change change(before, after, seed, dice, totals);
  Change back(after, before, seed + 1, dice, totals);
  auto follower = std::make_unique<Follower>(after, seed + 5, runner.rig().now());
  for (std::uint64_t packets = 60; packets <= 360; packets += 60) {
    runner.advance(packets);
    const TimePoint now = runner.rig().now();
    while (!follower->shard.tick(now, 64)) {
    }
    change.bring(runner.rig().active(), *follower, now);
    if (::testing::Test::HasFailure()) break;
  }
  const auto tell = [&] {
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << "ICR_TEST_SEED=" << seed << "\nbefore:\n" << before.text << "\nafter:\n" << after.text;
    }
    return ::testing::Test::HasFailure();
  };
  if (tell()) return;
  const TimePoint now = runner.rig().now();
  if (dice.chance(40)) follower = change.restore(runner.rig().active(), now);
  if (tell()) return;
  change.take_over(runner.rig().active(), *follower, now);
  if (tell()) return;
  change.go_on(*follower, now);
  if (tell()) return;
  if (dice.chance(80)) change.end_drains(*follower, now);
  if (tell()) return;
  // And back to the former file, as `rollback` does.
  Follower former(before, seed + 11, now);
  back.bring(follower->shard, former, now);
  if (tell()) return;
  back.take_over(follower->shard, former, now);
  (void)tell();
}

TEST(ChangedFile, WhatBothFilesKeepLivesOn) {
  const std::uint64_t first = number("ICR_TEST_SEED", 1);
  const std::uint64_t runs = number("ICR_TEST_RUNS", std::getenv("ICR_TEST_SEED") == nullptr ? kRuns : 1);
  Edits edits;
  Totals totals;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    live(seed, edits, totals);
    if (HasFailure()) return;
  }
  fmt::print(
      "files {}, texts refused {}; sessions that lived on {}, ended {}, near a change {}; records refused {}, "
      "packets {}, from checkpoints {}, drained {}\n",
      edits.made, edits.refused, totals.lived, totals.ended, totals.open, totals.refused, totals.packets,
      totals.from_checkpoints, totals.drained);
  if (runs < kRuns) return;
  EXPECT_GT(edits.made, runs * 9 / 10);
  EXPECT_GT(totals.lived, 50 * runs);
  EXPECT_GT(totals.ended, runs);
  EXPECT_GT(totals.refused, 10 * runs);
  EXPECT_GT(totals.packets, 10 * runs);
  EXPECT_GT(totals.from_checkpoints, runs);
  EXPECT_GT(totals.drained, runs / 10);
}

}  // namespace
}  // namespace icr::node::test::nat_model
