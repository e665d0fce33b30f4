// The CLI against real query servers of two chassis, over loopback TCP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <zmq.hpp>

#include "cli/client/zmq_transport.h"
#include "node/query/server.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using testing::HasSubstr;
using namespace std::chrono_literals;

/// A card's worker: sleeps on its mailbox, works when a question comes.
class Worker {
 public:
  Worker(FakeCard& card, node::CardMailbox& mailbox) : card_(card), mailbox_(mailbox) {}
  ~Worker() { stop(); }
  void start() {
    thread_ = std::thread([this] { loop(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    stop_.signal();
    thread_.join();
  }

 private:
  void loop() {
    pollfd items[] = {{mailbox_.descriptor(), POLLIN, 0}, {stop_.descriptor(), POLLIN, 0}};
    for (;;) {
      poll(items, 2, -1);
      if (items[1].revents != 0) return;
      while (mailbox_.run(card_, TimePoint{})) {
      }
    }
  }
  FakeCard& card_;
  node::CardMailbox& mailbox_;
  node::Wakeup stop_;
  std::thread thread_;
};

class EndToEnd : public testing::Test {
 protected:
  void SetUp() override {
    for (std::uint16_t chassis = 0; chassis < 2; ++chassis) {
      std::vector<node::CardDoor> doors;
      for (int card = 0; card < 2; ++card) {
        workers_[chassis][card] = std::make_unique<Worker>(fake_.cards[chassis][card], mailboxes_[chassis][card]);
        doors.push_back({{&mailboxes_[chassis][card]}, {}});
      }
      servers_[chassis] = std::make_unique<node::QueryServer>(fake_.cluster, chassis, doors);
      const auto started = servers_[chassis]->start();
      ASSERT_TRUE(started) << started.error().message;
      const auto& endpoint = servers_[chassis]->endpoint();
      client_cluster_.chassis[chassis].query.port =
          static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1)));
    }
  }
  void TearDown() override {
    for (auto& of_chassis : workers_) {
      for (auto& worker : of_chassis) worker->stop();
    }
    for (auto& server : servers_) server->stop();
  }
  void start_workers() {
    for (auto& of_chassis : workers_) {
      for (auto& worker : of_chassis) worker->start();
    }
  }
  Output run(const std::string& line, std::chrono::milliseconds timeout = 20s) {
    cli::ZmqTransport transport(client_cluster_, timeout);
    return run_line(line, client_cluster_, transport);
  }
  std::uint64_t counter(std::size_t chassis, const std::string& name) const {
    CounterList list;
    servers_[chassis]->append_to(list);
    for (const auto& each : list) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }
  /// Waits until `condition` holds, with a bound.
  static bool await(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool await(std::size_t chassis, const std::string& name, std::uint64_t value) const {
    return await([&] { return counter(chassis, name) >= value; });
  }
  /// Names cluster, card and set of a question to chassis `left`, unless it names them already.
  void name(QueryRequest& request) const {
    const Cluster& cluster = fake_.cluster;
    request.cluster_digest = cluster.digest;
    if (request.cluster_id == 0) request.cluster_id = cluster.stable_id;
    if (request.card_id == 0) request.card_id = cluster.chassis[0].cards[request.card].stable_id;
    if (request.set_id == 0) request.set_id = cluster.redundancy_sets[request.set].stable_id;
  }
  /// Asks chassis `left` one question without the CLI's checks.
  Result<QueryReply> ask_left(QueryRequest request) {
    name(request);
    flatbuffers::FlatBufferBuilder builder;
    encode_request(request, builder);
    zmq::context_t context;
    zmq::socket_t dealer(context, zmq::socket_type::dealer);
    dealer.set(zmq::sockopt::linger, 0);
    dealer.set(zmq::sockopt::rcvtimeo, 20000);
    dealer.connect(servers_[0]->endpoint());
    dealer.send(zmq::buffer(builder.GetBufferPointer(), builder.GetSize()), zmq::send_flags::none);
    zmq::message_t message;
    if (!dealer.recv(message)) return fail("no reply");
    return decode_reply(message.data(), message.size());
  }

  FakeCluster fake_;
  Cluster client_cluster_ = fake_.cluster;
  node::CardMailbox mailboxes_[2][2];
  std::unique_ptr<Worker> workers_[2][2];
  std::unique_ptr<node::QueryServer> servers_[2];
};

TEST_F(EndToEnd, MoreThanTenThousandSessionsEachOnce) {
  constexpr std::uint32_t kSessions = 12000;
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    const auto port = static_cast<std::uint16_t>(i);
    fake_.put_everywhere(0, make_translated(i, 0, key("192.0.2.1", port, "198.51.100.1", 53, ip_protocol::udp), port));
    fake_.put_everywhere(1, make_session(i, 2, key("192.0.2.2", port, "198.51.100.1", 80, ip_protocol::tcp)));
  }
  start_workers();
  const auto output = run("show services sessions");
  EXPECT_EQ(output.code, ExitCode::ok);
  EXPECT_EQ(output.error, "");
  std::set<std::string> jsf;
  std::set<std::string> usf;
  std::istringstream lines(output.out);
  std::size_t flows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("Service Set: ", 0) == 0) {
      EXPECT_TRUE(jsf.insert(line).second) << line;
    } else if (line.rfind("Session ID: ", 0) == 0) {
      EXPECT_TRUE(usf.insert(line).second) << line;
    } else if (line.rfind("UDP ", 0) == 0) {
      ++flows;
    }
    EXPECT_EQ(line.find("ms-1/0/0"), std::string::npos) << "a twin was printed";
    EXPECT_EQ(line.find("vms-2/0/0"), std::string::npos) << "a twin was printed";
  }
  EXPECT_EQ(jsf.size(), kSessions);
  EXPECT_EQ(usf.size(), kSessions);
  EXPECT_EQ(flows, 2 * kSessions);

  const auto filtered = run("show services sessions source-port 11999 protocol udp");
  EXPECT_EQ(
      filtered.out,
      "ms-0/0/0\n"
      "Service Set: ss1, Session: 67120863, ALG: none, Flags: 0x0000, IP Action: no, Offload: no, Asymmetric: no\n"
      "UDP           192.0.2.1:11999  ->    198.51.100.1:53     Forward  I               0\n"
      "UDP        198.51.100.1:53     ->     203.0.113.5:11999  Forward  O               0\n");
  EXPECT_THAT(run("show services sessions count").out,
              HasSubstr("ms-0/0/0    ss1                                    12000\n"));
  EXPECT_THAT(run("clear services sessions source-prefix 192.0.2.2").out,
              HasSubstr("vms-3/0/0   PIC2_0                                               12000\n"));
  EXPECT_EQ(fake_.shard(1, 1).sessions_of(service_set_id(2)), 0U);
}

TEST_F(EndToEnd, AStoppedChassisIsNamedAndTheRestShown) {
  fake_.put_everywhere(0, make_session(1, 0, key("192.0.2.1", 7, "198.51.100.1", 53, ip_protocol::udp)));
  start_workers();
  servers_[1]->stop();
  const auto output = run("show services sessions");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("error: chassis right did not answer: cannot connect to tcp://127.0.0.1:"));
  EXPECT_THAT(output.out, HasSubstr("ms-0/0/0\nService Set: ss1"));
}

TEST_F(EndToEnd, AChassisThatHangsIsNamedAfterTheDeadline) {
  fake_.put_everywhere(0, make_session(1, 0, key("192.0.2.1", 7, "198.51.100.1", 53, ip_protocol::udp)));
  for (auto& worker : workers_[0]) worker->start();  // those of `right` never look at their mailboxes
  const auto begin = std::chrono::steady_clock::now();
  const auto output = run("show services sessions", 300ms);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("error: chassis right did not answer: no answer from tcp://127.0.0.1:"));
  EXPECT_THAT(output.error, HasSubstr("within 300 ms"));
  EXPECT_THAT(output.out, HasSubstr("ms-0/0/0\nService Set: ss1"));
  EXPECT_GE(took, 300ms);
}

TEST_F(EndToEnd, AnotherClusterIsRefusedWithTheReason) {
  start_workers();
  client_cluster_.stable_id ^= 1;
  const auto output = run("show services sessions");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_EQ(output.out, "");
  EXPECT_THAT(output.error,
              HasSubstr("chassis left did not answer: it refused the question: the question is for another "
                        "cluster; chassis left belongs to test"));
  EXPECT_EQ(counter(0, "query-refused-wrong-cluster"), 2U);
}

TEST_F(EndToEnd, AnotherClusterFileIsUnderstoodAndWhatItDoesNotKnowIsNamed) {
  fake_.put_everywhere(0, make_session(1, 0, key("192.0.2.1", 7, "198.51.100.1", 53, ip_protocol::udp)));
  fake_.put_everywhere(0, make_session(2, 1, key("192.0.2.2", 7, "198.51.100.1", 53, ip_protocol::udp)));
  start_workers();
  // A file with another set in front, another name in the place of ss2, and its lists turned round.
  client_cluster_.digest ^= 1;
  std::reverse(client_cluster_.chassis[0].cards.begin(), client_cluster_.chassis[0].cards.end());
  client_cluster_.service_sets[1].name = "new";
  std::swap(client_cluster_.service_sets[0], client_cluster_.service_sets[1]);
  client_cluster_.redundancy_sets[0].service_sets = {1, 0};
  std::swap(client_cluster_.redundancy_sets[0], client_cluster_.redundancy_sets[2]);
  ASSERT_TRUE(assign_identities(client_cluster_).empty());
  const auto output = run("show services sessions interface ms-0/0/0");
  EXPECT_EQ(output.code, ExitCode::ok) << output.error;
  EXPECT_THAT(output.error, HasSubstr("warning: chassis left runs another cluster file\n"));
  EXPECT_THAT(output.out, HasSubstr("Service Set: ss1, Session: "));
  EXPECT_THAT(output.out, HasSubstr("Service Set: ss2, Session: ")) << "the chassis told its name";
  EXPECT_GT(counter(0, "query-other-configuration"), 0U);
}

TEST_F(EndToEnd, UnknownKindsAndTargetsAreRefusedWithAReply) {
  start_workers();
  const auto error_of = [&](auto change) {
    QueryRequest request;
    request.kind = QueryKind::page;
    request.limit = 10;
    change(request);
    const auto reply = ask_left(request);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? reply->error : QueryError::none;
  };
  EXPECT_EQ(error_of([](QueryRequest&) {}), QueryError::none);
  EXPECT_EQ(error_of([](QueryRequest& r) { r.kind = static_cast<QueryKind>(0); }), QueryError::unknown_kind);
  EXPECT_EQ(error_of([](QueryRequest& r) { r.kind = static_cast<QueryKind>(kQueryKindEnd); }),
            QueryError::unknown_kind);
  EXPECT_EQ(error_of([](QueryRequest& r) { r.card_id = 2; }), QueryError::unknown_target);
  EXPECT_EQ(error_of([](QueryRequest& r) { r.set_id = 3; }), QueryError::unknown_target);
  EXPECT_EQ(error_of([](QueryRequest& r) { r.set = 1; }), QueryError::unknown_target) << "it is on the other card";
  EXPECT_EQ(error_of([](QueryRequest& r) { r.limit = 0; }), QueryError::malformed);
  EXPECT_EQ(error_of([](QueryRequest& r) { r.limit = kPageSessions + 1; }), QueryError::malformed);
  EXPECT_EQ(counter(0, "query-refused-unknown-kind"), 2U);
  EXPECT_EQ(counter(0, "query-refused-unknown-target"), 2U);
  EXPECT_EQ(counter(0, "query-refused-by-card"), 1U);
  EXPECT_EQ(counter(0, "query-refused-malformed"), 2U);
}

TEST_F(EndToEnd, GarbageIsCountedAndTheServerLives) {
  fake_.put_everywhere(0, make_session(1, 0, key("192.0.2.1", 7, "198.51.100.1", 53, ip_protocol::udp)));
  start_workers();
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect(servers_[0]->endpoint());
  std::mt19937 random(7);
  constexpr std::uint64_t kMessages = 1000;
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    std::vector<std::uint8_t> bytes(random() % 300);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    if (bytes.size() >= 8 && i % 2 == 0) std::memcpy(bytes.data() + 4, "ICRQ", 4);
    if (i % 10 == 0) dealer.send(zmq::str_buffer("first"), zmq::send_flags::sndmore);  // two frames
    dealer.send(zmq::buffer(bytes), zmq::send_flags::none);
  }
  EXPECT_TRUE(await(0, "query-refused-malformed", kMessages));
  // Larger than the server takes: the connection goes, the server stays.
  const std::vector<std::uint8_t> large(kMaxRequestBytes * 4);
  dealer.send(zmq::buffer(large), zmq::send_flags::none);
  const auto output = run("show services sessions count interface ms-0/0/0");
  EXPECT_EQ(output.code, ExitCode::ok);
  EXPECT_THAT(output.out, HasSubstr("ms-0/0/0    ss1                                        1\n"));
  // A reply is counted after it was sent, so it may be here first.
  EXPECT_TRUE(await([&] {
    return counter(0, "query-requests") == counter(0, "query-refused-malformed") + counter(0, "query-replies");
  }));
}

TEST_F(EndToEnd, AFloodOfQuestionsIsRefusedAsBusy) {
  // No worker runs: questions pile up, to the limit of the mailbox.
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.set(zmq::sockopt::rcvtimeo, 20000);
  dealer.connect(servers_[0]->endpoint());
  QueryRequest request;
  name(request);
  flatbuffers::FlatBufferBuilder builder;
  for (int i = 0; i < 70; ++i) {
    encode_request(request, builder);
    dealer.send(zmq::buffer(builder.GetBufferPointer(), builder.GetSize()), zmq::send_flags::none);
  }
  EXPECT_TRUE(await(0, "query-refused-busy", 6));
  start_workers();
  int busy = 0;
  for (int i = 0; i < 70; ++i) {
    zmq::message_t message;
    ASSERT_TRUE(dealer.recv(message));
    const auto reply = decode_reply(message.data(), message.size());
    ASSERT_TRUE(reply);
    busy += reply->error == QueryError::busy ? 1 : 0;
  }
  EXPECT_EQ(busy, 6);
}

TEST_F(EndToEnd, AFloodOfOneClientDoesNotShutOutAnother) {
  // The flood fills the card's mailbox before anybody works on it.
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect(servers_[0]->endpoint());
  QueryRequest request;
  name(request);
  flatbuffers::FlatBufferBuilder builder;
  encode_request(request, builder);
  for (int i = 0; i < 100; ++i) {
    dealer.send(zmq::buffer(builder.GetBufferPointer(), builder.GetSize()), zmq::send_flags::none);
  }
  EXPECT_TRUE(await(0, "query-refused-busy", 36));
  std::thread late([&] {
    // The operator's question takes the place of one of the flood's.
    EXPECT_TRUE(await(0, "query-refused-busy", 37));
    start_workers();
  });
  const auto output = run("show services redundancy-group");
  late.join();
  EXPECT_EQ(output.code, ExitCode::ok);
  EXPECT_EQ(output.error, "");
}

TEST_F(EndToEnd, ABusyChassisIsAskedAgainWithinTheDeadline) {
  // Many clients, each with one question: nobody has more than his share, so the operator's is refused.
  zmq::context_t context;
  QueryRequest request;
  name(request);
  flatbuffers::FlatBufferBuilder builder;
  encode_request(request, builder);
  std::vector<zmq::socket_t> others;
  for (int i = 0; i < 64; ++i) {
    auto& dealer = others.emplace_back(context, zmq::socket_type::dealer);
    dealer.set(zmq::sockopt::linger, 0);
    dealer.connect(servers_[0]->endpoint());
    dealer.send(zmq::buffer(builder.GetBufferPointer(), builder.GetSize()), zmq::send_flags::none);
  }
  EXPECT_TRUE(await(0, "query-requests", 64));
  for (auto& worker : workers_[1]) worker->start();
  const auto refused = run("show services redundancy-group", 200ms);
  EXPECT_EQ(refused.code, ExitCode::incomplete);
  EXPECT_THAT(refused.error, HasSubstr("chassis left did not answer: tcp://127.0.0.1:"));
  EXPECT_THAT(refused.error, HasSubstr(" was too busy for 200 ms"));
  std::thread late([&] {
    EXPECT_TRUE(await(0, "query-refused-busy", counter(0, "query-refused-busy") + 2));
    for (auto& worker : workers_[0]) worker->start();
  });
  const auto output = run("show services redundancy-group");
  late.join();
  EXPECT_EQ(output.code, ExitCode::ok);
  EXPECT_EQ(output.error, "");
}

TEST_F(EndToEnd, AClientThatLeavesDoesNoHarm) {
  {
    zmq::context_t context;
    zmq::socket_t dealer(context, zmq::socket_type::dealer);
    dealer.connect(servers_[0]->endpoint());
    QueryRequest request;
    name(request);
    flatbuffers::FlatBufferBuilder builder;
    encode_request(request, builder);
    dealer.send(zmq::buffer(builder.GetBufferPointer(), builder.GetSize()), zmq::send_flags::none);
    ASSERT_TRUE(await(0, "query-requests", 1));
    dealer.set(zmq::sockopt::linger, 0);
  }
  start_workers();
  EXPECT_EQ(run("show services redundancy-group").code, ExitCode::ok);
  // The reply was sent into a closing connection, or counted as undeliverable: one of both, never lost without a trace.
  EXPECT_TRUE(await([&] {
    return counter(0, "query-requests") == counter(0, "query-replies") + counter(0, "query-replies-undeliverable");
  }));
}

TEST_F(EndToEnd, StartFailsWhereTheEndpointIsTaken) {
  Cluster taken = fake_.cluster;
  taken.chassis[0].query = client_cluster_.chassis[0].query;
  node::QueryServer second(taken, 0, {});
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("cannot listen on tcp://127.0.0.1:"));
}

}  // namespace
}  // namespace icr::test
