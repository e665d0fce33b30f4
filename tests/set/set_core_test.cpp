// The core of a set: the order of its round, and what it gives out. Pairs of cores talk without loss and delay.
#include "node/set/set_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "model/base/log.h"
#include "model/config/cluster_file.h"
#include "tests/support/memory_store.h"

namespace icr::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kCluster = R"(
cluster: pair
chassis:
  - name: left
    inter-chassis: { address: 192.0.2.1, port: 7400 }
    query: { address: 192.0.2.1, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports: [ { unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 } ]
  - name: right
    inter-chassis: { address: 192.0.2.2, port: 7400 }
    query: { address: 192.0.2.2, port: 7300 }
    cards:
      - name: ms-1/0/0
        ports: [ { unit: 1, type: tun, device: b1 }, { unit: 2, type: tun, device: b2 } ]
redundancy-sets:
  - name: rs1
    id: 1
    members:
      - { chassis: left, card: ms-0/0/0, priority: 200 }
      - { chassis: right, card: ms-1/0/0, priority: 100 }
    service-sets: [fw]
    max-sessions: 1024
    heartbeat-interval: 100
    heartbeat-count: 3
    hold-time: 1
service-sets:
  - { name: fw, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: [outbound] }
stateful-firewall:
  rules:
    - { name: outbound, match-direction: input, terms: [ { name: all, then: accept } ] }
)";

Cluster pair() {
  auto cluster = parse_cluster(kCluster, "pair");
  EXPECT_TRUE(cluster) << cluster.error().message;
  return std::move(*cluster);
}

/// A chassis whose world writes down what the core does to it, and the state in which the core does it.
class Side : private SetOutput {
 public:
  Side(const Cluster& cluster, std::uint16_t index, TimePoint now, SetStart start = {}) : shard_(cluster, 0, 7, now) {
    start.boot_id = 100U + index;
    start.disk = &disk;
    core.emplace(cluster, index, shard_, start, static_cast<SetOutput&>(*this), now);
  }

  storage::MemoryStore store;
  storage::DirectOutput disk{store, "rs1"};
  std::optional<SetCore> core;
  std::vector<std::string> told;
  std::deque<std::pair<replication::Channel, std::vector<std::uint8_t>>> sent;
  bool connected = true;

  [[nodiscard]] std::uint64_t term_on_disk() { return *store.term("rs1"); }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    CounterList list;
    core->append_to(list);
    for (const auto& c : list) {
      if (c.name == name) return c.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

 private:
  void tell(std::string what) {
    told.push_back(what + (shard_.active() ? ", active" : "") + fmt::format(", disk {}", term_on_disk()));
  }
  bool send(replication::Channel channel, std::span<const std::uint8_t> message) override {
    if (connected) sent.emplace_back(channel, std::vector<std::uint8_t>(message.begin(), message.end()));
    return connected;
  }
  void probe(const IpAddress&, std::uint64_t) override {}
  void acquire_traffic() override { tell("acquire"); }
  void release_traffic() override { tell("release"); }
  void announce_again(std::uint64_t) override {}
  void report_role(Role role, std::uint64_t term) override { tell(fmt::format("{} {}", to_string(role), term)); }
  void report_handover(bool active) override { tell(active ? "handing over" : "not handing over"); }
  void report_block(const BlockEvent&) override {}

  Shard shard_;
};

class SetCoreTest : public ::testing::Test {
 protected:
  SetCoreTest() { log::set_level(log::Level::error); }

  void round(Side& side, const RoundLimits& limits = kQuietRound) { (void)side.core->round(now_, 0, limits); }
  void deliver(Side& from, Side& to) {
    for (; !from.sent.empty(); from.sent.pop_front()) {
      to.core->on_message(now_, from.sent.front().first, from.sent.front().second);
    }
  }
  void run(Side& left, Side& right, Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      now_ += 1ms;
      deliver(left, right);
      deliver(right, left);
      round(left);
      round(right);
    }
  }

  Cluster cluster_ = pair();
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(SetCoreTest, NothingIsDecidedBeforeTheFirstRound) {
  Side side(cluster_, 0, now_);
  EXPECT_THAT(side.told, IsEmpty());
  EXPECT_TRUE(side.sent.empty());
}

TEST_F(SetCoreTest, AMasterPersistsItsTermThenActivatesThenDrawsTheTraffic) {
  Side side(cluster_, 0, now_);
  now_ += 1s;
  round(side);
  EXPECT_THAT(side.told, ElementsAre("acquire, active, disk 2", "MASTER 2, active, disk 2"));
}

TEST_F(SetCoreTest, AMasterThatYieldsLetsGoOfTheTrafficBeforeItDeactivates) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  now_ += 1s;
  round(left);
  left.told.clear();
  left.sent.clear();
  now_ += 10ms;
  for (int i = 0; i < 2; ++i) {  // right becomes master as well, in a higher term
    round(right);
    deliver(left, right);
  }
  run(left, right, 300ms);
  Side& yielded = left.told.empty() ? right : left;
  ASSERT_GE(yielded.told.size(), 2U);
  EXPECT_THAT(yielded.told[yielded.told.size() - 2], HasSubstr("release, active"));
  EXPECT_THAT(yielded.told.back(), ::testing::StartsWith("STANDBY"));
  EXPECT_THAT(yielded.told.back(), ::testing::Not(HasSubstr("active")));
}

TEST_F(SetCoreTest, ATermThatTheDiskDoesNotTakeIsOfferedAgain) {
  Side side(cluster_, 0, now_);
  side.store.fail_writes(true);
  now_ += 1s;
  round(side);
  EXPECT_TRUE(side.core->shard().active()) << "a disk that is full keeps no takeover away";
  EXPECT_EQ(side.term_on_disk(), 0U);
  side.store.fail_writes(false);
  now_ += 1ms;
  round(side);
  EXPECT_EQ(side.term_on_disk(), 2U);
}

TEST_F(SetCoreTest, WhileItHandsOverAMasterSetsNoSessionUp) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  run(left, right, 2s);
  ASSERT_TRUE(left.core->shard().active());
  ASSERT_EQ(right.core->member().status().sync, Sync::hot);
  ASSERT_TRUE(left.core->request_switchover(now_));
  EXPECT_TRUE(left.core->shard().refuses_new_sessions());
  run(left, right, 100ms);
  EXPECT_TRUE(right.core->shard().active());
  EXPECT_FALSE(right.core->shard().refuses_new_sessions());
  EXPECT_FALSE(left.core->shard().active());
}

TEST_F(SetCoreTest, TheHistoryTellsWhyAMemberIsInItsRole) {
  Side left(cluster_, 0, now_);
  Side right(cluster_, 1, now_);
  run(left, right, 2s);
  ASSERT_TRUE(left.core->request_switchover(now_));
  run(left, right, 100ms);
  const auto& history = left.core->history().entries();
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[0].from, Role::master);
  EXPECT_EQ(history[0].to, Role::standby);
  EXPECT_EQ(history[0].term, 3U);
  EXPECT_EQ(history[0].reason, "switchover");
  EXPECT_EQ(history[1].from, Role::initializing);
  EXPECT_EQ(history[1].to, Role::master);
  EXPECT_EQ(history[1].term, 2U);
  EXPECT_LT(history[1].at, history[0].at);
}

TEST_F(SetCoreTest, TheHistoryKeepsTheNewest) {
  RoleHistory history;
  for (std::uint64_t term = 1; term <= 100; ++term) history.add({now_, Role::standby, Role::master, term, ""});
  EXPECT_EQ(history.entries().size(), RoleHistory::kEntries);
  EXPECT_EQ(history.entries().front().term, 100U);
  EXPECT_EQ(history.entries().back().term, 101U - RoleHistory::kEntries);
}

TEST_F(SetCoreTest, KernelAndSelfTestAddUpToTheHealth) {
  Side side(cluster_, 0, now_);
  KernelReport report;
  report.interfaces = {"interface a1 has no carrier"};
  side.core->on_kernel_report(now_, report);
  EXPECT_TRUE(side.core->member().status().health.ill());
  side.core->on_self_test(now_, {"packets into unit 1 do not come out"});
  EXPECT_EQ(side.core->member().status().health.weight, 510U);
}

TEST_F(SetCoreTest, AnOrderlyStopLetsGoOfTheTrafficOnceAndWritesACheckpoint) {
  Side side(cluster_, 0, now_);
  now_ += 1s;
  round(side);
  side.told.clear();
  for (int i = 0; i < 100 && !side.core->shut_down(now_, 0); ++i) {
  }
  EXPECT_TRUE(side.core->shut_down(now_, 0));
  EXPECT_THAT(side.told, ElementsAre("release, active, disk 2"));
  EXPECT_TRUE(*side.store.manifest("rs1"));
}

}  // namespace
}  // namespace icr::node
