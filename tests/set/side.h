// One side of a pair of set cores, whose world writes down what the core does to it. Pairs talk without loss and delay.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/base/log.h"
#include "model/config/cluster_file.h"
#include "node/set/set_core.h"
#include "tests/support/memory_store.h"

namespace icr::node {

inline constexpr const char* kCluster = R"(
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

inline Cluster pair() {
  auto cluster = parse_cluster(kCluster, "pair");
  EXPECT_TRUE(cluster) << cluster.error().message;
  return std::move(*cluster);
}

/// A chassis whose world writes down what the core does to it, and the state in which the core does it.
class Side : private SetOutput {
 public:
  Side(const Cluster& cluster, std::uint16_t index, TimePoint now, SetStart start = {}) : shard_(cluster, 0, 7, now) {
    start.boot_id = 100U + index;
    if (start.disk == nullptr) start.disk = &disk;
    core.emplace(cluster, index, shard_, start, static_cast<SetOutput&>(*this), now);
  }

  storage::MemoryStore store;
  storage::DirectOutput disk{store, "rs1"};
  std::optional<SetCore> core;
  std::vector<std::string> told;
  std::deque<std::pair<replication::Channel, std::vector<std::uint8_t>>> sent;
  bool connected = true;
  bool steers = false;                  ///< the kernel takes its time to draw the traffic
  TimePoint now_is;                     ///< of the call that is being handled
  std::vector<FailoverReport> reports;  ///< as they were reported, oldest first
  int settled_reports = 0;
  std::vector<std::pair<std::uint32_t, std::vector<std::uint8_t>>> packets;  ///< that came to the peer, by their unit
  std::size_t most_packets = 16;
  int announced = 0;  ///< how often the addresses were announced again

  [[nodiscard]] std::uint64_t term_on_disk() { return store.terms("rs1")->seen; }
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
  [[nodiscard]] TimePoint time() override { return now_is; }
  bool acquire_traffic() override {
    tell("acquire");
    return steers;
  }
  void release_traffic() override { tell("release"); }
  void announce_again(std::uint64_t) override { ++announced; }
  bool take_packet(std::uint32_t unit, const replication::RelayedPacket& packet) override {
    if (packets.size() == most_packets) return false;
    packets.emplace_back(unit, std::vector<std::uint8_t>(packet.packet.begin(), packet.packet.end()));
    return true;
  }
  void report_role(Role role, std::uint64_t term) override { tell(fmt::format("{} {}", to_string(role), term)); }
  void report_claim(std::uint64_t term) override {
    tell(term == 0 ? std::string("claims no more") : fmt::format("claims {}", term));
  }
  void report_handover(bool active) override { tell(active ? "handing over" : "not handing over"); }
  void report_failover(const FailoverReport& report, bool settled) override {
    reports.push_back(report);
    if (settled) ++settled_reports;
  }
  void report_block(const BlockEvent&) override {}

  Shard shard_;
};

class PairTest : public ::testing::Test {
 protected:
  PairTest() { log::set_level(log::Level::error); }

  void round(Side& side, const RoundLimits& limits = kQuietRound) {
    side.now_is = now_;
    (void)side.core->round(now_, wall_, limits);
  }
  void deliver(Side& from, Side& to) {
    to.now_is = now_;
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
  WallMillis wall_ = 0;  ///< it stands still
};

}  // namespace icr::node
