// Questions are worked on in slices, in turn, and never more of them than the mailbox has room for.
#include "node/query/mailbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <map>

#include "node/query/server.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::test {
namespace {

class Mailbox : public testing::Test {
 protected:
  std::unique_ptr<node::QueryTask> task(QueryKind kind, const std::string& client = "a") {
    auto out = std::make_unique<node::QueryTask>();
    out->client = client;
    out->request.kind = kind;
    out->request.limit = kPageSessions;
    out->answer_to = completions_;
    out->reply.counts.push_back({service_set_id(0), {}});
    return out;
  }
  bool readable() const {
    pollfd item{mailbox_.descriptor(), POLLIN, 0};
    return poll(&item, 1, 0) == 1;
  }
  void fill(std::uint32_t slots) {
    auto& shard = card_.add(0, Role::master, 2);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
      shard.put(make_session(slot, 0, key("192.0.2.1", 1, "198.51.100.1", 53, ip_protocol::udp)));
    }
  }

  FakeCard card_;
  std::shared_ptr<node::Completions> completions_ = std::make_shared<node::Completions>();
  node::CardMailbox mailbox_{4};
};

TEST_F(Mailbox, AnIdleMailboxDoesNothing) {
  EXPECT_FALSE(readable());
  EXPECT_FALSE(mailbox_.run(card_, TimePoint{}));
  EXPECT_TRUE(completions_->drain().empty());
}

TEST_F(Mailbox, AScanIsCutIntoSlicesAndOthersHaveTheirTurn) {
  fill(1000);
  auto count = task(QueryKind::count);
  count->request.filter.protocol = ip_protocol::udp;
  auto status = task(QueryKind::status);
  ASSERT_TRUE(mailbox_.post(count));
  EXPECT_TRUE(readable());
  EXPECT_TRUE(mailbox_.run(card_, TimePoint{}, 100)) << "900 slots are left";
  EXPECT_FALSE(readable());
  ASSERT_TRUE(mailbox_.post(status));
  EXPECT_TRUE(mailbox_.run(card_, TimePoint{}, 100));
  EXPECT_TRUE(mailbox_.run(card_, TimePoint{}, 100));
  auto done = completions_->drain();
  ASSERT_EQ(done.size(), 1U) << "the short question does not wait for the long one";
  EXPECT_EQ(done[0]->request.kind, QueryKind::status);
  int slices = 2;
  while (mailbox_.run(card_, TimePoint{}, 100)) ++slices;
  EXPECT_EQ(slices + 1, 10);
  done = completions_->drain();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0]->reply.counts[0].total(), 1000U);
}

TEST_F(Mailbox, LiveSessionsAreToldApartInOneScan) {
  auto& shard = card_.add(0, Role::master, 2);
  std::uint32_t slot = 0;
  const auto put = [&](std::uint32_t sessions, bool ipv4, std::uint8_t protocol) {
    for (std::uint32_t i = 0; i < sessions; ++i) {
      shard.put(make_session(slot++, 0,
                             ipv4 ? key("192.0.2.1", 1, "198.51.100.1", 53, protocol)
                                  : key("2001:db8::1", 1, "2001:db8::2", 53, protocol)));
    }
  };
  put(10, true, ip_protocol::tcp);
  put(20, false, ip_protocol::tcp);
  put(30, true, ip_protocol::udp);
  put(40, false, ip_protocol::udp);
  put(1, true, ip_protocol::icmp);
  put(2, false, ip_protocol::icmp6);
  auto live = task(QueryKind::live);
  ASSERT_TRUE(mailbox_.post(live));
  int slices = 1;
  while (mailbox_.run(card_, TimePoint{}, 20)) ++slices;
  EXPECT_EQ(slices, 6) << "103 slots";
  const auto done = completions_->drain();
  ASSERT_EQ(done.size(), 1U);
  const LiveSessions& found = done[0]->reply.live;
  EXPECT_EQ(found.all.total, 103U);
  EXPECT_EQ(found.all.ipv4, 41U);
  EXPECT_EQ(found.tcp.total, 30U);
  EXPECT_EQ(found.tcp.ipv4, 10U);
  EXPECT_EQ(found.udp.total, 70U);
  EXPECT_EQ(found.udp.ipv4, 30U);
}

TEST_F(Mailbox, TheLargestSessionsAreFoundAndPutIntoTheAnswerInSlices) {
  fill(1000);
  auto& shard = dynamic_cast<FakeShard&>(*card_.shards()[0]);
  for (const std::uint32_t slot : {7U, 500U, 999U}) {
    auto record = make_session(slot, 0, key("192.0.2.2", 1, "198.51.100.1", 53, ip_protocol::udp));
    record.counters[1].bytes = 1000 + slot;
    shard.put(record);
  }
  auto largest = task(QueryKind::largest);
  largest->request.order = SessionOrder::bytes;
  largest->request.limit = 3;
  prepare(*largest, make_cluster(), 0);
  ASSERT_TRUE(mailbox_.post(largest));
  int slices = 1;
  while (mailbox_.run(card_, TimePoint{}, 100)) ++slices;
  EXPECT_EQ(slices, 11) << "ten that look, and one that puts";
  auto done = completions_->drain();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0]->reply.done);
  EXPECT_EQ(done[0]->reply.next_cursor, 1000U);
  flatbuffers::FlatBufferBuilder builder;
  encode_reply(done[0]->reply, done[0]->sessions, builder);
  const auto reply = decode_reply(builder.GetBufferPointer(), builder.GetSize());
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->sessions.size(), 3U);
  EXPECT_EQ(reply->sessions[0].ref.slot, 7U);
  EXPECT_EQ(reply->sessions[2].ref.slot, 999U);
}

TEST_F(Mailbox, AnAnswerEndsBeforeTheGroupForWhichThereIsNoRoom) {
  auto& shard = card_.add(0, Role::master, 2);
  const std::uint32_t hosts = kPageGroups + 100;
  for (std::uint32_t slot = 0; slot < 2 * hosts; ++slot) {
    auto flow = key("192.0.2.1", 1, "198.51.100.1", 53, ip_protocol::udp);
    flow.source = IpAddress::v4(0x0a000000U + slot % hosts);
    shard.put(make_session(slot, 0, flow));
  }
  std::map<SessionGroupKey, std::uint64_t> sums;
  std::uint32_t cursor = 0;
  int answers = 0;
  for (bool ended = false; !ended; ++answers) {
    auto groups = task(QueryKind::groups);
    groups->request.grouping = SessionGrouping::source_prefix;
    groups->request.prefix_length = 32;
    groups->request.cursor = cursor;
    prepare(*groups, make_cluster(), 0);
    ASSERT_TRUE(mailbox_.post(groups));
    while (mailbox_.run(card_, TimePoint{}, 100)) {
    }
    auto done = completions_->drain();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_LE(done[0]->reply.groups.size(), kPageGroups);
    for (const auto& group : done[0]->reply.groups) sums[group.key] += group.sums.sessions;
    ASSERT_TRUE(done[0]->reply.done || done[0]->reply.next_cursor > cursor);
    cursor = done[0]->reply.next_cursor;
    ended = done[0]->reply.done;
  }
  EXPECT_EQ(answers, 3);
  EXPECT_EQ(sums.size(), hosts);
  for (const auto& [host, sessions] : sums) ASSERT_EQ(sessions, 2U);
}

TEST_F(Mailbox, TooManyQuestionsStayWithTheCaller) {
  fill(1);
  for (int i = 0; i < 4; ++i) {
    auto one = task(QueryKind::status);
    EXPECT_TRUE(mailbox_.post(one));
    EXPECT_EQ(one, nullptr);
  }
  auto fifth = task(QueryKind::status);
  EXPECT_FALSE(mailbox_.post(fifth));
  EXPECT_NE(fifth, nullptr);
  while (mailbox_.run(card_, TimePoint{})) {
  }
  EXPECT_TRUE(mailbox_.post(fifth)) << "there is room again";
}

TEST_F(Mailbox, WhoAsksMuchMakesRoomForWhoAsksLittle) {
  fill(1);
  /// Posts a question and says whose question has no place then.
  const auto left_after = [&](const std::string& client) {
    auto one = task(QueryKind::status, client);
    const auto* const raw = one.get();
    const bool taken = mailbox_.post(one);
    EXPECT_EQ(taken, one.get() != raw);
    return one ? one->client : std::string("nobody");
  };
  for (int i = 0; i < 4; ++i) EXPECT_EQ(left_after("a"), "nobody");
  EXPECT_EQ(left_after("a"), "a");
  EXPECT_EQ(left_after("b"), "a");
  EXPECT_EQ(left_after("b"), "a");
  EXPECT_EQ(left_after("b"), "b") << "two each: that is fair";
  EXPECT_EQ(left_after("c"), "b") << "the newest of those who have most";
  EXPECT_EQ(left_after("d"), "a");
  EXPECT_EQ(left_after("e"), "e") << "one each";
  while (mailbox_.run(card_, TimePoint{})) {
  }
  std::string answered;
  for (const auto& done : completions_->drain()) answered += done->client;
  EXPECT_EQ(answered, "abcd");
}

TEST_F(Mailbox, TheHostHasAPlaceThatClientsCannotTake) {
  fill(1);
  for (const char* client : {"chassis", "b", "c", "d"}) {
    auto one = task(QueryKind::status, client);
    ASSERT_TRUE(mailbox_.post(one));
  }
  const auto of_host = [&] {
    auto out = task(QueryKind::status, "chassis");
    out->of_host = true;
    return out;
  };
  auto first = of_host();
  EXPECT_TRUE(mailbox_.post(first));
  EXPECT_EQ(first, nullptr) << "nobody made room for it";
  auto other = task(QueryKind::status, "e");
  EXPECT_TRUE(mailbox_.post(other)) << "whoever takes the name of the host loses his own place";
  ASSERT_NE(other, nullptr);
  EXPECT_FALSE(other->of_host);
  auto second = of_host();
  EXPECT_FALSE(mailbox_.post(second)) << "the place is one";
  while (mailbox_.run(card_, TimePoint{})) {
  }
  const auto done = completions_->drain();
  EXPECT_EQ(std::count_if(done.begin(), done.end(), [](const auto& each) { return each->of_host; }), 1);
}

TEST_F(Mailbox, TheWorkerTakesTurnsBetweenClients) {
  fill(1000);
  node::CardMailbox mailbox(64);
  const auto post = [&](const std::string& client) {
    auto one = task(QueryKind::count, client);
    one->request.filter.protocol = ip_protocol::udp;
    ASSERT_TRUE(mailbox.post(one));
  };
  for (int i = 0; i < 40; ++i) post("flood");
  mailbox.run(card_, TimePoint{}, 1);
  post("other");
  // As many of the flood as the worker takes in hand may end before the other does, and no more.
  std::size_t flood = 0;
  bool other = false;
  while (!other && mailbox.run(card_, TimePoint{}, 1)) {
    for (const auto& done : completions_->drain()) {
      other = other || done->client == "other";
      flood += done->client == "flood" ? 1U : 0U;
    }
  }
  EXPECT_TRUE(other);
  EXPECT_LE(flood, 2 * node::kTasksInHand);
  while (mailbox.run(card_, TimePoint{})) {
  }
  EXPECT_EQ(flood + completions_->drain().size(), 40U) << "nothing is lost";
}

/// A card of three workers; sets are dealt out, so their numbers are not in order.
class Workers : public testing::Test {
 protected:
  Workers() {
    parts_[0].add(0, Role::master, 2);
    parts_[0].add(3, Role::master, 2);
    parts_[1].add(1, Role::master, 2);
    parts_[2].add(2, Role::standby, 2);
    for (std::size_t i = 0; i < 3; ++i) {
      parts_[i].load.slots = 100 * (i + 1);
      parts_[i].load.cpu_permyriad = 1000;
    }
    mailboxes_[0].hand_on_to(mailboxes_[1]);
    mailboxes_[1].hand_on_to(mailboxes_[2]);
  }
  std::unique_ptr<node::QueryTask> ask(QueryKind kind, std::uint16_t set, std::size_t worker) {
    auto task = std::make_unique<node::QueryTask>();
    task->request.kind = kind;
    task->request.set = set;
    task->answer_to = completions_;
    EXPECT_TRUE(mailboxes_[worker].post(task));
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(completions_->drain().empty()) << "not before the last worker";
      while (mailboxes_[i].run(parts_[i], TimePoint{})) {
      }
      if (i == worker && kind == QueryKind::count) break;
    }
    auto done = completions_->drain();
    return done.size() == 1 ? std::move(done[0]) : nullptr;
  }

  FakeCard parts_[3];
  node::CardMailbox mailboxes_[3];
  std::shared_ptr<node::Completions> completions_ = std::make_shared<node::Completions>();
};

TEST_F(Workers, AQuestionAboutTheCardIsAnsweredByAllOfThemTogether) {
  const auto status = ask(QueryKind::status, 0, 0);
  ASSERT_NE(status, nullptr);
  ASSERT_EQ(status->reply.status.size(), 4U);
  for (std::uint16_t set = 0; set < 4; ++set) EXPECT_EQ(status->reply.status[set].set, set);
  EXPECT_EQ(status->reply.utilization.slots, 600U);
  EXPECT_EQ(status->reply.utilization.cpu_permyriad, 3000U);

  const auto counters = ask(QueryKind::counters, 0, 0);
  ASSERT_NE(counters, nullptr);
  ASSERT_EQ(counters->reply.counters.size(), 4U) << "the card's own, and three of a service set";
  EXPECT_EQ(counters->reply.counters[0].service_set, "");
  ASSERT_EQ(counters->reply.counters[0].counters.size(), 2U);
  EXPECT_EQ(counters->reply.counters[0].counters[0].value, 9U);
}

TEST_F(Workers, AQuestionAboutASetIsAnsweredByItsWorker) {
  const node::CardDoor door{{&mailboxes_[0], &mailboxes_[1], &mailboxes_[2]}, {{0, 0}, {3, 0}, {1, 1}, {2, 2}}};
  EXPECT_EQ(&door.of_set(3), &mailboxes_[0]);
  EXPECT_EQ(&door.of_set(2), &mailboxes_[2]);
  EXPECT_EQ(&door.of_set(77), &mailboxes_[0]) << "who will say that there is no such set";
  const auto count = ask(QueryKind::count, 1, 1);
  ASSERT_NE(count, nullptr);
  EXPECT_EQ(count->reply.error, QueryError::none);
}

TEST(Counters, OfTheSameNameAreAddedWhateverTheirOrder) {
  CounterList sums{{"a", 1}, {"b", 2}};
  add_counters(sums, {{"a", 10}, {"b", 20}});
  add_counters(sums, {{"c", 5}, {"b", 100}, {"a", 1000}});
  ASSERT_EQ(sums.size(), 3U);
  EXPECT_EQ(sums[0].value, 1011U);
  EXPECT_EQ(sums[1].value, 122U);
  EXPECT_EQ(sums[2].name, "c");
}

TEST_F(Mailbox, ASetThatIsNotThereIsRefused) {
  fill(1);
  for (const auto kind :
       {QueryKind::page, QueryKind::largest, QueryKind::groups, QueryKind::count, QueryKind::live, QueryKind::clear,
        QueryKind::switchover, QueryKind::drain, QueryKind::failovers, QueryKind::bindings, QueryKind::clear_bindings,
        QueryKind::nat_pools, QueryKind::deterministic, QueryKind::statistics, QueryKind::clear_statistics}) {
    auto one = task(kind);
    one->request.set = 5;
    ASSERT_TRUE(mailbox_.post(one));
    EXPECT_FALSE(mailbox_.run(card_, TimePoint{}));
    const auto done = completions_->drain();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0]->reply.error, QueryError::unknown_target);
  }
}

TEST_F(Mailbox, BindingsHavePagesAboveTheSessions) {
  auto& shard = card_.add(0, Role::master, 2);
  shard.put(make_session(0, 0, key("192.0.2.1", 1, "198.51.100.1", 53, ip_protocol::udp)));
  for (std::uint32_t row = 0; row < 10; ++row) {
    const auto kind = row % 2 == 0 ? RecordKind::mapping : RecordKind::pairing;
    shard.put(make_binding(row, kind, 0, pool_id("pool1"), "192.0.2.1", "203.0.113.1"));
    shard.uses[kFirstBinding + row] = {kFirstBinding + row, row, 0};
  }
  const auto ask = [&](std::uint8_t kinds, std::uint32_t cursor) {
    auto page = task(QueryKind::bindings);
    page->request.record_kinds = kinds;
    page->request.limit = 3;
    page->cursor = cursor;
    EXPECT_TRUE(mailbox_.post(page));
    while (mailbox_.run(card_, TimePoint{}, 2)) {
    }
    auto done = completions_->drain();
    return std::move(done.at(0));
  };
  auto page = ask(kind_bit(RecordKind::mapping), 0);
  EXPECT_EQ(page->sessions.size(), 3U);
  ASSERT_EQ(page->reply.uses.size(), 3U);
  EXPECT_EQ(page->reply.uses[2].slot, kFirstBinding + 4);
  EXPECT_EQ(page->reply.uses[2].sessions, 4U);
  EXPECT_FALSE(page->reply.done);
  EXPECT_EQ(page->reply.next_cursor, kFirstBinding + 5);
  page = ask(kind_bit(RecordKind::mapping), page->reply.next_cursor);
  EXPECT_EQ(page->sessions.size(), 2U);
  EXPECT_TRUE(page->reply.done);
  page = ask(kind_bit(RecordKind::port_block), 0);
  EXPECT_TRUE(page->sessions.empty());
  EXPECT_TRUE(page->reply.done);
}

TEST_F(Mailbox, StatisticsAndPoolsHavePages) {
  auto& shard = card_.add(0, Role::master, 2);
  shard.pools.resize(kPageSessions + 5);
  auto statistics = task(QueryKind::statistics);
  statistics->reply.counts.resize(kPageServiceSets + 3);
  ASSERT_TRUE(mailbox_.post(statistics));
  auto pools = task(QueryKind::nat_pools);
  pools->cursor = kPageSessions;
  ASSERT_TRUE(mailbox_.post(pools));
  int slices = 1;
  while (mailbox_.run(card_, TimePoint{})) ++slices;
  EXPECT_GT(slices, 10) << "a few service sets at a time";
  auto done = completions_->drain();
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0]->reply.nat_pools.size(), 5U);
  EXPECT_TRUE(done[0]->reply.done);
  EXPECT_EQ(done[1]->reply.statistics.size(), kPageServiceSets);
  EXPECT_FALSE(done[1]->reply.done);
  EXPECT_EQ(done[1]->reply.next_cursor, kPageServiceSets);
  EXPECT_TRUE(done[1]->reply.counts.empty()) << "rows of numbers are another question's";
}

TEST_F(Mailbox, OnlyAMasterClearsBindings) {
  card_.add(0, Role::standby, 2);
  for (const auto kind : {QueryKind::clear, QueryKind::clear_bindings}) {
    auto one = task(kind);
    ASSERT_TRUE(mailbox_.post(one));
    EXPECT_FALSE(mailbox_.run(card_, TimePoint{}));
    const auto done = completions_->drain();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0]->reply.error, QueryError::refused);
  }
}

TEST_F(Mailbox, APageEndsAtItsLimitAndNamesTheNext) {
  fill(10);
  auto page = task(QueryKind::page);
  page->request.limit = 4;
  page->cursor = 3;
  ASSERT_TRUE(mailbox_.post(page));
  while (mailbox_.run(card_, TimePoint{}, 2)) {
  }
  auto done = completions_->drain();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0]->sessions.size(), 4U);
  EXPECT_EQ(done[0]->reply.next_cursor, 7U);
  EXPECT_FALSE(done[0]->reply.done);
  auto beyond = task(QueryKind::page);
  beyond->cursor = 4000000000U;
  ASSERT_TRUE(mailbox_.post(beyond));
  EXPECT_FALSE(mailbox_.run(card_, TimePoint{}));
  done = completions_->drain();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0]->reply.done);
  EXPECT_TRUE(done[0]->sessions.empty());
}

}  // namespace
}  // namespace icr::test
