// Chassis whose cluster files differ: every list in another order, and further things in some of them. What one of them
// set up, the other one has, in its own slots and with its own indices, from a stream and from a checkpoint.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/base/log.h"
#include "model/config/cluster_file.h"
#include "node/flow/engine.h"
#include "node/set/set_core.h"
#include "storage/restore.h"
#include "tests/support/flow_bed.h"
#include "tests/support/memory_store.h"

namespace icr::node {
namespace {

using test::Bytes;
using test::udp;

using Lines = std::vector<std::string>;

std::string list(Lines lines, std::mt19937& dice) {
  std::shuffle(lines.begin(), lines.end(), dice);
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

constexpr const char* kAll = "from: { source-address: 198.18.0.0/16 }";

std::string nat_rule(const std::string& name, const std::string& translated) {
  return fmt::format(
      "    - {{ name: {}, match-direction: input, terms: [ {{ name: everyone, {}, then: {{ translated: "
      "{{ {} }} }} }} ] }}",
      name, kAll, translated);
}

std::string chassis(const std::string& name, int host) {
  std::string ports;
  for (int unit = 1; unit <= 10; ++unit) {
    ports += fmt::format("{}{{ unit: {}, type: tun, device: {}{} }}", unit == 1 ? "" : ", ", unit, name[0], unit);
  }
  return fmt::format(
      "  - {{ name: {0}, inter-chassis: {{ address: 192.0.2.{1}, port: 7400 }}, query: {{ address: "
      "192.0.2.{1}, port: 7300 }}, cards: [ {{ name: ms-0/0/0, ports: [ {2} ] }} ] }}",
      name, host, ports);
}

/// Four service sets: port blocks, mappings with paired addresses, whole addresses, and none of them. With `more`,
/// there is another thing of every kind.
Cluster file(std::mt19937& dice, bool more) {
  Lines chassis_lines = {chassis("left", 1), chassis("right", 2)};
  Lines sets = {
      "  - { name: blocks, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: out, nat-rules: blocks }",
      "  - { name: mapped, inside-unit: 3, outside-unit: 4, stateful-firewall-rules: out, nat-rules: mapped }",
      "  - { name: whole, inside-unit: 5, outside-unit: 6, stateful-firewall-rules: out, nat-rules: whole }",
      "  - { name: plain, inside-unit: 7, outside-unit: 8, stateful-firewall-rules: [out, rest] }"};
  Lines pools = {
      "    - { name: blocks, address: 203.0.113.0/30, port: { range: { low: 1024, high: 2047 }, "
      "secured-port-block-allocation: { block-size: 64 } } }",
      "    - { name: mapped, address: 203.0.113.4/30 }", "    - { name: whole, address: 203.0.113.64/26 }"};
  Lines nat_rules = {nat_rule("blocks", "source-pool: blocks, translation-type: napt-44"),
                     nat_rule("mapped",
                              "source-pool: mapped, translation-type: napt-44, address-pooling: paired, mapping-type: "
                              "endpoint-independent"),
                     nat_rule("whole", "source-pool: whole, translation-type: dynamic-nat44")};
  Lines applications = {"  - { name: dns, protocol: udp, destination-port: 53, inactivity-timeout: 600 }",
                        "  - { name: web, protocol: tcp, destination-port: 80 }"};
  std::string first;
  std::string service_sets = "[blocks, mapped, whole, plain]";
  if (more) {
    chassis_lines.push_back(chassis("another", 3));
    sets.emplace_back(
        "  - { name: another, inside-unit: 9, outside-unit: 10, stateful-firewall-rules: another, nat-rules: "
        "another }");
    pools.emplace_back(
        "    - { name: another, address: 203.0.113.128/30, port: { range: { low: 1024, high: 2047 }, "
        "secured-port-block-allocation: { block-size: 128 } } }");
    nat_rules.push_back(nat_rule("another", "source-pool: another, translation-type: napt-44"));
    applications.emplace_back("  - { name: another, protocol: udp, destination-port: 9 }");
    first = "{ name: another, from: { applications: another }, then: discard }, ";
    service_sets = "[another, whole, plain, mapped, blocks]";
  }
  Lines firewall = {
      fmt::format(
          "    - {{ name: out, match-direction: input, terms: [ {}{{ name: dns, from: {{ applications: dns }}, "
          "then: accept }}, {{ name: low, from: {{ destination-port: 1-1023 }}, then: accept }}, {{ name: high, "
          "then: accept }} ] }}",
          first),
      "    - { name: rest, match-direction: output, terms: [ { name: all, then: accept } ] }"};
  if (more)
    firewall.emplace_back("    - { name: another, match-direction: input, terms: [ { name: t, then: accept } ] }");
  const bool turned = dice() % 2 == 0;
  const std::string left = "{ chassis: left, card: ms-0/0/0, priority: 200 }";
  const std::string right = "{ chassis: right, card: ms-0/0/0, priority: 100 }";
  const std::string text = fmt::format(
      "cluster: pair\nchassis:\n{}redundancy-sets:\n  - {{ name: rs1, id: 1, members: [ {}, {} ], service-sets: {}, "
      "max-sessions: {}, heartbeat-interval: 100, heartbeat-count: 3, hold-time: 1 }}\nservice-sets:\n{}"
      "stateful-firewall:\n  rules:\n{}nat:\n  pools:\n{}  rules:\n{}applications:\n{}",
      list(chassis_lines, dice), turned ? right : left, turned ? left : right, service_sets, more ? 2048 : 1024,
      list(sets, dice), list(firewall, dice), list(pools, dice), list(nat_rules, dice), list(applications, dice));
  auto cluster = parse_cluster(text, "file");
  if (!cluster) throw std::runtime_error(cluster.error().message + "\n" + text);
  return std::move(*cluster);
}

/// A chassis with its file, an engine, and a disk.
class Side : private SetOutput {
 public:
  Side(Cluster given, const char* name, TimePoint now, std::uint64_t seed)
      : cluster(std::move(given)), shard(cluster, 0, seed, now), engine_(cluster, {&shard}, seed) {
    index_ = cluster.find_chassis(name).value();
  }
  void start(TimePoint now) {
    SetStart start;
    start.boot_id = 100U + name_of_boot_++;
    start.disk = &disk;
    core.emplace(cluster, index_, shard, start, static_cast<SetOutput&>(*this), now);
  }
  /// One packet into the inside unit of a service set. Returns true if it passed.
  bool send(std::string_view service_set, const test::Spec& spec, TimePoint now) {
    const auto& sets = cluster.service_sets;
    const auto found =
        std::find_if(sets.begin(), sets.end(), [&](const ServiceSet& s) { return s.name == service_set; });
    Bytes buffer(kPacketHeadroom);
    const Bytes packet = test::build(spec);
    buffer.insert(buffer.end(), packet.begin(), packet.end());
    const auto size = static_cast<std::uint32_t>(packet.size());
    Packet p{buffer.data() + kPacketHeadroom, size, size, found->inside_unit, kPacketHeadroom};
    const auto before = out_.count;
    engine_.process(std::span(&p, 1), now, out_);
    return out_.count != before;
  }
  /// What its records say, apart from the numbers of slots and from times: in another file they are the same.
  [[nodiscard]] std::vector<std::string> facts(TimePoint now) const {
    std::vector<std::string> out;
    SessionRecord r;
    for (std::uint32_t slot = 0; slot < shard.high_water(); ++slot) {
      if (!shard.read(slot, now, r)) continue;
      const BindingRecord& b = r.binding;
      if (r.kind == RecordKind::session) {
        out.push_back(fmt::format(
            "{} {} of {:x} {:x} {:x} {} {} {}:{} -> {}:{} | {}:{} | {} {}", slot, r.ref.generation, r.service_set,
            r.policy, r.nat_pool, static_cast<int>(r.nat_type), r.version, r.flow[0].source.to_string(),
            r.flow[0].source_port, r.flow[0].destination.to_string(), r.flow[0].destination_port,
            r.flow[1].destination.to_string(), r.flow[1].destination_port, r.timeout_s, r.initiated_outside));
      } else {
        out.push_back(fmt::format("kind {} of {:x} {:x} {}:{} {}:{}-{} {} {:x} generation {} term {} timeout {}",
                                  static_cast<int>(r.kind), b.service_set, b.pool, b.internal.to_string(),
                                  b.internal_port, b.external.to_string(), b.external_port, b.last_port, b.protocol,
                                  b.flags, r.ref.generation, b.term, b.timeout_s));
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    CounterList list;
    core->append_to(list);
    std::uint64_t sum = 0;
    for (const auto& c : list) {
      if (c.name == name) sum += c.value;
    }
    return sum;
  }

  Cluster cluster;
  storage::MemoryStore store;
  storage::DirectOutput disk{store, "rs1"};
  Shard shard;
  std::optional<SetCore> core;
  std::deque<std::pair<replication::Channel, Bytes>> sent;

 private:
  bool send(replication::Channel channel, std::span<const std::uint8_t> message) override {
    sent.emplace_back(channel, Bytes(message.begin(), message.end()));
    return true;
  }
  void probe(const IpAddress&, std::uint64_t) override {}
  [[nodiscard]] TimePoint time() override { return {}; }
  bool acquire_traffic() override { return false; }
  void release_traffic() override {}
  void announce_again(std::uint64_t) override {}
  bool take_packet(std::uint32_t, const replication::RelayedPacket&) override { return false; }
  void report_role(Role, std::uint64_t) override {}
  void report_claim(std::uint64_t) override {}
  void report_handover(bool) override {}
  void report_failover(const FailoverReport&, bool) override {}
  void report_block(const BlockEvent&) override {}

  Engine engine_;
  test::Capture out_;
  std::uint16_t index_ = 0;
  std::uint64_t name_of_boot_ = 0;
};

class OtherFile : public ::testing::TestWithParam<unsigned> {
 protected:
  OtherFile() { log::set_level(log::Level::error); }

  void run(Side& left, Side& right, Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      now_ += 1ms;
      for (auto [from, to] : {std::pair(&left, &right), std::pair(&right, &left)}) {
        for (; !from->sent.empty(); from->sent.pop_front()) {
          to->core->on_message(now_, from->sent.front().first, from->sent.front().second);
        }
      }
      for (Side* side : {&left, &right}) (void)side->core->round(now_, 0, kQuietRound);
    }
  }
  /// Sessions of every service set, each of another host or port.
  void open_sessions(Side& side, unsigned count) {
    unsigned passed = 0;
    for (unsigned i = 0; i < count; ++i, ++number_) {
      const auto host = fmt::format("198.18.{}.{}", number_ / 200, 1 + number_ % 40);
      const auto port = static_cast<std::uint16_t>(2000 + number_);
      const auto to = static_cast<std::uint16_t>(number_ % 3 == 0 ? 53 : number_ % 3 == 1 ? 500 : 5000);
      for (const char* set : {"blocks", "mapped", "whole", "plain"}) {
        passed += side.send(set, udp(host, port, "198.19.0.1", to), now_) ? 1U : 0U;
      }
    }
    EXPECT_EQ(passed, 4 * count);
  }

  std::mt19937 dice_{GetParam()};
  TimePoint now_{std::chrono::hours(1)};
  unsigned number_ = 0;
};

TEST_P(OtherFile, WhatOneMemberSetsUpTheOtherOneHasAndKeepsInBothDirections) {
  const bool more_left = dice_() % 2 == 0;
  Side left(file(dice_, more_left), "left", now_, 1);
  Side right(file(dice_, !more_left), "right", now_, 2);
  left.start(now_);
  right.start(now_);
  run(left, right, 2s);
  ASSERT_TRUE(left.shard.active());
  open_sessions(left, 40);
  run(left, right, 1s);
  ASSERT_EQ(left.facts(now_).size(), right.facts(now_).size());
  EXPECT_EQ(left.facts(now_), right.facts(now_));
  EXPECT_GT(right.counter("heartbeats-of-another-configuration"), 0U);

  Side* master = &left;
  Side* standby = &right;
  for (int round = 0; round < 4; ++round) {
    const auto before = master->facts(now_);
    ASSERT_TRUE(master->core->request_switchover(now_)) << round;
    run(left, right, 500ms);
    std::swap(master, standby);
    ASSERT_TRUE(master->shard.active()) << round;
    EXPECT_EQ(master->facts(now_).size(), before.size()) << round;
    EXPECT_EQ(master->counter("bindings-made-again"), 0U) << round;
    EXPECT_EQ(master->counter("twin-contested-ports-resolved"), 0U) << round;
    open_sessions(*master, 3);
    run(left, right, 1s);
    EXPECT_EQ(master->facts(now_), standby->facts(now_)) << round;
  }
  run(left, right, 3s);
  for (const Side* side : {&left, &right}) {
    EXPECT_EQ(side->counter("sessions-refused"), 0U);
    EXPECT_EQ(side->counter("audits-failed"), 0U);
    EXPECT_GT(side->counter("audits-passed"), 0U);
  }
}

TEST_P(OtherFile, WhatACheckpointHoldsComesBackUnderTheChangedFile) {
  const bool more = dice_() % 2 == 0;
  Side before(file(dice_, more), "left", now_, 1);
  before.start(now_);
  run(before, before, 2s);
  ASSERT_TRUE(before.shard.active());
  open_sessions(before, 30);
  run(before, before, 300ms);
  open_sessions(before, 10);
  while (!before.core->shut_down(now_, 0)) {
  }

  Side after(file(dice_, !more), "left", now_, 3);
  const auto restored = storage::restore(before.store, "rs1", after.cluster.digest, after.shard, after.shard, now_, 0);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->refused, 0U);
  EXPECT_EQ(restored->damage, "");
  EXPECT_EQ(restored->other_configuration, restored->batches);
  EXPECT_EQ(after.facts(now_), before.facts(now_));
  after.shard.activate(now_, 4);
  EXPECT_EQ(after.facts(now_).size(), before.facts(now_).size()) << "nothing contradicts anything";
}

INSTANTIATE_TEST_SUITE_P(Seeds, OtherFile, ::testing::Range(1U, 13U));

TEST(OtherFileOnce, WhatTheFileDoesNotHaveAnyMoreIsRefusedAndCountedAndTheRestLives) {
  std::mt19937 dice(5);
  const TimePoint now{std::chrono::hours(1)};
  Side with(file(dice, true), "left", now, 1);
  with.shard.activate(now);
  Side without(file(dice, false), "left", now, 2);
  ASSERT_TRUE(with.send("another", udp("198.18.0.1", 1000, "198.19.0.1", 53), now));
  ASSERT_TRUE(with.send("plain", udp("198.18.0.1", 1000, "198.19.0.1", 53), now));
  SessionRecord r;
  without.shard.begin_pass(now);
  std::vector<Applied> seen;
  for (std::uint32_t slot = 0; slot < with.shard.table().high_water(); ++slot) {
    ASSERT_TRUE(with.shard.read(slot, now, r));
    seen.push_back(without.shard.apply(r, now));
  }
  EXPECT_EQ(seen, (std::vector<Applied>{Applied::refused, Applied::created}));
  EXPECT_EQ(without.shard.counters().refused_service, 1U);
  EXPECT_EQ(without.shard.sessions(), 1U);
}

TEST(OtherFileOnce, ASessionWhoseFirewallTermIsGoneLivesOnWithoutOne) {
  std::mt19937 dice(6);
  const TimePoint now{std::chrono::hours(1)};
  Side master(file(dice, false), "left", now, 1);
  master.shard.activate(now);
  ASSERT_TRUE(master.send("plain", udp("198.18.0.1", 1000, "198.19.0.1", 53), now));
  SessionRecord r;
  ASSERT_TRUE(master.shard.read(0, now, r));
  EXPECT_EQ(r.policy, stable_id(Named::firewall_term, "dns", "out"));
  r.policy = stable_id(Named::firewall_term, "removed", "out");
  Side standby(file(dice, true), "left", now, 2);
  EXPECT_EQ(standby.shard.apply(r, now), Applied::created);
  ASSERT_TRUE(standby.shard.read(0, now, r));
  EXPECT_EQ(r.policy, 0U);
  standby.shard.activate(now);
  EXPECT_EQ(standby.shard.sessions(), 1U);
  EXPECT_TRUE(standby.send("plain", udp("198.18.0.1", 1000, "198.19.0.1", 53), now));
  EXPECT_EQ(standby.shard.sessions(), 1U) << "the packet was one of the session";
}

}  // namespace
}  // namespace icr::node
