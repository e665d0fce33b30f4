// Two complete members of a set, without engines and sockets, connected by links in virtual time.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/base/log.h"
#include "node/redundancy/member.h"
#include "tests/support/fake_table.h"
#include "tests/support/sessions.h"
#include "tests/support/virtual_wire.h"

namespace icr::test {

using node::RedundancyMember;

inline Cluster two_chassis(bool preempt) {
  Cluster cluster;
  cluster.name = "pair";
  cluster.digest = 0x5eed;
  cluster.chassis.resize(2);
  cluster.chassis[0].name = "left";
  cluster.chassis[1].name = "right";
  RedundancySet set;
  set.name = "rs1";
  set.members = {{0, "ms-0/0/0", 200}, {1, "ms-1/0/0", 100}};
  set.heartbeat_interval = 100ms;
  set.heartbeat_count = 5;
  set.hold_time = 2s;
  set.preempt = preempt;
  set.max_sessions = 500;
  cluster.redundancy_sets.push_back(set);
  EXPECT_TRUE(assign_identities(cluster).empty());
  return cluster;
}

/// One chassis: a table and a member; it can crash and come back.
class Node : public node::RoleOutput, public node::ProbeOutput, public replication::Outlet {
 public:
  Node(const Cluster& cluster, std::uint16_t index, std::mt19937_64& random, const TimePoint& now)
      : control(random), data(random), cluster_(&cluster), index_(index), now_(now) {}

  void start() {
    const node::MemberStart start{++boots_ * 0x1000000001ULL + index_, persisted, 0};
    member.emplace(*cluster_, 0, index_, start, *table, *table, node::MemberOutputs{*this, *this, *this}, now_);
    table->listen(&*member);
  }
  /// Before start(): the cluster file that it reads.
  void read(const Cluster& cluster) { cluster_ = &cluster; }
  void crash() {
    member.reset();
    table.emplace(500);
    role = "down";
  }

  bool send(replication::Channel channel, std::span<const std::uint8_t> message) override {
    if (channel == replication::Channel::former) {
      former.emplace_back(message.begin(), message.end());
      return true;
    }
    if (rewrite) {
      (channel == replication::Channel::data ? data : control).send(now_, rewrite(message));
      return true;
    }
    (channel == replication::Channel::data ? data : control).send(now_, message);
    return true;
  }
  node::ClaimAnswer claim(std::uint64_t term) override {
    claimed = term;
    return claim_answer;
  }
  void on_claiming(std::uint64_t) override { role = "claiming"; }
  void withdraw_claim() override {
    claimed = 0;
    role = "standby";
  }
  void persist_term(std::uint64_t term) override { persisted = term; }
  void on_master(std::uint64_t term) override {
    role = "master";
    EXPECT_EQ(persisted, term);
    ++masterships;
  }
  void on_standby(std::uint64_t) override { role = "standby"; }
  void on_reassert(std::uint64_t) override { ++reasserted; }
  void on_handing_over(bool active) override { handing = active; }
  void probe(const IpAddress& address, std::uint64_t nonce) override {
    ++probes;
    asked.push_back(address);
    if (answers) probed = nonce;
  }

  bool hot() const { return member && member->status().sync == Sync::hot; }
  std::uint64_t counter(std::string_view name) const {
    CounterList list;
    member->append_to(list);
    for (const auto& c : list) {
      if (c.name == name) return c.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  std::optional<FakeTable> table{500};
  std::optional<RedundancyMember> member;
  VirtualWire control;
  VirtualWire data;
  node::ClaimAnswer claim_answer = node::ClaimAnswer::granted;  ///< what is known at once
  std::uint64_t claimed = 0;                                    ///< the term that is claimed
  std::uint64_t persisted = 0;
  std::string role = "initializing";
  int masterships = 0;
  int reasserted = 0;
  bool handing = false;
  bool answers = false;                 ///< the peer's kernel answers probes
  std::optional<std::uint64_t> probed;  ///< nonce of an answer that is on its way
  int probes = 0;
  std::vector<IpAddress> asked;
  bool held_up = false;                    ///< its thread does not run
  std::vector<VirtualWire::Bytes> former;  ///< messages to a peer of a former release
  /// Makes of a message what a program of another release would send in its place.
  std::function<VirtualWire::Bytes(std::span<const std::uint8_t>)> rewrite;

 private:
  const Cluster* cluster_;
  std::uint16_t index_;
  const TimePoint& now_;
  std::uint64_t boots_ = 0;
};

class MemberPairTest : public ::testing::Test {
 protected:
  MemberPairTest() { log::set_level(log::Level::error); }

  void step(Duration by = 1ms) {
    now_ += by;
    deliver(left_, right_);
    deliver(right_, left_);
    for (Node* node : {&left_, &right_}) {
      if (!node->member || node->held_up) continue;
      if (const auto nonce = std::exchange(node->probed, std::nullopt)) node->member->on_probe_answer(now_, *nonce);
      node->member->tick(now_, 1U << 16U);
    }
  }
  void deliver(Node& from, Node& to) {
    if (to.held_up) return;  // it waits in the sockets
    while (const auto bytes = from.control.take(now_)) {
      if (to.member) to.member->on_control(now_, *bytes);
    }
    while (const auto bytes = from.data.take(now_)) {
      if (to.member) to.member->on_data(now_, *bytes);
    }
  }
  template <class Condition>
  bool run_until(Condition condition, Duration limit = 30s) {
    for (const TimePoint end = now_ + limit; now_ < end;) {
      if (condition()) return true;
      step();
    }
    return condition();
  }
  void run_for(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) step();
  }
  /// Starts both; left is master and right is hot.
  void bring_up() {
    left_.start();
    right_.start();
    ASSERT_TRUE(run_until(
        [this] { return left_.role == "master" && right_.hot() && left_.member->status().peer_sync == Sync::hot; }));
  }
  void fill(Node& node, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) node.table->create(i, udp_session(i), now_);
  }
  bool equal() const {
    return left_.table->digest() == right_.table->digest() && left_.table->size() == right_.table->size();
  }
  void cut(bool on) {
    for (Node* node : {&left_, &right_}) node->control.faults.cut = node->data.faults.cut = on;
  }
  Duration detection() const { return 500ms; }

  Cluster cluster_ = two_chassis(false);
  std::mt19937_64 random_{3};
  TimePoint now_{1s};
  Node left_{cluster_, 0, random_, now_};
  Node right_{cluster_, 1, random_, now_};
};

}  // namespace icr::test
