// What a view finds without making records is what reading every record finds.
#include "node/set/set_view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "model/config/cluster_file.h"
#include "node/query/mailbox.h"
#include "tests/bench/bench_card.h"

namespace icr::node {
namespace {

constexpr std::string_view kBigCard = R"(
cluster: view
chassis:
  - name: left
    inter-chassis: { address: 192.0.2.1, port: 7400 }
    query: { address: 192.0.2.1, port: 7300 }
    cards: [ { name: ms-0/0/0, ports: [ { unit: 1, type: tun, device: in }, { unit: 2, type: tun, device: out } ] } ]
service-sets:
  - name: plain
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: [outbound]
    interface: { chassis: left, card: ms-0/0/0, max-sessions: 300000 }
stateful-firewall:
  rules:
    - { name: outbound, match-direction: input, terms: [ { name: all, then: accept } ] }
)";

class SetViewTest : public testing::Test {
 protected:
  void put(std::uint32_t slot, std::uint64_t bytes, std::uint64_t packets, Ticks age, std::uint16_t port) {
    SessionRecord record;
    record.ref = {slot, 1};
    record.version = 1;
    record.service_set = cluster_.service_sets[0].stable_id;
    record.timeout_s = 3600;
    record.age = age;
    record.has_counters = true;
    record.counters = {FlowCounters{packets, bytes}, FlowCounters{packets / 3, bytes / 7}};
    record.flow[0] = {IpAddress::v4(0xc6120000U + slot), IpAddress::v4(0xc6130001), 1024, port, ip_protocol::udp};
    record.flow[1] = record.flow[0].mirrored();
    ASSERT_EQ(shard_->apply(record, now_), Applied::created);
  }

  /// Asks as the query server does, one range after the other, and returns the slots, largest first.
  std::vector<std::uint32_t> ask(SessionOrder order, std::uint32_t count, const SessionFilter& filter, int& ranges) {
    bench::BenchCard card(*view_);
    CardMailbox mailbox;
    const auto completions = std::make_shared<Completions>();
    LargestSessions all(order, count);
    QueryRequest request;
    request.kind = QueryKind::largest;
    request.order = order;
    request.limit = count;
    request.filter = filter;
    ranges = 0;
    for (bool done = false; !done; ++ranges) {
      request.floor = all.floor();
      auto task = std::make_unique<QueryTask>();
      task->request = request;
      task->answer_to = completions;
      prepare(*task, cluster_, 0);
      EXPECT_TRUE(mailbox.post(task));
      while (mailbox.run(card, now_)) {
      }
      auto finished = completions->drain();
      EXPECT_EQ(finished.size(), 1U);
      flatbuffers::FlatBufferBuilder builder;
      encode_reply(finished.at(0)->reply, finished.at(0)->sessions, builder);
      const auto reply = decode_reply(builder.GetBufferPointer(), builder.GetSize());
      EXPECT_TRUE(reply) << reply.error().message;
      EXPECT_LE(reply->sessions.size(), count);
      for (const auto& record : reply->sessions) all.add(0, record);
      EXPECT_TRUE(reply->done || reply->next_cursor == request.cursor + kRangeSlots);
      request.cursor = reply->next_cursor;
      done = reply->done;
    }
    std::vector<std::uint32_t> out;
    for (const auto& entry : all.take_sorted()) out.push_back(entry.record.ref.slot);
    return out;
  }
  /// Sorts the records of all slots.
  std::vector<std::uint32_t> sorted(SessionOrder order, std::size_t count, const SessionFilter& filter) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> sizes;
    SessionRecord record;
    for (std::uint32_t slot = 0; slot < shard_->high_water(); ++slot) {
      if (!shard_->read(slot, now_, record) || !filter.matches(record)) continue;
      sizes.emplace_back(size_of(record, order), slot);
    }
    std::sort(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::vector<std::uint32_t> out;
    for (std::size_t i = 0; i < std::min(count, sizes.size()); ++i) out.push_back(sizes[i].second);
    return out;
  }

  const TimePoint now_{std::chrono::hours(10)};
  const Cluster cluster_ = parse_cluster(kBigCard, "view").value();
  std::unique_ptr<Shard> shard_ = std::make_unique<Shard>(cluster_, std::uint16_t{0}, 1, now_);
  std::unique_ptr<SetShell> shell_ =
      std::make_unique<SetShell>(cluster_, 0, *shard_, SetStart{1, 0, nullptr, 1}, nullptr, now_);
  std::unique_ptr<SetView> view_ = std::make_unique<SetView>(*shell_);
};

TEST_F(SetViewTest, TheLargestSessionsAreThoseThatReadingEveryRecordFinds) {
  std::mt19937 random(11);
  constexpr std::uint32_t kSlots = 300'000;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    const std::uint32_t slot = i * (kSlots / 3000) + static_cast<std::uint32_t>(random() % (kSlots / 3000));
    put(slot, random() % 2000, std::uint64_t{random()} << (random() % 8), static_cast<Ticks>(random() % 300'000),
        i % 3 == 0 ? 53 : 443);
  }
  SessionFilter dns;
  dns.destination_port = 53;
  for (const auto order : {SessionOrder::packets, SessionOrder::bytes, SessionOrder::age}) {
    for (const std::uint32_t count : {1U, 20U, 1000U}) {
      for (const auto& filter : {SessionFilter{}, dns}) {
        int ranges = 0;
        EXPECT_EQ(ask(order, count, filter, ranges), sorted(order, count, filter)) << static_cast<int>(order);
        EXPECT_EQ(ranges, 2) << "300,000 slots";
      }
    }
  }
}

TEST_F(SetViewTest, ACursorBehindTheTableFindsNothing) {
  put(5, 1, 1, 1, 53);
  bench::BenchCard card(*view_);
  CardMailbox mailbox;
  const auto completions = std::make_shared<Completions>();
  auto task = std::make_unique<QueryTask>();
  task->request.kind = QueryKind::largest;
  task->request.order = SessionOrder::age;
  task->request.limit = 10;
  task->request.cursor = 0xffffffff;
  task->answer_to = completions;
  prepare(*task, cluster_, 0);
  ASSERT_TRUE(mailbox.post(task));
  while (mailbox.run(card, now_)) {
  }
  const auto finished = completions->drain();
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_TRUE(finished[0]->reply.done);
  EXPECT_TRUE(finished[0]->sessions.empty());
}

}  // namespace
}  // namespace icr::node
